//! PaginationReset: an API that pages only so far. On the error action RESET_PAGINATION, or at a number of records, the slice begins again
//! at its first page: from the highest cursor value seen (SPLIT_USING_CURSOR; records must come in ascending order) or as it was (RESET).

use crate::manifest::reader::Reader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PaginationReset {
    pub(crate) way: ResetWay,
    /// After so many records.
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResetWay {
    Split,
    Again,
}

impl PaginationReset {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "PaginationReset" {
            reader.unsupported("PaginationReset");
            return None;
        }
        reader.required("action");
        let way = match reader.text("action")?.as_str() {
            "SPLIT_USING_CURSOR" => ResetWay::Split,
            "RESET" => ResetWay::Again,
            _ => {
                reader.error_at("action", "must be SPLIT_USING_CURSOR or RESET");
                return None;
            }
        };
        let limit = reader.child("limits").and_then(|limits| {
            let limit = limits.integer("number_of_records", 1);
            limits.finish();
            limit
        });
        reader.finish();
        Some(Self { way, limit })
    }
}
