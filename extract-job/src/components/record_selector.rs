//! RecordSelector: which parts of an answer are records, and which of them stay. Normalization by a schema is not supported: types are
//! the load's to settle.

use super::record_extractor::RecordExtractor;
use super::record_filter::RecordFilter;
use crate::manifest::reader::Reader;

#[derive(Debug)]
pub(crate) struct RecordSelector {
    pub(crate) extractor: RecordExtractor,
    pub(crate) filter: Option<RecordFilter>,
    /// Transformations come before the filter; nothing: where the cursor drops records by itself.
    pub(crate) transform_before_filtering: Option<bool>,
}

impl RecordSelector {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "RecordSelector" {
            reader.unsupported("RecordSelector");
            return None;
        }
        let extractor = reader.required_child("extractor").and_then(|child| RecordExtractor::read(&child));
        let filter = reader.child("record_filter").and_then(|child| RecordFilter::read(&child));
        if reader.get("schema_normalization").is_some_and(|node| node.as_str() != Some("None")) {
            reader.error_at("schema_normalization", "is not supported: types are settled when the records are loaded");
        }
        let has_order = reader.has("transform_before_filtering");
        let before = reader.boolean("transform_before_filtering", false);
        reader.finish();
        Some(Self { extractor: extractor?, filter, transform_before_filtering: has_order.then_some(before) })
    }
}
