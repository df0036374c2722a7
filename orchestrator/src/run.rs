//! One run: lease, extract, load, in this order; what landed is loaded even if other units failed (design, sections 4 and 8).
//! The lease is given back in every way out.

use crate::arguments::{join_again, stage_arguments};
use crate::error::RunError;
use crate::launcher::{LaunchError, Launcher, StageOrder};
use crate::lease::{self, RunLease};
use crate::outcome::{StageResult, TaskReport, stage_exit};
use crate::prune;
use crate::stage::Stage;
use crate::summary::{Ran, RunSummary};
use chrono::{DateTime, TimeDelta, Utc};
use contract::exit::Exit;
use contract::landing::{self, Landing, paths};
use contract::pipeline::{ConfirmDeletes, LauncherEntry, Pipeline, WarehouseEntry};
use contract::report::{Plan, RunReport, UnitReport};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored;
use contract::unit::{Task, Unit};
use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Arc;

/// A report that was written with the start of its stage is not older than it, though clocks differ a little.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(5);

/// Which run is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunChoice {
    /// The newest run whose extract has finished.
    Latest,
    /// This one.
    Id(RunId),
}

impl FromStr for RunChoice {
    type Err = <RunId as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" { Ok(Self::Latest) } else { RunId::asked_for(text).map(Self::Id) }
    }
}

/// What a run is to do; the default is everything that the pipeline file names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Only this stage.
    pub only: Option<Stage>,
    /// The run to load, to begin or to go on with; `None`: the latest (load alone) or a new one.
    pub run_id: Option<RunChoice>,
    /// Only these sources; empty: all.
    pub sources: Vec<String>,
    /// Only these accounts; empty: all.
    pub accounts: Vec<String>,
    /// Only these streams; empty: all.
    pub streams: Vec<String>,
    /// Extract everything, whatever the checkpoints say.
    pub full_refresh: bool,
    /// Backfill of a range: start (included) and end.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Load a snapshot however many rows it deletes.
    pub allow_mass_delete: bool,
    /// Load a batch that is older than the last one applied.
    pub force: bool,
    /// Write every row of the batch anew.
    pub rewrite: bool,
    /// Let a stream write rows that another one has written so far.
    pub take_over: bool,
    /// Wait for another run instead of refusing.
    pub wait: bool,
    /// Extract tasks; `None`: as the pipeline file says, or 1.
    pub extract_tasks: Option<usize>,
}

impl RunOptions {
    pub(crate) fn loads_latest(&self) -> bool {
        self.only == Some(Stage::Load) && !matches!(self.run_id, Some(RunChoice::Id(_)))
    }

    fn stages(&self) -> Vec<Stage> {
        self.only.map_or_else(|| Stage::FIRST.to_vec(), |stage| vec![stage])
    }

    fn selects(&self, unit: &Unit) -> bool {
        let picks = |filter: &[String], name: &String| filter.is_empty() || filter.contains(name);
        picks(&self.sources, &unit.source) && picks(&self.accounts, &unit.account) && picks(&self.streams, &unit.stream)
    }

    pub(crate) fn tasks(&self, stage: Stage, pipeline: &Pipeline) -> usize {
        let orchestrator = &pipeline.orchestrator;
        let tasks = match (&orchestrator.launcher, stage.job()) {
            (LauncherEntry::Map(map), Stage::Extract) => self.extract_tasks.or(map.cloud_run.extract_tasks),
            (LauncherEntry::Kind(_), Stage::Extract) => self.extract_tasks.or(orchestrator.extract_tasks),
            // DuckDB takes one writing process.
            (LauncherEntry::Map(map), Stage::Load) if matches!(pipeline.warehouse, WarehouseEntry::Bigquery { .. }) => {
                map.cloud_run.load_tasks
            }
            _ => None,
        };
        tasks.unwrap_or(1).max(1)
    }
}

