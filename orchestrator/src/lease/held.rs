//! The lease as an orchestrator holds it: taken, joined, seized from a run's own tasks or its dead orchestrator, given back, or left to
//! the tasks that go on without it.

use super::PROGRAM;
use chrono::Utc;
use contract::landing::{Landing, LandingError, PutMode, Version, paths};
use contract::lease::{Holder, Lease, LeaseError, LeaseFile};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::StoredError;
use std::sync::Arc;

/// The holder's program once an orchestrator has left its tasks alone: whoever goes on with the run may take the lease.
const LEFT: &str = "orchestrator (has left)";
/// How often a write is tried again because someone else wrote in between.
const TRIES: usize = 20;

/// A lease that this process renews.
#[derive(Debug)]
pub(crate) struct RunLease {
    lease: Lease,
    landing: Arc<dyn Landing>,
    run_id: RunId,
    /// It was another holder's; [`Lease`] does not give back what it has joined.
    is_seized: bool,
}

/// Whose the lease is that was taken.
#[derive(Debug)]
pub(crate) enum Taken {
    /// This process's: nobody held it, or a holder that is dead.
    Ours,
    /// The same run's, held by someone who lives.
    Joined(LeaseFile),
}

impl RunLease {
    /// Takes the lease for a run, or joins it.
    ///
    /// # Errors
    /// Another run holds it, or the landing zone refuses.
    pub(crate) async fn take(
        landing: &Arc<dyn Landing>,
        run_id: &RunId,
        shutdown: &Shutdown,
    ) -> Result<(Self, Taken), LeaseError> {
        let lease = Lease::take(landing.clone(), run_id, PROGRAM, false, shutdown).await?;
        let lease = Self { lease, landing: landing.clone(), run_id: run_id.clone(), is_seized: false };
        match read(landing.as_ref()).await {
            Ok(Some((file, _))) if file.holder != Holder::this_process(PROGRAM) => Ok((lease, Taken::Joined(file))),
            Ok(_) => Ok((lease, Taken::Ours)),
            Err(error) => {
                lease.release().await;
                Err(error)
            }
        }
    }

    /// Takes the lease for a run that no other orchestrator may be at work on, not even under the same id.
    ///
    /// # Errors
    /// Any run holds it, or the landing zone refuses.
    pub(crate) async fn take_alone(
        landing: &Arc<dyn Landing>,
        run_id: &RunId,
        shutdown: &Shutdown,
    ) -> Result<Self, LeaseError> {
        let lease = Lease::take_alone(landing.clone(), run_id, PROGRAM, shutdown).await?;
        Ok(Self { lease, landing: landing.clone(), run_id: run_id.clone(), is_seized: false })
    }

    /// Makes a lease that was joined this process's own, if its holder is one that `may` be replaced; the file otherwise.
    pub(crate) async fn seize(&mut self, may: impl Fn(&LeaseFile) -> bool) -> Result<Taken, LeaseError> {
        let this = Holder::this_process(PROGRAM);
        let mut last = None;
        for _ in 0..TRIES {
            // Gone: the next renewal of this process creates it anew.
            let Some((mut file, version)) = read(self.landing.as_ref()).await? else {
                self.is_seized = true;
                return Ok(Taken::Ours);
            };
            if file.holder == this && file.run_id == self.run_id {
                return Ok(Taken::Ours);
            }
            if file.run_id != self.run_id || !may(&file) {
                return Ok(Taken::Joined(file));
            }
            last = Some(file.clone());
            (file.holder, file.renewed_at) = (this.clone(), Utc::now());
            file.execution = std::env::var("CLOUD_RUN_EXECUTION").ok().filter(|name| !name.is_empty());
            match write(self.landing.as_ref(), &file, PutMode::Replace(version)).await {
                Ok(()) => {
                    self.is_seized = true;
                    return Ok(Taken::Ours);
                }
                Err(LeaseError::Stored(StoredError::Landing(LandingError::Precondition { .. }))) => {}
                Err(error) => return Err(error),
            }
        }
        last.map(Taken::Joined).ok_or_else(changes_all_the_time)
    }

