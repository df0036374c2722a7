//! One run: lease, extract, load, in this order; what landed is loaded even if other units failed (design, sections 4 and 8).
//! The lease is given back in every way out.

use crate::arguments::stage_arguments;
use crate::error::RunError;
use crate::launcher::{LaunchError, Launcher, StageOrder};
use crate::lease;
use crate::outcome::{StageResult, stage_exit};
use crate::stage::Stage;
use crate::summary::{Ran, RunSummary};
use chrono::{DateTime, Utc};
use contract::exit::Exit;
use contract::landing::{self, Landing, paths};
use contract::pipeline::Pipeline;
use contract::report::{Plan, RunReport};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::{self, StoredError};
use contract::unit::{Task, Unit};
use std::str::FromStr;
use std::sync::Arc;

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
        if text == "latest" { Ok(Self::Latest) } else { text.parse().map(Self::Id) }
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
        self.only.map_or_else(|| Stage::ALL.to_vec(), |stage| vec![stage])
    }

    fn selects(&self, unit: &Unit) -> bool {
        let picks = |filter: &[String], name: &String| filter.is_empty() || filter.contains(name);
        picks(&self.sources, &unit.source) && picks(&self.accounts, &unit.account) && picks(&self.streams, &unit.stream)
    }

    fn tasks(&self, stage: Stage, pipeline: &Pipeline) -> usize {
        match stage {
            Stage::Extract => self.extract_tasks.or(pipeline.orchestrator.extract_tasks).unwrap_or(1).max(1),
            // DuckDB takes one writing process, and it is the only warehouse so far.
            Stage::Load => 1,
        }
    }
}

/// Runs a pipeline once and tells what came of it; units that failed are in the summary.
///
/// # Errors
/// Nothing was begun: filters that name nothing, a landing zone out of reach, another run that holds the lease, a missing program.
/// Or a job could not be started at all. No lease is held any more, and no job runs.
pub async fn run(
    pipeline: &Pipeline,
    options: &RunOptions,
    launcher: &dyn Launcher,
    shutdown: &Shutdown,
) -> Result<RunSummary, RunError> {
    pipeline.select(&options.sources, &options.accounts).map_err(RunError::Usage)?;
    let landing = landing::open(&pipeline.landing)?;
    launcher.prepare(&options.stages()).await?;
    let (run_id, lease) = lease::begin(&landing, options, shutdown).await?;
    let running = Running { pipeline, options, launcher, shutdown, landing, run_id };
    let result = running.stages().await;
    lease::release(lease).await;
    result
}

/// A run that holds the lease.
struct Running<'a> {
    pipeline: &'a Pipeline,
    options: &'a RunOptions,
    launcher: &'a dyn Launcher,
    shutdown: &'a Shutdown,
    landing: Arc<dyn Landing>,
    run_id: RunId,
}

impl Running<'_> {
    async fn stages(&self) -> Result<RunSummary, RunError> {
        let started_at = Utc::now();
        let mut results = Vec::new();
        let mut not_started = None;
        for stage in self.options.stages() {
            if let Some(reason) = self.shutdown.reason() {
                not_started = Some((stage, reason));
                break;
            }
            let result = match self.stage(stage).await {
                // What the stage before has done is worth a summary.
                Err(error) if !results.is_empty() => StageResult::not_begun(stage, &error),
                result => result?,
            };
            let goes_on = matches!(result.exit, Exit::Done | Exit::SomeFailed);
            results.push(result);
            if !goes_on {
                break;
            }
        }
        let mut results = results.into_iter().peekable();
        let ran = Ran {
            run_id: self.run_id.clone(),
            pipeline: self.pipeline.name.clone(),
            only: self.options.only,
            planned: self.planned().await,
            extract: results.next_if(|result| result.stage == Stage::Extract),
            load: results.next(),
            not_started,
            started_at,
            finished_at: Utc::now(),
        };
        Ok(RunSummary::of(ran))
    }

    async fn stage(&self, stage: Stage) -> Result<StageResult, LaunchError> {
        let tasks = self.options.tasks(stage, self.pipeline);
        let order = StageOrder {
            stage,
            run_id: self.run_id.clone(),
            tasks,
            arguments: stage_arguments(stage, &self.pipeline.name, &self.run_id, self.options),
        };
        tracing::info!(run_id = %self.run_id, tasks, "{stage} starts");
        let before = self.reports(&order).await;
        let end = self.launcher.run_stage(&order, self.shutdown).await?;
        let mut reports = Vec::with_capacity(tasks);
        // A report that was there before and has not changed is another attempt's: this task did not get to write one.
        for (before, after) in before.into_iter().zip(self.reports(&order).await) {
            let before = before.ok().flatten();
            reports.push(after.map(|report| report.filter(|report| before.as_ref() != Some(report))));
        }
        let exit = stage_exit(&end, &reports);
        tracing::info!(run_id = %self.run_id, exit_code = exit.code(), "{stage} has ended");
        Ok(StageResult { stage, end, reports, exit })
    }

    async fn reports(&self, order: &StageOrder) -> Vec<Result<Option<RunReport>, StoredError>> {
        let mut reports = Vec::with_capacity(order.tasks);
        for index in 0..order.tasks {
            let task = Task { index, count: order.tasks };
            reports.push(stored::read_report(self.landing.as_ref(), &order.run_id, order.stage.as_str(), task).await);
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