/// Runs a pipeline once and tells what came of it; units that failed are in the summary.
///
/// # Errors
/// Nothing was begun: filters that name nothing, a landing zone out of reach, another run that holds the lease, a missing program.
/// Or a job could not be started at all. No lease is held any more, and no job runs, unless the error says that one still does.
pub async fn run(
    pipeline: &Pipeline,
    options: &RunOptions,
    launcher: &dyn Launcher,
    shutdown: &Shutdown,
) -> Result<RunSummary, RunError> {
    begin(pipeline, options, launcher, shutdown).await?.finish().await
}

/// Chooses the run and takes its lease; waits for another run only if the options say so.
///
/// # Errors
/// As of [`run`], as long as nothing is begun.
pub(crate) async fn begin<'a>(
    pipeline: &'a Pipeline,
    options: &'a RunOptions,
    launcher: &'a dyn Launcher,
    shutdown: &'a Shutdown,
) -> Result<Begun<'a>, RunError> {
    pipeline.select(&options.sources, &options.accounts).map_err(RunError::Usage)?;
    let landing = landing::open(&pipeline.landing)?;
    launcher.prepare(&options.stages()).await?;
    let lease::Begun { run_id, lease, since } = lease::begin(&landing, options, launcher, shutdown).await?;
    Ok(Begun { running: Running { pipeline, options, launcher, shutdown, landing, run_id, since }, lease })
}

/// A run that holds the lease and has not done anything yet. It must be finished: only that gives the lease back.
#[must_use]
pub(crate) struct Begun<'a> {
    running: Running<'a>,
    lease: RunLease,
}

impl Begun<'_> {
    /// The run.
    pub(crate) fn run_id(&self) -> &RunId {
        &self.running.run_id
    }

    /// Runs the stages and gives the lease back, or leaves it to the tasks that go on running.
    ///
    /// # Errors
    /// A job could not be started at all.
    pub(crate) async fn finish(self) -> Result<RunSummary, RunError> {
        let Self { running, lease } = self;
        let (result, goes_on) = running.stages().await;
        if goes_on {
            lease.leave().await;
        } else {
            let is_finished = |summary: &RunSummary| matches!(summary.exit(), Exit::Done | Exit::SomeFailed);
            if result.as_ref().is_ok_and(is_finished) && !running.shutdown.is_requested() {
                prune::after_run(running.pipeline).await;
            }
            lease.release().await;
        }
        result
    }
}

/// What a run works with.
struct Running<'a> {
    pipeline: &'a Pipeline,
    options: &'a RunOptions,
    launcher: &'a dyn Launcher,
    shutdown: &'a Shutdown,
    landing: Arc<dyn Landing>,
    run_id: RunId,
    /// Since when its order stands, if that was an orchestrator's that has died.
    since: Option<DateTime<Utc>>,
}

