//! Where everything lies in the landing zone (design, section 5): the one place that spells a path.
//! Nothing is found by listing; every path follows from the pipeline file and the run id.

use crate::round::RunFolder;
use crate::segment::escaped;
use crate::unit::{Task, Unit};

pub(crate) use crate::segment::is_path_segment;
pub use crate::segment::is_safe_segment;

fn unit_path(kind: &str, unit: &Unit) -> String {
    format!("{kind}/{}/{}/{}", unit.source, unit.account, escaped(&unit.stream))
}

/// `batches/<source>/<account>/<stream>/<run_id>`; for a confirming round a folder in that. A stream's name is escaped where it cannot
/// stand in a path.
pub fn batch_folder(unit: &Unit, run: &impl RunFolder) -> String {
    format!("{}/{run}", unit_path("batches", unit))
}

/// The batch's description, written last.
pub fn batch(unit: &Unit, run: &impl RunFolder) -> String {
    format!("{}/batch.json", batch_folder(unit, run))
}

/// One part; `extension` is `gz` or `zst`.
pub fn part(unit: &Unit, run: &impl RunFolder, index: usize, extension: &str) -> String {
    format!("{}/part-{index:05}.ndjson.{extension}", batch_folder(unit, run))
}

/// What is stored of a batch that is not complete yet, for another try of the same run.
pub fn progress(unit: &Unit, run: &impl RunFolder) -> String {
    format!("{}/progress.json", batch_folder(unit, run))
}

/// Records that could not be loaded.
pub fn rejects(unit: &Unit, run: &impl RunFolder) -> String {
    format!("{}/{run}.ndjson.gz", unit_path("rejects", unit))
}

/// The state from which the next extract of the unit goes on.
pub fn checkpoint(unit: &Unit) -> String {
    format!("{}.json", unit_path("checkpoints", unit))
}

/// Live rows that a complete reading of the unit lacked.
pub fn suspects(unit: &Unit) -> String {
    format!("{}.json.gz", unit_path("suspects", unit))
}

/// What a run is to do: its units and its task count.
pub fn plan(run: &impl RunFolder) -> String {
    format!("runs/{run}/plan.json")
}

/// What one task of a stage did.
pub fn report(run: &impl RunFolder, stage: &str, task: Task) -> String {
    format!("runs/{run}/{stage}-{}-of-{}.json", task.index, task.count)
}

/// The newest run whose extract has finished.
pub const LATEST: &str = "runs/latest.json";

/// Held by the run that is going on.
pub const LEASE: &str = "runs/lease.json";
