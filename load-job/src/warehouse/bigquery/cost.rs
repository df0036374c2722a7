//! What statements read and what is billed for them, as a finished job tells.
//! Load jobs and calls of tables cost nothing.

use crate::warehouse::Spent;
use serde_json::Value;

/// A number of the API: int64 travels as text.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Adds a finished job's bytes.
pub(super) fn add(spent: &mut Spent, job: &Value) {
    let query = &job["statistics"]["query"];
    spent.processed += number(&query["totalBytesProcessed"]).unwrap_or(0);
    spent.billed += number(&query["totalBytesBilled"]).unwrap_or(0);
}
