//! Where everything lies in the landing zone (design, section 5): the one place that spells a path.
//! Nothing is found by listing; every path follows from the pipeline file and the run id.

use crate::run_id::RunId;
use crate::unit::{Task, Unit};

/// Whether a name can stand between two slashes: letters, digits, `_`, `-`, `.`, not starting with a dot, at most 128 bytes.
pub fn is_safe_segment(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn unit_path(kind: &str, unit: &Unit) -> String {
    format!("{kind}/{}/{}/{}", unit.source, unit.account, unit.stream)
}

/// `batches/<source>/<account>/<stream>/<run_id>`.
pub fn batch_folder(unit: &Unit, run: &RunId) -> String {
    format!("{}/{run}", unit_path("batches", unit))
}

/// The batch's description, written last.
pub fn batch(unit: &Unit, run: &RunId) -> String {
    format!("{}/batch.json", batch_folder(unit, run))
}

/// One part; `extension` is `gz` or `zst`.
pub fn part(unit: &Unit, run: &RunId, index: usize, extension: &str) -> String {
    format!("{}/part-{index:05}.ndjson.{extension}", batch_folder(unit, run))
}

/// Records that could not be loaded.
pub fn rejects(unit: &Unit, run: &RunId) -> String {
    format!("{}/{run}.ndjson.gz", unit_path("rejects", unit))
}

/// The state from which the next extract of the unit goes on.
pub fn checkpoint(unit: &Unit) -> String {
    format!("{}.json", unit_path("checkpoints", unit))
}

/// What a run is to do: its units and its task count.
pub fn plan(run: &RunId) -> String {
    format!("runs/{run}/plan.json")
}

/// What one task of a stage did.
pub fn report(run: &RunId, stage: &str, task: Task) -> String {
    format!("runs/{run}/{stage}-{}-of-{}.json", task.index, task.count)
}

/// The newest run whose extract has finished.
pub const LATEST: &str = "runs/latest.json";

/// Held by the run that is going on.
pub const LEASE: &str = "runs/lease.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cannot_leave_their_folder() {
        for good in ["acme-hvac", "jobs", "a.b", "X_1"] {
            assert!(is_safe_segment(good), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "é", "a\0", "a\n"] {
            assert!(!is_safe_segment(bad), "{bad:?}");
        }
        assert!(!is_safe_segment(&"x".repeat(129)));
    }
}
