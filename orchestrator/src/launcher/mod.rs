//! Starting a stage somewhere and waiting for it: processes on this machine now, Cloud Run Jobs by the same trait.
//! A launcher knows nothing of units, batches or reports; it starts tasks and tells how each ended.

pub(crate) mod local;

use crate::error::RunError;
use crate::stage::Stage;
use async_trait::async_trait;
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

/// A stage that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageEnd {
    /// Every task, by index.
    pub tasks: Vec<TaskEnd>,
    /// Why the tasks were told to stop, if they were.
    pub interrupted: Option<String>,
}

/// Why a job could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The program is not where it should be.
    #[error("the program {program} is not in {folder}")]
    Missing {
        /// Its name.
        program: &'static str,
        /// Where it was looked for.
        folder: String,
    },
    /// The system refuses to start it.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Its path.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// This program's own place is unknown, so the jobs beside it cannot be found.
    #[error("cannot find the folder of this program: {0}")]
    Homeless(#[source] std::io::Error),
}

impl LaunchError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "build all three programs (`cargo build --release`), or name their folder in DRAYAGE_BIN_DIR".into(),
            ),
            Self::Homeless(_) => Some("name the folder of the programs in DRAYAGE_BIN_DIR".into()),
            Self::Start { .. } => None,
        }
    }
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
/// - Once `shutdown` is raised, the tasks are told to stop (SIGTERM; Cloud Run: cancel the execution), have
///   [`contract::shutdown::GRACE_SECONDS`] to end cleanly and write their reports, and are killed then.
/// - Exit codes are handed back as they are. A launcher that learns only "failed" hands back 1: the reports tell the rest.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Makes sure that the stages can be started, before the first one is: a load that cannot begin is better known before the extract.
    ///
    /// # Errors
    /// A job that is not there.
    async fn prepare(&self, stages: &[Stage]) -> Result<(), LaunchError>;

    /// Starts a stage's tasks and waits until the last one has ended.
    ///
    /// # Errors
    /// A task that could not be started; no other one runs any more then.
    async fn run_stage(&self, order: &StageOrder, shutdown: &Shutdown) -> Result<StageEnd, LaunchError>;
}

/// The launcher that the pipeline file asks for.
///
/// # Errors
/// A launcher that is not supported yet, or programs that cannot be found.
pub(crate) fn choose(pipeline: &Pipeline) -> Result<Box<dyn Launcher>, RunError> {
    match pipeline.orchestrator.launcher {
        LauncherEntry::Kind(LauncherKind::Local) => Ok(Box::new(local::LocalLauncher::from_environment(Vec::new())?)),
        LauncherEntry::Map(_) => Err(RunError::NotYet("`orchestrator.launcher: cloud_run`", "use `launcher: local`")),
    }
}
