//! Run reports: what each task of a stage did with each unit. `--output json` prints them, the orchestrator adds them up,
//! the load writes them into the log tables.

use crate::run_id::RunId;
use crate::unit::Unit;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `runs/<run_id>/plan.json`: the units of a run's extract, written before the first request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The run.
    pub run_id: RunId,
    /// Into how many tasks the extract is divided.
    pub tasks: usize,
    /// All units that the run extracts, over all tasks.
    pub units: Vec<Unit>,
    /// The durations that the units are dealt to tasks by, as the run found them at its start: a task that is tried again after the
    /// others have finished must find the share that it had.
    #[serde(default)]
    pub durations_ms: BTreeMap<String, u64>,
}

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitStatus {
    /// All went well.
    Done,
    /// Nothing was to be done, for example because the batch was complete already.
    Skipped,
    /// Nothing of it was published or changed; `error` says why.
    Failed,
}

impl UnitStatus {
    /// The word in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// What a failed unit needs beside another try, which would fail as this one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Its batch is loaded only by force.
    Force,
    /// It deletes more than is allowed without a word.
    AllowMassDelete,
    /// Another stream has written the rows so far.
    TakeOver,
    /// Its stream has to be extracted from the start.
    FullRefresh,
    /// Its batch cannot be loaded: its stream has to be extracted by another run.
    AnotherRun,
}

impl Remedy {
    /// The flag of the command line that is the remedy.
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::Force => Some("--force"),
            Self::AllowMassDelete => Some("--allow-mass-delete"),
            Self::TakeOver => Some("--take-over"),
            Self::FullRefresh => Some("--full-refresh"),
            Self::AnotherRun => None,
        }
    }
}

/// What a stage did with one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitReport {
    /// Source name.
    pub source: String,
    /// Account id.
    pub account: String,
    /// Stream name.
    pub stream: String,
    /// Target table.
    pub table: String,
    /// How it ended.
    pub status: UnitStatus,
    /// `snapshot`, `incremental`, `window`; empty if it failed before that was known.
    pub mode: String,
    /// Records received from the API (extract), or read from the batch (load).
    pub rows_extracted: u64,
    /// Rows inserted into the target.
    #[serde(default)]
    pub rows_inserted: u64,
    /// Rows updated or restored in the target.
    #[serde(default)]
    pub rows_updated: u64,
    /// Rows marked as deleted in the target.
    #[serde(default)]
    pub rows_deleted: u64,
    /// Live rows that the batch lacks, and that are not marked as deleted before they are missing once more.
    #[serde(default)]
    pub rows_suspected: u64,
    /// Rows whose content was the same.
    #[serde(default)]
    pub rows_unchanged: u64,
    /// Records kept under `rejects/`.
    #[serde(default)]
    pub rows_rejected: u64,
    /// Records that came more than once: of each key one counts. Of a unit that was loaded, `rows_extracted` is the sum of those that were
    /// inserted, updated, unchanged, repeated and rejected.
    #[serde(default)]
    pub rows_repeated: u64,
    /// Bytes of records before compression.
    pub bytes: u64,
    /// Bytes that the warehouse read for this unit: its share of its table's statements, by its share of the records. 0 where the warehouse does not tell.
    #[serde(default)]
    pub bytes_processed: u64,
    /// Bytes that the warehouse bills for them.
    #[serde(default)]
    pub bytes_billed: u64,
    /// Start of the unit.
    pub started_at: DateTime<Utc>,
    /// End of the unit.
    pub finished_at: DateTime<Utc>,
    /// The difference, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// What it needs, where another try alone would fail again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// What the user should know though it did not fail.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Why it was not read in this run, where that is as the pipeline file wants it (`every`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_due: Option<String>,
}

impl UnitReport {
    /// A report of a unit that begins now; its counts are zero and its status is `Done` until told otherwise.
    pub fn start(unit: &Unit, table: &str, now: DateTime<Utc>) -> Self {
        Self {
            source: unit.source.clone(),
            account: unit.account.clone(),
            stream: unit.stream.clone(),
            table: table.to_owned(),
            status: UnitStatus::Done,
            mode: String::new(),
            rows_extracted: 0,
            rows_inserted: 0,
            rows_updated: 0,
            rows_deleted: 0,
            rows_suspected: 0,
            rows_unchanged: 0,
            rows_rejected: 0,
            rows_repeated: 0,
            bytes: 0,
            bytes_processed: 0,
            bytes_billed: 0,
            started_at: now,
            finished_at: now,
            duration_ms: 0,
            error: None,
            remedy: None,
            warnings: Vec::new(),
            not_due: None,
        }
    }

    /// The unit.
    pub fn unit(&self) -> Unit {
        Unit { source: self.source.clone(), account: self.account.clone(), stream: self.stream.clone() }
    }

    /// Sets the end and the duration.
    pub fn finish(mut self, now: DateTime<Utc>) -> Self {
        self.finished_at = now;
        self.duration_ms = (now - self.started_at).num_milliseconds().max(0).unsigned_abs();
        self
    }

    /// Marks the unit as failed.
    pub fn fail(mut self, error: impl Into<String>, now: DateTime<Utc>) -> Self {
        self.status = UnitStatus::Failed;
        self.error = Some(error.into());
        self.finish(now)
    }

    /// Says what the failed unit needs.
    pub fn needing(mut self, remedy: Option<Remedy>) -> Self {
        self.remedy = remedy;
        self
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Some units are still to come.
    Running,
    /// All units have ended, well or not.
    Finished,
    /// The task was told to stop before all units had ended.
    Interrupted,
}

/// `runs/<run_id>/<stage>-<i>-of-<n>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Format version.
    pub version: u32,
    /// The run.
    pub run_id: RunId,
    /// `extract` or `load`.
    pub stage: String,
    /// This task, from 0.
    pub task_index: usize,
    /// All tasks of the stage.
    pub task_count: usize,
    /// Where the task stands.
    pub status: TaskStatus,
    /// Start of the task.
    pub started_at: DateTime<Utc>,
    /// When this report was written.
    pub finished_at: DateTime<Utc>,
    /// The program's version.
    pub tool_version: String,
    /// The units that have ended.
    pub units: Vec<UnitReport>,
}

impl RunReport {
    /// How the task ends: failed units make it 1.
    pub fn exit(&self) -> crate::exit::Exit {
        let failed = self.units.iter().any(|unit| unit.status == UnitStatus::Failed);
        if failed || self.status != TaskStatus::Finished {
            crate::exit::Exit::SomeFailed
        } else {
            crate::exit::Exit::Done
        }
    }
}
