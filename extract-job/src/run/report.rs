//! The task's report in the landing zone, written after every unit; and the file that names the newest run.

use super::{ExtractError, Shared};
use chrono::Utc;
use contract::TOOL_VERSION;
use contract::landing::{Landing, paths};
use contract::report::{Plan, RunReport, TaskStatus, UnitReport, UnitStatus};
use contract::round::RunFolder;

use contract::run_id::RunId;
use contract::stored::{self, Latest, StoredError};
use contract::unit::Task;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The version of the report's format.
const REPORT_VERSION: u32 = 1;
/// The stage's name in paths and reports.
const STAGE: &str = "extract";

/// Writes the report of one task.
pub(crate) struct Reporter {
    shared: Arc<Shared>,
    path: String,
    report: Mutex<RunReport>,
}

impl Reporter {
    pub(crate) async fn start(shared: Arc<Shared>, task: Task) -> Result<Self, ExtractError> {
        let report = RunReport {
            version: REPORT_VERSION,
            run_id: shared.run.run.clone(),
            stage: STAGE.into(),
            task_index: task.index,
            task_count: task.count,
            status: TaskStatus::Running,
            started_at: shared.now,
            finished_at: shared.now,
            tool_version: TOOL_VERSION.into(),
            units: Vec::new(),
        };
        let path = paths::report(&shared.run, STAGE, task);
        stored::write(shared.landing.as_ref(), &path, &report).await?;
        Ok(Self { shared, path, report: Mutex::new(report) })
    }

    /// Adds a unit. A report that cannot be written now is written with the next unit, or at the end.
    pub(crate) async fn add(&self, unit: UnitReport) {
        let mut report = self.report.lock().await;
        report.units.push(unit);
        report.finished_at = Utc::now();
        if let Err(error) = stored::write(self.shared.landing.as_ref(), &self.path, &*report).await {
            tracing::warn!(%error, "failed to write the run report");
        }
    }

    /// The report as it stays.
    pub(crate) async fn finish(self, status: TaskStatus) -> Result<RunReport, ExtractError> {
        let mut report = self.report.into_inner();
        report.status = status;
        report.finished_at = Utc::now();
        let unit = |unit: &UnitReport| (unit.source.clone(), unit.account.clone(), unit.stream.clone());
        report.units.sort_by_key(unit);
        stored::write(self.shared.landing.as_ref(), &self.path, &report).await?;
        Ok(report)
    }
}

/// The newest run; an empty one with no durations if there is none.
pub(crate) async fn read_latest(landing: &dyn Landing) -> Result<Latest, StoredError> {
    Ok(stored::read(landing, paths::LATEST).await?.unwrap_or_else(no_latest))
}

/// What the run's units are dealt by: what its first task found, else the newest run's durations.
/// They must stay: the newest run is this one itself as soon as all its tasks have finished, also for one that is tried again.
pub(crate) async fn read_balance(landing: &dyn Landing, run: &impl RunFolder) -> Result<Latest, StoredError> {
    match stored::read::<Plan>(landing, &paths::plan(run)).await? {
        Some(plan) => Ok(Latest { durations_ms: plan.durations_ms, ..no_latest() }),
        None => read_latest(landing).await,
    }
}

/// What there is before the first run.
pub(crate) fn no_latest() -> Latest {
    let run_id = RunId::new(chrono::DateTime::UNIX_EPOCH);
    Latest { run_id, finished_at: Utc::now(), durations_ms: BTreeMap::new() }
}

/// Names this run as the newest once all its tasks have finished; the last of them does it (or several: they write the same).
pub(crate) async fn update_latest(landing: &dyn Landing, run: &RunId, task: Task) -> Result<(), StoredError> {
    let mut latest = read_latest(landing).await?;
    if latest.run_id > *run && !latest.run_id.is_ahead() {
        return Ok(());
    }
    for index in 0..task.count {
        match stored::read_report(landing, run, STAGE, Task { index, count: task.count }).await? {
            Some(report) if report.status == TaskStatus::Finished => {
                for unit in report.units.iter().filter(|unit| unit.status == UnitStatus::Done) {
                    latest.durations_ms.insert(unit.unit().to_string(), unit.duration_ms);
                }
            }
            _ => return Ok(()),
        }
    }
    if latest.run_id > *run {
        tracing::warn!(
            "{} named run {}, which lies in the future: a clock was wrong when it was made; it names run {run} from now on",
            paths::LATEST,
            latest.run_id
        );
    }
    latest.run_id = run.clone();
    latest.finished_at = Utc::now();
    stored::write(landing, paths::LATEST, &latest).await
}
