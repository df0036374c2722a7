//! RecordFilter: keeps the records for which the condition is true. An empty condition drops all, as in the reference engine.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;

#[derive(Debug)]
pub(crate) struct RecordFilter {
    condition: Option<Expression>,
}

impl RecordFilter {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "RecordFilter" {
            reader.unsupported("RecordFilter");
            return None;
        }
        let condition = reader.expression("condition", Names::RECORD_FIELDS);
        reader.finish();
        Some(Self { condition })
    }

    /// Whether the record of the scope stays.
    ///
    /// # Errors
    /// The condition cannot be evaluated.
    pub(crate) fn keeps(&self, scope: &Scope) -> Result<bool, String> {
        let Some(condition) = &self.condition else { return Ok(false) };
        condition.condition(scope).map_err(|error| format!("`record_filter.condition`: {error}"))
    }
}
