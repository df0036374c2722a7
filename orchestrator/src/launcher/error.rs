//! Why a stage could not be started, with what to do about it.
//! Messages name jobs, runs and places; never an argument's value.

use crate::stage::Stage;
use contract::google::{CallError, EndpointError};
use contract::landing::LandingError;
use contract::run_id::RunId;
use contract::stored::StoredError;

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
    /// The system does not start it.
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
    /// The endpoint of Cloud Run that the environment names is none.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Cloud Run refuses, or is out of reach; nothing was started.
    #[error("cannot {what}: {source}")]
    CloudRun {
        /// What was to be done, with the job, its project and its region.
        what: String,
        /// What Cloud Run said.
        #[source]
        source: Box<CallError>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The note of what was started cannot be read or written; nothing was started.
    #[error("the landing zone cannot be used: {0}")]
    Record(#[from] StoredError),
    /// Tasks of the run are at work that were started for another order.
    #[error(
        "run {run_id} is still running in Cloud Run: its {stage} is execution {execution}, started with other options"
    )]
    StillRunning {
        /// The run.
        run_id: RunId,
        /// Which stage runs.
        stage: Stage,
        /// The execution's short name.
        execution: String,
        /// How to watch and to cancel it.
        how: String,
    },
    /// It is open whether a start took effect, and Cloud Run does not tell.
    #[error("whether the {stage} of run {run_id} was started is not known: {source}")]
    Unknown {
        /// The run.
        run_id: RunId,
        /// The stage.
        stage: Stage,
        /// The job's short name.
        job: String,
        /// Why it cannot be found out.
        #[source]
        source: Box<CallError>,
    },
    /// Another orchestrator has begun to start the same stage of the same run.
    #[error("another orchestrator has taken over the {stage} of run {run_id}")]
    Overtaken {
        /// The run.
        run_id: RunId,
        /// The stage.
        stage: Stage,
    },
}

impl From<LandingError> for LaunchError {
    fn from(error: LandingError) -> Self {
        Self::Record(error.into())
    }
}

impl LaunchError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "build all three programs (`cargo build --release`), or name their folder in DRAYAGE_BIN_DIR".into(),
            ),
            Self::Homeless(_) => Some("name the folder of the programs in DRAYAGE_BIN_DIR".into()),
            Self::CloudRun { hint, .. } => hint.clone(),
            Self::StillRunning { how, .. } => Some(format!("wait for it, or start with --wait; {how}")),
            Self::Unknown { job, .. } => Some(format!(
                "see `gcloud run jobs executions list --job {job}`; the orchestrator's account needs roles/run.viewer"
            )),
            Self::Start { .. } | Self::Endpoint(_) | Self::Record(_) | Self::Overtaken { .. } => None,
        }
    }

    /// Whether tasks of the run are at work all the same: its lease is theirs then.
    pub fn leaves_tasks(&self) -> bool {
        matches!(self, Self::StillRunning { .. } | Self::Unknown { .. } | Self::Overtaken { .. })
    }
}
