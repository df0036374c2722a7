//! The report of a run that this process does not remember, or that is going on: from what its tasks have left in the landing zone.
//! Reports of an earlier attempt are told apart by the time at which the lease was taken.

use super::book::Running;
use crate::run::RunOptions;
use crate::stage::Stage;
use crate::summary::RunStatus;
use crate::summary::rows::{self, Row};
use chrono::{DateTime, Utc};
use contract::landing::{Landing, paths};
use contract::lease::{self, LeaseError};
use contract::pipeline::Pipeline;
use contract::report::{Plan, RunReport, TaskStatus, UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::stored::{self, StoredError};
use contract::unit::{Task, Unit};
use serde_json::{Value, json};

/// What one stage's tasks have left.
#[derive(Debug, Default)]
struct Left {
    tasks: usize,
    reports: Vec<RunReport>,
    complaints: Vec<String>,
}

impl Left {
    fn units(&self) -> Vec<UnitReport> {
        self.reports.iter().flat_map(|report| report.units.clone()).collect()
    }

    fn ended(&self) -> usize {
        self.reports.iter().filter(|report| report.status != TaskStatus::Running).count()
    }

    fn progress(&self) -> Value {
        let units = self.units();
        let count = |status| units.iter().filter(|unit| unit.status == status).count();
        json!({
            "tasks": self.tasks, "tasks_ended": self.ended(), "done": count(UnitStatus::Done),
            "skipped": count(UnitStatus::Skipped), "failed": count(UnitStatus::Failed),
        })
    }
}

/// The report of a run; `None` if nobody knows it. `own`: the run of this process that is going on.
///
/// # Errors
/// The landing zone refuses.
pub(super) async fn of_run(
    landing: &dyn Landing,
    pipeline: &Pipeline,
    run_id: &RunId,
    own: Option<&Running>,
) -> Result<Option<Value>, LeaseError> {
    let own = own.filter(|running| running.run_id == *run_id);
    // A lease that nobody renews is no run that goes on.
    let is_going_on =
        |file: &lease::LeaseFile| file.run_id == *run_id && file.age_seconds() <= lease::EXPIRES_AFTER_SECONDS;
    let lease = lease::current(landing).await?.filter(is_going_on);
    let since = lease.map(|file| file.acquired_at).or_else(|| own.map(|running| running.started_at));
    let plan: Option<Plan> = stored::read(landing, &paths::plan(run_id)).await?;
    let extract_tasks = plan.as_ref().map_or(1, |plan| plan.tasks.max(1));
    let load_tasks = RunOptions::default().tasks(Stage::Load, pipeline);
    let extract = read(landing, run_id, Stage::Extract, extract_tasks).await?;
    let load = read(landing, run_id, Stage::Load, load_tasks).await?;
    let planned = plan.map(|plan| plan.units);
    Ok(match since {
        Some(since) => Some(going_on(run_id, since, own, planned, extract, load)),
        None if planned.is_none() && extract.reports.is_empty() && load.reports.is_empty() => None,
        None => Some(ended(run_id, planned.unwrap_or_default(), extract, load)),
    })
}

async fn read(landing: &dyn Landing, run_id: &RunId, stage: Stage, tasks: usize) -> Result<Left, LeaseError> {
    let mut left = Left { tasks, ..Left::default() };
    for index in 0..tasks {
        let name = if tasks == 1 { stage.to_string() } else { format!("{stage} task {} of {tasks}", index + 1) };
        match stored::read_report(landing, run_id, stage.as_str(), Task { index, count: tasks }).await {
            Ok(Some(report)) => {
                if report.status == TaskStatus::Running {
                    left.complaints.push(format!("{name} has ended without finishing its report"));
                }
                left.reports.push(report);
            }
            Ok(None) => left.complaints.push(format!("{name} left no report")),
            Err(error @ StoredError::Malformed { .. }) => {
                left.complaints.push(format!("{name}: its report cannot be used: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(left)
}

fn going_on(
    run_id: &RunId,
    since: DateTime<Utc>,
    own: Option<&Running>,
    planned: Option<Vec<Unit>>,
    mut extract: Left,
    mut load: Left,
) -> Value {
    for left in [&mut extract, &mut load] {
        left.reports.retain(|report| report.finished_at >= since);
    }
    let only = own.and_then(|running| running.only);
    let extract_has_ended = extract.ended() == extract.tasks;
    let stage = match only {
        Some(stage) => stage,
        None if extract_has_ended || !load.reports.is_empty() => Stage::Load,
        None => Stage::Extract,
    };
    let (of_extract, of_load) = (extract.units(), load.units());
    let failures = [(Stage::Extract, &of_extract), (Stage::Load, &of_load)].into_iter().flat_map(|(stage, units)| {
        units.iter().filter_map(move |unit| Some(format!("{stage} {}: {}", unit.unit(), unit.error.as_ref()?)))
    });
    json!({
        "run_id": run_id,
        "status": "running",
        "stage": stage.as_str(),
        "started_at": since,
        "planned": planned.map(|units| units.len()),
        "progress": { "extract": extract.progress(), "load": load.progress() },
        "extract": of_extract,
        "load": of_load,
        "errors": failures.collect::<Vec<_>>(),
    })
}

/// The same object that the run itself has printed, as far as it can be known.
fn ended(run_id: &RunId, planned: Vec<Unit>, extract: Left, load: Left) -> Value {
    let (of_extract, of_load) = (extract.units(), load.units());
    let rows = rows::join(&planned, &of_extract, &of_load, None);
    let reports = || extract.reports.iter().chain(&load.reports);
    let well = rows.iter().filter(|row| row.status.is_well()).count();
    let complaints = [extract.complaints, load.complaints].concat();
    let (status, exit_code) = match well {
        _ if reports().any(|report| report.status == TaskStatus::Interrupted) => (RunStatus::Interrupted, 1),
        _ if complaints.is_empty() && well == rows.len() => (RunStatus::Done, 0),
        0 => (RunStatus::Failed, 3),
        _ => (RunStatus::PartlyFailed, 1),
    };
    let started_at = reports().map(|report| report.started_at).min();
    let finished_at = reports().map(|report| report.finished_at).max();
    let duration = started_at.zip(finished_at).map(|(start, end)| (end - start).num_milliseconds().max(0));
    let errors: Vec<String> = complaints.into_iter().chain(rows.iter().filter_map(Row::failure)).collect();
    json!({
        "run_id": run_id,
        "status": status,
        "exit_code": exit_code,
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_ms": duration,
        "extract": of_extract,
        "load": of_load,
        "errors": errors,
    })
}
