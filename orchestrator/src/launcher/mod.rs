//! Starting a stage somewhere and waiting for it: processes on this machine, or Cloud Run Jobs.
//! A launcher knows nothing of units, batches or reports; it starts tasks and tells how each ended.

pub(crate) mod ask;
pub(crate) mod cloud_run;
mod error;
pub(crate) mod local;
pub(crate) mod record;
pub(crate) mod terminate;

pub use error::LaunchError;

use crate::error::RunError;
use crate::stage::Stage;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contract::landing;
use contract::pipeline::{LauncherEntry, LauncherKind, Pipeline};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use std::fmt;

/// One stage to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageOrder {
    /// Which.
    pub stage: Stage,
    /// Of which run.
    pub run_id: RunId,
    /// Into how many tasks it is divided; at least 1.
    pub tasks: usize,
    /// The job's command line, the same for every task.
    pub arguments: Vec<String>,
    /// When this goes on with an order whose orchestrator has died: since when that order stood. What a start of the stage since then has
    /// come to is taken as its end. Otherwise the stage is wanted now, and only a start that still runs is joined.
    pub since: Option<DateTime<Utc>>,
}

/// How one task's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskExit {
    /// With an exit code.
    Code(i32),
    /// Killed by a signal.
    Signal(i32),
}

impl fmt::Display for TaskExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(signal) => {
                let name = match signal {
                    2 => " (SIGINT)",
                    4 => " (SIGILL)",
                    6 => " (SIGABRT)",
                    9 => " (SIGKILL)",
                    11 => " (SIGSEGV)",
                    15 => " (SIGTERM)",
                    _ => "",
                };
                write!(f, "was killed by signal {signal}{name}")
            }
        }
    }
}

/// One task that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEnd {
    /// From 0.
    pub index: usize,
    /// How its process ended.
    pub exit: TaskExit,
    /// The last errors that it logged, oldest first; empty if all went well.
    pub said: Vec<String>,
}

/// A stage that has ended, or that is left running.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageEnd {
    /// Every task, by index. Empty if none was started, or if they go on running.
    pub tasks: Vec<TaskEnd>,
    /// Why the tasks were told to stop, or why nobody waits for them any more.
    pub interrupted: Option<String>,
    /// The tasks go on running without this process: what runs where, and how to watch and to cancel it. The lease is theirs then.
    pub left_running: Option<String>,
    /// What is wrong with the stage as a whole, in words.
    pub remarks: Vec<String>,
    /// The tasks were started by an earlier orchestrator at this time: reports that were there before count, if they are not older.
    pub joined: Option<DateTime<Utc>>,
}

/// How far a stage has come that any orchestrator has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was never started, or the start has not taken effect.
    NotStarted,
    /// Its tasks run, or wait to; with their name.
    Running(String),
    /// Its tasks have ended, well or not.
    Ended,
}

/// The execution of a Cloud Run Job that this orchestrator is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnExecution {
    /// Its short name.
    pub name: String,
    /// From 0; Cloud Run never runs two attempts at once.
    pub attempt: u32,
}

/// Runs the two jobs.
///
/// What every launcher keeps (a Cloud Run launcher too):
/// - Every task of a stage gets the order's arguments as they are, `CLOUD_RUN_TASK_INDEX` from 0, `CLOUD_RUN_TASK_COUNT`, and
///   `DRAYAGE_RUN_ID`; the index and the count decide which units a task takes, so they must be right.
/// - Settings of the orchestrator's own environment do not reach the jobs by accident: they get them as arguments or not at all.
/// - [`Launcher::run_stage`] returns only when no task runs any more. The caller gives the lease back after that, and another run
///   may begin. A launcher that cannot be sure (the API is out of reach) goes on asking.
/// - A task's failure stops no other task. A task that is tried again skips what is complete, so retries are allowed.
/// - Once `shutdown` is raised, tasks that end with this process are told to stop (SIGTERM), have [`contract::shutdown::GRACE_SECONDS`]
///   to end cleanly and write their reports, and are killed then.
/// - Tasks that outlive this process ([`Launcher::outlives`]) are left alone when it is told to stop: it may be about to be started
///   again somewhere else. The launcher stops waiting and says what still runs ([`StageEnd::left_running`]). Only when the lease is
///   lost, or the stage's deadline is over, it stops them and waits for their end.
/// - Exit codes are handed back as they are. A launcher that learns only "failed" hands back 1: the reports tell the rest.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Makes sure that the stages can be started, before the first one is: a load that cannot begin is better known before the extract.
    ///
    /// # Errors
    /// A job that is not there.
    async fn prepare(&self, stages: &[Stage]) -> Result<(), LaunchError>;

    /// Starts a stage's tasks and waits until the last one has ended. Tasks of the same stage and run that outlived their orchestrator
    /// are never started a second time: they are waited for.
    ///
    /// # Errors
    /// A task that could not be started; no other one runs any more then, unless the error says so ([`LaunchError::leaves_tasks`]).
    async fn run_stage(&self, order: &StageOrder, shutdown: &Shutdown) -> Result<StageEnd, LaunchError>;

    /// Whether tasks go on running when this process ends.
    fn outlives(&self) -> bool {
        false
    }

    /// How far a stage of a run has come; a start from before `since` counts only while it runs. Tasks that end with their orchestrator
    /// were never started by another one.
    ///
    /// # Errors
    /// It cannot be found out.
    async fn standing(
        &self,
        _run_id: &RunId,
        _stage: Stage,
        _since: Option<DateTime<Utc>>,
    ) -> Result<Standing, LaunchError> {
        Ok(Standing::NotStarted)
    }

    /// The execution that this orchestrator is, if its retries are to go on with its run.
    fn own_execution(&self) -> Option<&OwnExecution> {
        None
    }
}

/// The launcher that the pipeline file asks for.
///
/// # Errors
/// Settings that do not go together, a landing zone that cannot be opened, or programs that cannot be found.
pub(crate) fn choose(pipeline: &Pipeline) -> Result<Box<dyn Launcher>, RunError> {
    match &pipeline.orchestrator.launcher {
        LauncherEntry::Kind(LauncherKind::Local) => {
            let launcher = local::LocalLauncher::from_environment(Vec::new())?;
            Ok(Box::new(launcher.hiding_from_load(pipeline.source_variables())))
        }
        LauncherEntry::Map(map) => {
            cloud_run::check(pipeline, &map.cloud_run).map_err(RunError::Usage)?;
            let landing = landing::open(&pipeline.landing)?;
            Ok(Box::new(cloud_run::CloudRunLauncher::from_environment(&map.cloud_run, landing)?))
        }
    }
}