    /// Gives the lease back. If that fails it expires by itself, so the run's result stands.
    pub(crate) async fn release(self) {
        let Self { lease, landing, run_id, is_seized } = self;
        let mut released = lease.release().await;
        if is_seized && released.is_ok() {
            released = remove(landing.as_ref(), &run_id).await;
        }
        if let Err(error) = released {
            tracing::warn!(%error, "failed to give the lease back; it expires by itself");
        }
    }

    /// Leaves the lease to the run's tasks, which renew it while they work, and to whoever goes on with the run.
    pub(crate) async fn leave(self) {
        let Self { lease, landing, run_id, .. } = self;
        let left = mark_left(landing.as_ref(), &run_id).await;
        // It is not this process's any more, so this ends its renewal and nothing else.
        let left = match left {
            Ok(()) => lease.release().await,
            Err(error) => Err(error),
        };
        if let Err(error) = left {
            tracing::warn!(%error, "failed to hand the lease to the run's tasks; until it expires, only they can use it");
        }
    }
}

/// Whether the holder is one of the run's own tasks, or an orchestrator that has left them alone.
pub(crate) fn is_without_orchestrator(file: &LeaseFile) -> bool {
    file.holder.program != PROGRAM
}

/// Whether the holder is an orchestrator that has left, and no task has renewed the lease since.
pub(crate) fn was_left(file: &LeaseFile) -> bool {
    file.holder.program == LEFT
}

async fn mark_left(landing: &dyn Landing, run_id: &RunId) -> Result<(), LeaseError> {
    for _ in 0..TRIES {
        let Some((mut file, version)) = read(landing).await? else { return Ok(()) };
        if file.run_id != *run_id || file.holder != Holder::this_process(PROGRAM) {
            return Ok(());
        }
        LEFT.clone_into(&mut file.holder.program);
        file.renewed_at = Utc::now();
        match write(landing, &file, PutMode::Replace(version)).await {
            Err(LeaseError::Stored(StoredError::Landing(LandingError::Precondition { .. }))) => {}
            other => return other,
        }
    }
    Err(changes_all_the_time())
}

/// Removes the lease of a run whose last task has ended, whoever of the run has renewed it last.
async fn remove(landing: &dyn Landing, run_id: &RunId) -> Result<(), LeaseError> {
    for _ in 0..TRIES {
        let Some((file, version)) = read(landing).await? else { return Ok(()) };
        let is_another = file.holder != Holder::this_process(PROGRAM) && !is_without_orchestrator(&file);
        if file.run_id != *run_id || is_another {
            return Ok(());
        }
        match landing.delete(paths::LEASE, &version).await {
            Err(LandingError::Precondition { .. }) => {}
            other => return Ok(other?),
        }
    }
    Ok(())
}

pub(super) async fn read(landing: &dyn Landing) -> Result<Option<(LeaseFile, Version)>, LeaseError> {
    let Some(object) = landing.get(paths::LEASE).await? else { return Ok(None) };
    let file = serde_json::from_slice(&object.bytes);
    let file = file.map_err(|error| StoredError::malformed(landing, paths::LEASE, error))?;
    Ok(Some((file, object.version)))
}

async fn write(landing: &dyn Landing, file: &LeaseFile, mode: PutMode) -> Result<(), LeaseError> {
    let text = serde_json::to_vec_pretty(file).map_err(|error| malformed(error.to_string()))?;
    Ok(landing.put(paths::LEASE, text.into(), mode).await?)
}

fn changes_all_the_time() -> LeaseError {
    LandingError::Precondition { path: paths::LEASE.into() }.into()
}

fn malformed(message: String) -> LeaseError {
    StoredError::Malformed { path: paths::LEASE.into(), message }.into()
}
