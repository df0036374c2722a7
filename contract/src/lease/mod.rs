//! The lease in the landing zone that keeps two runs of one pipeline from overlapping.
//! Created only if none is there, renewed while the run lives, expired 60 s after its last renewal; one whose holder is proven dead is taken
//! over at once, as soon as the jobs that worked under it on the same machine are gone too.
//! The tasks of a run keep its lease alive when their orchestrator no longer does.

mod claim;
mod holder;
mod renewal;

pub use holder::Holder;

use crate::landing::{Landing, LandingError, Version, paths};
use crate::run_id::RunId;
use crate::shutdown::Shutdown;
use crate::stored::{self, StoredError};
use crate::tether;
use chrono::{DateTime, Utc};
use claim::{Claim, SameRun};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Seconds after the last renewal at which a lease is nobody's.
pub const EXPIRES_AFTER_SECONDS: i64 = 60;
/// Why a run stops whose lease another run holds now. Any other loss of the lease need not mean that another run is at work.
pub const LOST_TO_ANOTHER: &str = "the loss of its lease to another run";
const WAIT_STEP: Duration = Duration::from_secs(1);
/// How long a claim that is under way may still take once work is to stop: one that is cut off can leave a lease behind.
const STOP_TAKES: Duration = Duration::from_secs(2);

/// `runs/lease.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseFile {
    /// The run that is going on.
    pub run_id: RunId,
    /// Its holder.
    pub holder: Holder,
    /// Since when.
    pub acquired_at: DateTime<Utc>,
    /// Last sign of life.
    pub renewed_at: DateTime<Utc>,
    /// The Cloud Run execution of the process that took it: an orchestrator that is started again there knows its run by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The jobs of the run that end with the holder: all of them must be gone before another run takes the lease over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Holder>,
}

impl LeaseFile {
    /// A lease that is taken now.
    fn new(run_id: &RunId, holder: &Holder) -> Self {
        let (now, execution) = (Utc::now(), std::env::var("CLOUD_RUN_EXECUTION").ok().filter(|name| !name.is_empty()));
        let (run_id, holder) = (run_id.clone(), holder.clone());
        Self { run_id, holder, acquired_at: now, renewed_at: now, execution, jobs: Vec::new() }
    }

    /// Seconds since the last sign of life. It is another machine's clock that told it: one that is ahead counts as now.
    pub fn age_seconds(&self) -> i64 {
        (Utc::now() - self.renewed_at).num_seconds().max(0)
    }
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run is going on.
    #[error(
        "run {run_id} is going on: its lease is held by {program} (process {pid} on {host}), last renewed {age} s ago; \
         wait for it, or start with --wait"
    )]
    Held {
        /// The other run.
        run_id: RunId,
        /// The other program.
        program: String,
        /// Its process.
        pid: u32,
        /// Its machine.
        host: String,
        /// Seconds since its last sign of life.
        age: i64,
    },
    /// The run's orchestrator has died, but one of its jobs has not ended.
    #[error(
        "run {run_id} has lost its orchestrator, but its {program} (process {pid} on this machine) has not ended yet; \
         it ends within a second unless it is stopped or waits for a disk: look with `ps -p {pid}`, end it with `kill -9 {pid}`"
    )]
    JobLeft {
        /// The other run.
        run_id: RunId,
        /// The job.
        program: String,
        /// Its process.
        pid: u32,
    },
    /// The landing zone or the file in it.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// Told to stop while waiting.
    #[error("stopped by {0} while waiting for the lease")]
    Stopped(String),
}

impl From<LandingError> for LeaseError {
    fn from(error: LandingError) -> Self {
        Self::Stored(error.into())
    }
}

impl LeaseError {
    fn held(file: LeaseFile) -> Self {
        let age = file.age_seconds();
        let Holder { program, host, pid, .. } = file.holder;
        Self::Held { run_id: file.run_id, program, pid, host, age }
    }

    /// The run that is in the way, if that is all that is wrong: it will be over some time.
    pub fn other_run(&self) -> Option<&RunId> {
        match self {
            Self::Held { run_id, .. } | Self::JobLeft { run_id, .. } => Some(run_id),
            Self::Stored(_) | Self::Stopped(_) => None,
        }
    }
}

/// A lease that is held; call [`Lease::release`] at the end.
#[derive(Debug)]
pub struct Lease {
    landing: Arc<dyn Landing>,
    run_id: RunId,
    holder: Holder,
    owned: bool,
    renewal: JoinHandle<()>,
}

