//! The runs of this process: the one that is going on, and the last ones that have ended.
//! Both under one lock, so that a run that ends is always to be found.

use crate::error::RunError;
use crate::run::RunOptions;
use crate::stage::Stage;
use crate::summary::{RunStatus, RunSummary};
use chrono::{DateTime, Utc};
use contract::run_id::RunId;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many runs are remembered; older ones are built from the landing zone's reports.
const REMEMBERED: usize = 20;

/// A run that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) run_id: RunId,
    pub(super) started_at: DateTime<Utc>,
    pub(super) only: Option<Stage>,
}

/// A run that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) run_id: RunId,
    pub(super) started_at: DateTime<Utc>,
    pub(super) finished_at: DateTime<Utc>,
    /// What it did, in a line.
    pub(super) told: String,
    /// What `--output json` would have printed.
    pub(super) report: Arc<Value>,
}

impl Ended {
    /// What came of a run that had begun.
    pub(super) fn of(running: &Running, result: &Result<RunSummary, RunError>) -> Self {
        let (run_id, started_at) = (running.run_id.clone(), running.started_at);
        match result {
            Ok(summary) => Self {
                run_id,
                started_at,
                finished_at: summary.finished_at,
                told: told(summary),
                report: Arc::new(json!(summary)),
            },
            Err(error) => {
                let (now, exit_code) = (Utc::now(), error.exit().code());
                let report = json!({
                    "run_id": run_id, "status": RunStatus::Failed, "exit_code": exit_code, "started_at": started_at,
                    "finished_at": now, "extract": [], "load": [], "errors": [error.to_string()],
                });
                let told = error.to_string().lines().next().unwrap_or_default().to_owned();
                Self { run_id, started_at, finished_at: now, told, report: Arc::new(report) }
            }
        }
    }
}

fn told(summary: &RunSummary) -> String {
    let sum = |count: fn(&crate::summary::rows::Row) -> u64| summary.rows.iter().map(count).sum::<u64>();
    let (well, failed) = summary.counts();
    format!(
        "{well} of {} units; {} inserted, {} updated, {} deleted, {} unchanged",
        well + failed,
        sum(|row| row.inserted),
        sum(|row| row.updated),
        sum(|row| row.deleted),
        sum(|row| row.unchanged)
    )
}

/// What is known of the runs of this process.
#[derive(Debug, Default)]
pub(super) struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    running: Option<Running>,
    /// The newest first.
    ended: VecDeque<Ended>,
}

impl Book {
    pub(super) fn begin(&self, run_id: &RunId, options: &RunOptions) {
        let running = Running { run_id: run_id.clone(), started_at: Utc::now(), only: options.only };
        self.pages().running = Some(running);
    }

    /// Notes how the run that is going on has ended.
    pub(super) fn end(&self, result: &Result<RunSummary, RunError>) {
        let mut pages = self.pages();
        if let Some(running) = pages.running.take() {
            let ended = Ended::of(&running, result);
            pages.ended.push_front(ended);
            pages.ended.truncate(REMEMBERED);
        }
    }

    /// Forgets the run that is going on; only after a bug is there one that nobody has ended.
    pub(super) fn clear(&self) {
        self.pages().running = None;
    }

    pub(super) fn running(&self) -> Option<Running> {
        self.pages().running.clone()
    }

    /// The last runs, the newest first.
    pub(super) fn ended(&self) -> Vec<Ended> {
        self.pages().ended.iter().cloned().collect()
    }

    /// The last result of a run that is not going on.
    pub(super) fn report(&self, run_id: &RunId) -> Option<Arc<Value>> {
        let pages = self.pages();
        if pages.running.as_ref().is_some_and(|running| running.run_id == *run_id) {
            return None;
        }
        pages.ended.iter().find(|ended| ended.run_id == *run_id).map(|ended| ended.report.clone())
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // Nothing that holds the lock can leave the pages half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_either_going_on_or_has_ended() {
        let (book, options) = (Book::default(), RunOptions::default());
        let run_id = RunId::new(Utc::now());
        book.begin(&run_id, &options);
        assert_eq!(book.running().unwrap().run_id, run_id);
        assert!(book.report(&run_id).is_none());
        book.end(&Err(RunError::Usage("<no>\nmore".into())));
        assert!(book.running().is_none());
        let report = book.report(&run_id).unwrap();
        assert_eq!((&report["status"], &report["exit_code"]), (&"failed".into(), &2.into()));
        assert_eq!(book.ended()[0].told, "<no>");

        // The same run again: its earlier end is not its report while it goes on.
        book.begin(&run_id, &options);
        assert!(book.report(&run_id).is_none());
        book.clear();
        assert!(book.running().is_none() && book.report(&run_id).is_some());
        for _ in 0..2 * REMEMBERED {
            book.begin(&RunId::new(Utc::now()), &options);
            book.end(&Err(RunError::Usage("no".into())));
        }
        assert_eq!(book.ended().len(), REMEMBERED);
    }
}
