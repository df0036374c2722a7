//! What happens in a run, as events: the work emits them, renderers show them (a bar on a terminal, JSON lines elsewhere).
//! A parent process reads its children's JSON lines back into events.

use crate::unit::Unit;
use serde::{Deserialize, Serialize};

/// Something that happened to a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Work on a unit has begun.
    UnitStarted {
        /// `extract` or `load`.
        stage: String,
        /// The unit.
        #[serde(flatten)]
        unit: Unit,
        /// Records that will come, where that is known.
        #[serde(default)]
        total: Option<u64>,
    },
    /// So many records and bytes have been worked on since the start.
    Progress {
        /// `extract` or `load`.
        stage: String,
        /// The unit.
        #[serde(flatten)]
        unit: Unit,
        /// Records so far.
        records: u64,
        /// Bytes so far, before compression.
        bytes: u64,
        /// Records that will come, where that is known.
        #[serde(default)]
        total: Option<u64>,
    },
    /// A request failed and will be sent again.
    RetryScheduled {
        /// `extract` or `load`.
        stage: String,
        /// The unit.
        #[serde(flatten)]
        unit: Unit,
        /// Which try failed, from 1.
        attempt: u32,
        /// Milliseconds until the next.
        wait_ms: u64,
        /// Why, without secrets.
        reason: String,
    },
    /// Work on a unit has ended.
    UnitFinished {
        /// `extract` or `load`.
        stage: String,
        /// The unit.
        #[serde(flatten)]
        unit: Unit,
        /// `done`, `skipped` or `failed`.
        status: String,
        /// Records in all.
        records: u64,
        /// Milliseconds in all.
        duration_ms: u64,
        /// Why it failed.
        #[serde(default)]
        error: Option<String>,
    },
}

impl Event {
    /// The unit and the stage that it concerns.
    pub fn subject(&self) -> (&str, &Unit) {
        match self {
            Self::UnitStarted { stage, unit, .. }
            | Self::Progress { stage, unit, .. }
            | Self::RetryScheduled { stage, unit, .. }
            | Self::UnitFinished { stage, unit, .. } => (stage, unit),
        }
    }

    /// The event as one readable line.
    pub fn message(&self) -> String {
        let (stage, unit) = self.subject();
        match self {
            Self::UnitStarted { .. } => format!("{stage} {unit}: started"),
            Self::Progress { records, bytes, total, .. } => {
                let of = total.map_or_else(String::new, |total| format!(" of {total}"));
                format!("{stage} {unit}: {records}{of} records, {:.1} MB", *bytes as f64 / 1e6)
            }
            Self::RetryScheduled { attempt, wait_ms, reason, .. } => {
                format!("{stage} {unit}: try {attempt} failed, next in {:.1} s: {reason}", *wait_ms as f64 / 1e3)
            }
            Self::UnitFinished { status, records, duration_ms, error, .. } => {
                let why = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
                format!("{stage} {unit}: {status}, {records} records in {:.1} s{why}", *duration_ms as f64 / 1e3)
            }
        }
    }

    /// Cloud Logging's severity of the event.
    pub fn severity(&self) -> &'static str {
        match self {
            Self::UnitFinished { error: Some(_), .. } => "ERROR",
            Self::RetryScheduled { .. } => "WARNING",
            _ => "INFO",
        }
    }
}