impl Running<'_> {
    /// All stages, and whether tasks of the run go on running.
    async fn stages(&self) -> (Result<RunSummary, RunError>, bool) {
        let started_at = Utc::now();
        let mut results = Vec::new();
        let (mut not_started, mut goes_on) = (None, false);
        let mut stages: VecDeque<Stage> = self.options.stages().into();
        while let Some(stage) = stages.pop_front() {
            if let Some(reason) = self.shutdown.reason() {
                not_started = Some((stage, reason));
                break;
            }
            let result = match self.stage(stage).await {
                Ok(result) => result,
                Err(error) => {
                    goes_on |= error.leaves_tasks();
                    if results.is_empty() {
                        return (Err(error.into()), goes_on);
                    }
                    // What the stage before has done is worth a summary.
                    StageResult::not_begun(stage, &error)
                }
            };
            goes_on |= result.end.left_running.is_some();
            let is_next = matches!(result.exit, Exit::Done | Exit::SomeFailed);
            if stage == Stage::Load && self.options.only.is_none() && !goes_on && self.awaits_confirmation(&result) {
                stages.extend(Stage::CONFIRM);
            }
            results.push(result);
            if !is_next {
                break;
            }
        }
        (Ok(self.summary(results, not_started, started_at).await), goes_on)
    }

    /// Whether rows are missing that this run itself is to look for once more.
    fn awaits_confirmation(&self, load: &StageResult) -> bool {
        let is_awaited = |unit: &&UnitReport| {
            unit.rows_suspected > 0
                && self.pipeline.confirm_deletes(&unit.source, &unit.stream) == ConfirmDeletes::SameRun
        };
        let awaited: Vec<&UnitReport> = load.units().filter(is_awaited).collect();
        if !awaited.is_empty() {
            let rows: u64 = awaited.iter().map(|unit| unit.rows_suspected).fold(0, u64::saturating_add);
            tracing::info!(run_id = %self.run_id, rows, streams = awaited.len(), "rows are missing: their streams are read once more before any is marked as deleted");
        }
        !awaited.is_empty()
    }

    async fn summary(
        &self,
        results: Vec<StageResult>,
        not_started: Option<(Stage, String)>,
        started_at: DateTime<Utc>,
    ) -> RunSummary {
        let mut results = results.into_iter().peekable();
        let ran = Ran {
            run_id: self.run_id.clone(),
            pipeline: self.pipeline.name.clone(),
            only: self.options.only,
            again: join_again(&self.pipeline.name, &self.run_id, self.options),
            planned: self.planned().await,
            extract: results.next_if(|result| result.stage == Stage::Extract),
            load: results.next_if(|result| result.stage == Stage::Load),
            confirm_extract: results.next(),
            confirm_load: results.next(),
            not_started,
            started_at,
            finished_at: Utc::now(),
        };
        RunSummary::of(ran)
    }

    async fn stage(&self, stage: Stage) -> Result<StageResult, LaunchError> {
        let tasks = self.options.tasks(stage, self.pipeline);
        let order = StageOrder {
            stage,
            run_id: self.run_id.clone(),
            tasks,
            arguments: stage_arguments(stage, &self.pipeline.name, &self.run_id, self.options),
            since: self.since,
        };
        tracing::info!(run_id = %self.run_id, tasks, "{stage} starts");
        let before = self.reports(&order, tasks).await;
        let end = self.launcher.run_stage(&order, self.shutdown).await?;
        // Tasks that were started by an earlier orchestrator may be more or fewer.
        let tasks = if end.tasks.is_empty() { tasks } else { end.tasks.len() };
        let after = self.reports(&order, tasks).await;
        let reports: Vec<TaskReport> = match end.joined {
            // The stage may have ended long ago, so its reports may have been there before.
            Some(start) => {
                let of_start = |report: &RunReport| report.finished_at >= start - CLOCKS_DIFFER;
                after.into_iter().map(|report| report.map(|report| report.filter(of_start))).collect()
            }
            // A report that was there before and has not changed is another attempt's: this task did not get to write one.
            None => {
                let before = before.into_iter().map(|report| report.ok().flatten());
                let is_new = |(before, after): (Option<RunReport>, TaskReport)| {
                    after.map(|report| report.filter(|report| before.as_ref() != Some(report)))
                };
                before.zip(after).map(is_new).collect()
            }
        };
        let exit = stage_exit(&end, &reports);
        tracing::info!(run_id = %self.run_id, exit_code = exit.code(), "{stage} has ended");
        Ok(StageResult { stage, end, reports, exit })
    }

    async fn reports(&self, order: &StageOrder, tasks: usize) -> Vec<TaskReport> {
        let mut reports = Vec::with_capacity(tasks);
        for index in 0..tasks {
            let task = Task { index, count: tasks };
            let (round, stage) = (order.stage.round_of(&order.run_id), order.stage.job());
            reports.push(stored::read_report(self.landing.as_ref(), &round, stage.as_str(), task).await);
        }
        reports
    }

    /// The units that the extract was to do. A load alone is not measured by it: it may take a part of the run.
    async fn planned(&self) -> Vec<Unit> {
        if self.options.only == Some(Stage::Load) {
            return Vec::new();
        }
        match stored::read::<Plan>(self.landing.as_ref(), &paths::plan(&self.run_id)).await {
            Ok(plan) => {
                plan.into_iter().flat_map(|plan| plan.units).filter(|unit| self.options.selects(unit)).collect()
            }
            Err(error) => {
                tracing::warn!(%error, "failed to read the run's plan; units that were never begun are not listed");
                Vec::new()
            }
        }
    }
}
