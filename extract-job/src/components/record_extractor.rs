//! What a selector's `extractor` can be: a path, or one of our own (`CustomRecordExtractor` with a `class_name` of ours).

use super::dpath_extractor::DpathExtractor;
use super::fields_and_rows_extractor::FieldsAndRows;
use super::unnest_extractor::Unnest;
use crate::manifest::reader::Reader;
use contract::yaml::Node;

#[derive(Debug)]
pub(crate) enum RecordExtractor {
    Dpath(DpathExtractor),
    Unnest(Unnest),
    FieldsAndRows(FieldsAndRows),
}

impl RecordExtractor {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "DpathExtractor" => DpathExtractor::read(reader).map(Self::Dpath),
            "CustomRecordExtractor" => match reader.get("class_name").and_then(Node::as_str) {
                Some("extract_job.Unnest") => Unnest::read(reader).map(Self::Unnest),
                Some("extract_job.FieldsAndRows") => FieldsAndRows::read(reader).map(Self::FieldsAndRows),
                _ => {
                    reader.unsupported("DpathExtractor, extract_job.Unnest, extract_job.FieldsAndRows");
                    None
                }
            },
            _ => {
                reader.unsupported("DpathExtractor, CustomRecordExtractor");
                None
            }
        }
    }

    /// The path in the answer where its records, or what they are made of, lie.
    pub(crate) fn path(&self) -> &DpathExtractor {
        match self {
            Self::Dpath(path) => path,
            Self::Unnest(unnest) => unnest.path(),
            Self::FieldsAndRows(table) => table.rows(),
        }
    }
}
