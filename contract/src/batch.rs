//! `batch.json`, a batch's description: written last, so that its presence means that the batch is complete.
//! All that the load needs to know of a stream travels in it; the load never reads a manifest.

use crate::cursor::CursorOrder;
use crate::evidence::Evidence;
use crate::pipeline::Redacted;
use crate::run_id::RunId;
use crate::unit::Unit;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version that this program writes, and the newest it reads.
pub const BATCH_VERSION: u32 = 1;

/// The most bytes of one record, on its line in a part. An extract stores none that is longer, and a load reads all that are not.
pub const LONGEST_RECORD: usize = 256 << 20;

/// What the batch holds of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchMode {
    /// Everything there is: what is absent has been deleted.
    Snapshot,
    /// What changed since the checkpoint.
    Incremental,
    /// A backfill of a range; it never moves the checkpoint.
    Window,
    /// Rows that a reading lacked, asked for one by one; it never moves the checkpoint.
    Confirm,
}

impl BatchMode {
    /// The word in files and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Incremental => "incremental",
            Self::Window => "window",
            Self::Confirm => "confirm",
        }
    }
}

/// How the load writes a batch into its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// By primary key, with soft delete (the default with a primary key).
    Merge,
    /// The account's rows are replaced (the default for a snapshot without a key).
    Replace,
    /// New rows are added, the same row never twice (the default for the rest without a key).
    Append,
}

impl Write {
    /// Its word in files, after which its SQL statements are named as well.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Replace => "replace",
            Self::Append => "append",
        }
    }

    /// Whether rows are known by a key; else by their content.
    pub fn is_by_key(self) -> bool {
        self == Self::Merge
    }

    /// Whether live rows that a batch lacks are marked as deleted and stay.
    pub fn marks_absent(self) -> bool {
        self == Self::Merge
    }

    /// Whether rows are removed whose content a batch lacks; only a reading of everything can tell which they are.
    pub fn removes_absent(self) -> bool {
        self == Self::Replace
    }
}

/// The range of a backfill, as given by `--from` and `--to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Start, included.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
}

/// One object of records, one JSON record a line, compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Path in the landing zone.
    pub path: String,
    /// Number of records in it.
    pub records: u64,
    /// Size of the stored (compressed) object.
    pub bytes: u64,
    /// crc32c of the stored object.
    pub crc32c: u32,
}

/// The description of a complete batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Format version.
    pub version: u32,
    /// The run that extracted it.
    pub run_id: RunId,
    /// Source name.
    pub source: String,
    /// Account id.
    pub account: String,
    /// Stream name.
    pub stream: String,
    /// Target table, before quoting.
    pub table: String,
    /// Names of the record's fields that make its key; empty: none.
    pub primary_key: Vec<String>,
    /// The field whose later value wins among records of one key.
    pub cursor_field: Option<String>,
    /// The formats by which the extract has read the cursor's values, in the order in which they are tried. None in batches of before: the load
    /// then compares what it finds.
    #[serde(default)]
    pub cursor_formats: Option<Vec<String>>,
    /// What the batch covers.
    pub mode: BatchMode,
    /// The range of a `window` batch.
    pub window: Option<Window>,
    /// Whether the reading is known to be whole: what `evidence` comes to, in one word.
    pub stable: bool,
    /// What the reading has proven; none in batches of before, which tell `stable` alone.
    #[serde(default)]
    pub evidence: Option<Evidence>,
    /// The state that the extract began with: what the warehouse must have already. None for a first or full reading.
    #[serde(default)]
    pub state_before: Option<Value>,
    /// The state from which the next run goes on, once this batch is loaded.
    pub state_after: Option<Value>,
    /// Number of records in all parts.
    pub records: u64,
    /// Size of the records before compression, line ends included.
    pub bytes: u64,
    /// The parts, in the order of arrival.
    pub parts: Vec<Part>,
    /// When the extract of the unit began.
    pub started_at: DateTime<Utc>,
    /// When it was complete.
    pub finished_at: DateTime<Utc>,
    /// The program's version.
    pub tool_version: String,
    /// Keys that the API says it does not have: of a batch that asked for rows one by one. Each is the texts of the key's fields.
    #[serde(default)]
    pub gone: Vec<Vec<String>>,
    /// How to write it, where the manifest or the pipeline file says so.
    #[serde(default)]
    pub write: Option<Write>,
    /// The manifest's JSON Schema of a record: type hints.
    #[serde(default)]
    pub schema: Option<Value>,
    /// What was taken out of its records before they were stored. Nothing in batches of before, whatever was.
    #[serde(default, skip_serializing_if = "Redacted::is_nothing")]
    pub redacted: Redacted,
}

impl Batch {
    /// How the values of its cursor are compared; none for a stream without one.
    pub fn cursor(&self) -> Option<(&str, CursorOrder)> {
        let order = self.cursor_formats.clone().map_or(CursorOrder::Unknown, |formats| CursorOrder::By(formats.into()));
        Some((self.cursor_field.as_deref()?, order))
    }

    /// The unit it belongs to.
    pub fn unit(&self) -> Unit {
        Unit { source: self.source.clone(), account: self.account.clone(), stream: self.stream.clone() }
    }

    /// Whether the reading is known to hold every row of its range.
    pub fn is_whole(&self) -> bool {
        self.evidence.as_ref().map_or(self.stable, Evidence::is_whole)
    }

    /// How the load writes it: as told, or by the presence of a key.
    pub fn write_mode(&self) -> Write {
        self.write.unwrap_or(match (self.primary_key.is_empty(), self.mode) {
            (false, _) => Write::Merge,
            (true, BatchMode::Snapshot) => Write::Replace,
            (true, _) => Write::Append,
        })
    }
}