/// A lease that is dropped is renewed no more, and expires.
impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Lease {
    /// Takes the lease for a run, or joins it when it is the same run's already (the jobs of an orchestrated run).
    /// With `wait`, waits until the other run is over. A lease that is lost raises `shutdown`.
    ///
    /// # Errors
    /// Another run holds it, or the landing zone refuses.
    pub async fn take(
        landing: Arc<dyn Landing>,
        run_id: &RunId,
        program: &str,
        wait: bool,
        shutdown: &Shutdown,
    ) -> Result<Self, LeaseError> {
        Self::claim(landing, run_id, program, SameRun::Joins, wait, shutdown).await
    }

    /// Takes the lease for a run that no other process may be at work on, not even under the same id.
    ///
    /// # Errors
    /// Any run holds it, or the landing zone refuses.
    pub async fn take_alone(
        landing: Arc<dyn Landing>,
        run_id: &RunId,
        program: &str,
        shutdown: &Shutdown,
    ) -> Result<Self, LeaseError> {
        Self::claim(landing, run_id, program, SameRun::IsAnother, false, shutdown).await
    }

    async fn claim(
        landing: Arc<dyn Landing>,
        run_id: &RunId,
        program: &str,
        same_run: SameRun,
        wait: bool,
        shutdown: &Shutdown,
    ) -> Result<Self, LeaseError> {
        let holder = Holder::this_process(program);
        let owned = loop {
            let claim = Claim { landing: landing.as_ref(), run_id, holder: &holder, same_run, shutdown };
            match stoppable(claim.make(), shutdown).await {
                Err(error) if wait && error.other_run().is_some() => pause(WAIT_STEP, shutdown).await?,
                other => break other?,
            }
        };
        let renewal = renewal::keep(landing.clone(), run_id.clone(), holder.clone(), shutdown.clone());
        let lease = Self { landing, run_id: run_id.clone(), holder, owned, renewal: tokio::spawn(renewal) };
        // The orchestrator may have died before this job was noted under its lease; whoever has the lease now knows nothing of it.
        if tether::is_cut() {
            lease.release().await?;
            return Err(LeaseError::Stopped(tether::ORCHESTRATOR_GONE.into()));
        }
        Ok(lease)
    }

    /// Gives the lease back, if this process was the one that took it.
    ///
    /// # Errors
    /// The landing zone refuses; the lease then expires by itself.
    pub async fn release(self) -> Result<(), LeaseError> {
        self.renewal.abort();
        if !self.owned {
            return Ok(());
        }
        match read(self.landing.as_ref()).await? {
            Some((file, version)) if file.run_id == self.run_id && file.holder == self.holder => {
                Ok(self.landing.delete(paths::LEASE, &version).await?)
            }
            _ => Ok(()),
        }
    }
}

/// Lets a claim that is under way come to its end when work is to stop, but not for long: it may wait for a lock that nobody gives back.
async fn stoppable(
    claim: impl Future<Output = Result<bool, LeaseError>>,
    shutdown: &Shutdown,
) -> Result<bool, LeaseError> {
    let mut claim = std::pin::pin!(claim);
    let reason = tokio::select! {
        claimed = &mut claim => return claimed,
        reason = shutdown.requested() => reason,
    };
    tokio::time::timeout(STOP_TAKES, claim).await.unwrap_or(Err(LeaseError::Stopped(reason)))
}

/// Waits, unless work is to stop.
async fn pause(time: Duration, shutdown: &Shutdown) -> Result<(), LeaseError> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        reason = shutdown.requested() => Err(LeaseError::Stopped(reason)),
    }
}

/// The lease that is there, if any.
///
/// # Errors
/// The landing zone refuses or the file is broken.
pub async fn current(landing: &dyn Landing) -> Result<Option<LeaseFile>, LeaseError> {
    Ok(read(landing).await?.map(|(file, _)| file))
}

async fn read(landing: &dyn Landing) -> Result<Option<(LeaseFile, Version)>, LeaseError> {
    match find(landing).await? {
        Found::Nothing => Ok(None),
        Found::Lease(file, version) => Ok(Some((file, version))),
        Found::Broken(error, _) => Err(error),
    }
}

/// What lies where the lease is kept.
enum Found {
    Nothing,
    Lease(LeaseFile, Version),
    /// It cannot be read: damaged by a disk or a person (the zone itself writes it whole), or of another version of this program.
    Broken(LeaseError, Version),
}

async fn find(landing: &dyn Landing) -> Result<Found, LeaseError> {
    let Some(object) = landing.get(paths::LEASE).await? else { return Ok(Found::Nothing) };
    Ok(match serde_json::from_slice(&object.bytes) {
        Ok(file) => Found::Lease(file, object.version),
        Err(error) => Found::Broken(StoredError::malformed(landing, paths::LEASE, error).into(), object.version),
    })
}

async fn write(landing: &dyn Landing, file: &LeaseFile, mode: crate::landing::PutMode) -> Result<(), LeaseError> {
    Ok(landing.put(paths::LEASE, stored::encode(paths::LEASE, file)?, mode).await?)
}
