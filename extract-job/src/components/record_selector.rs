//! RecordSelector: which parts of an answer are records. Filters and normalization are not supported; records stay as they came.

use super::dpath_extractor::DpathExtractor;
use crate::manifest::reader::Reader;

#[derive(Debug)]
pub(crate) struct RecordSelector {
    pub(crate) extractor: DpathExtractor,
}

impl RecordSelector {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "RecordSelector" {
            reader.unsupported("RecordSelector");
            return None;
        }
        let extractor = reader.required_child("extractor").and_then(|child| DpathExtractor::read(&child));
        reader.refuse(&["record_filter"]);
        if reader.text("schema_normalization").is_some_and(|kind| kind != "None") {
            reader.error_at("schema_normalization", "is not supported; records are kept as they came");
        }
        reader.accept(&["transform_before_filtering"]);
        reader.finish();
        Some(Self { extractor: extractor? })
    }
}
