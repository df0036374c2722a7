//! What was told already, by attempts of the same execution on Cloud Run: `runs/<run_id>/told.json`.
//! In doubt a message is sent twice rather than never.

use crate::summary::RunSummary;
use contract::landing;
use contract::pipeline::Pipeline;
use contract::stored;
use serde::{Deserialize, Serialize};

/// `runs/<run_id>/told.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// The execution whose attempt has told it.
    execution: String,
    exit_code: u8,
    /// Units that are done, and units that failed.
    units: (usize, usize),
}

impl Told {
    fn of(summary: &RunSummary) -> Option<Self> {
        let execution = std::env::var("CLOUD_RUN_EXECUTION").ok().filter(|name| !name.is_empty())?;
        Some(Self { execution, exit_code: summary.exit().code(), units: summary.counts() })
    }
}

fn path(summary: &RunSummary) -> String {
    format!("runs/{}/told.json", summary.run_id)
}

/// Whether an earlier attempt of this execution has told the same.
pub(super) async fn is_told(pipeline: &Pipeline, summary: &RunSummary) -> bool {
    let (Some(now), Ok(landing)) = (Told::of(summary), landing::open(&pipeline.landing)) else { return false };
    matches!(stored::read::<Told>(landing.as_ref(), &path(summary)).await, Ok(Some(told)) if told == now)
}

/// Notes that it is told.
pub(super) async fn note(pipeline: &Pipeline, summary: &RunSummary) {
    let (Some(now), Ok(landing)) = (Told::of(summary), landing::open(&pipeline.landing)) else { return };
    if let Err(error) = stored::write(landing.as_ref(), &path(summary), &now).await {
        tracing::debug!(%error, "failed to note that the run's end was told");
    }
}
