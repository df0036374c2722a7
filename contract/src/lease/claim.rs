//! One claim on the lease: whose it is, whether that process and the jobs under it are gone, and what is worth a moment's wait.

use super::holder::{Holder, Life};
use super::{EXPIRES_AFTER_SECONDS, Found, LeaseError, LeaseFile, find, pause, write};
use crate::landing::{Landing, LandingError, PutMode, Version, paths};
use crate::run_id::RunId;
use crate::shutdown::Shutdown;
use crate::stored::StoredError;
use crate::tether;
use chrono::Utc;
use std::time::Duration;
use tokio::time::Instant;

/// How long the jobs of a dead orchestrator are waited for: they end within a second, unless the machine is very busy.
const JOBS_END_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at jobs that are about to end.
const JOBS_STEP: Duration = Duration::from_millis(25);
/// A lease that is not renewed for so long while it is watched has expired, whatever its time says.
const SILENT_FOR: Duration = Duration::from_secs(EXPIRES_AFTER_SECONDS as u64);
/// Between two looks at a lease whose time lies in the future, or that cannot be read.
const WATCH_STEP: Duration = Duration::from_secs(1);
/// How often a write is tried again because someone else wrote in between.
const TRIES: usize = 50;

/// What it means that the lease is held for the same run id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SameRun {
    /// Its holder has started this job, or does not mind it.
    Joins,
    /// Another process is at work on the run that this one is to begin.
    IsAnother,
}

/// Who wants the lease, and for what.
pub(super) struct Claim<'a> {
    pub(super) landing: &'a dyn Landing,
    pub(super) run_id: &'a RunId,
    pub(super) holder: &'a Holder,
    pub(super) same_run: SameRun,
    pub(super) shutdown: &'a Shutdown,
}

/// What is to be done about the lease that was found.
enum Verdict {
    /// It is nobody's any more.
    TakeOver,
    /// It is this run's: this job works under it.
    Join,
    /// Another run is at work.
    Refuse(LeaseError),
    /// The holder is dead, and a job of it is about to end.
    JobEnds(LeaseError),
    /// It was renewed by a clock that is ahead, so its time says nothing: it is watched whether it changes.
    Watch(LeaseError),
}

impl Claim<'_> {
    /// True if the lease was taken, false if it was joined.
    pub(super) async fn make(&self) -> Result<bool, LeaseError> {
        let begun = Instant::now();
        let (mut watch, mut tries) = (Watch::default(), 0);
        while tries < TRIES {
            let (file, mode) = match find(self.landing).await? {
                Found::Nothing => (LeaseFile::new(self.run_id, self.holder), PutMode::Create),
                // Whoever holds it writes it every 15 s, and stops after 45 s in which it could not; so silence says that nobody does.
                Found::Broken(error, version) => {
                    if watch.silence(&version) < SILENT_FOR {
                        if watch.was_renewed {
                            return Err(error);
                        }
                        watch.tell_broken(&error);
                        pause(WATCH_STEP, self.shutdown).await?;
                        continue;
                    }
                    tracing::warn!(
                        "taking over a lease that cannot be read: nobody has renewed it for {EXPIRES_AFTER_SECONDS} s"
                    );
                    (LeaseFile::new(self.run_id, self.holder), PutMode::Replace(version))
                }
                Found::Lease(found, version) => match self.judge(&found, watch.silence(&version)) {
                    Verdict::TakeOver => {
                        tracing::warn!(
                            run_id = %found.run_id, pid = found.holder.pid,
                            "taking over the lease of a run that has ended without giving it back"
                        );
                        (LeaseFile::new(self.run_id, self.holder), PutMode::Replace(version))
                    }
                    Verdict::Join => match self.noted(found) {
                        Some(file) => (file, PutMode::Replace(version)),
                        None => return Ok(false),
                    },
                    Verdict::Refuse(error) => return Err(error),
                    Verdict::JobEnds(error) => {
                        if begun.elapsed() > JOBS_END_WITHIN {
                            return Err(error);
                        }
                        pause(JOBS_STEP, self.shutdown).await?;
                        continue;
                    }
                    Verdict::Watch(error) => {
                        if watch.was_renewed {
                            return Err(error);
                        }
                        watch.tell(&found);
                        pause(WATCH_STEP, self.shutdown).await?;
                        continue;
                    }
                },
            };
            // A job whose orchestrator is gone must not be found at work under a lease of its own by whoever comes next.
            if tether::is_cut() {
                return Err(LeaseError::Stopped(tether::ORCHESTRATOR_GONE.into()));
            }
            match write(self.landing, &file, mode).await {
                Ok(()) => return Ok(file.holder == *self.holder),
                Err(LeaseError::Stored(StoredError::Landing(LandingError::Precondition { .. }))) => tries += 1,
                Err(error) => return Err(error),
            }
        }
        Err(LandingError::Precondition { path: paths::LEASE.into() }.into())
    }

    /// `silence`: for how long the lease was seen here without a renewal.
    fn judge(&self, found: &LeaseFile, silence: Duration) -> Verdict {
        let is_ahead = ahead_seconds(found) > EXPIRES_AFTER_SECONDS;
        let has_expired = if is_ahead { silence >= SILENT_FOR } else { found.age_seconds() > EXPIRES_AFTER_SECONDS };
        let is_dead = found.holder.life() == Life::Gone;
        if !has_expired && !is_dead {
            let is_same = found.run_id == *self.run_id && self.same_run == SameRun::Joins;
            return match is_ahead {
                _ if is_same => Verdict::Join,
                true => Verdict::Watch(LeaseError::held(found.clone())),
                false => Verdict::Refuse(LeaseError::held(found.clone())),
            };
        }
        let of_others = |job: &&Holder| *job != self.holder;
        let lives = |job: &&Holder| job.life() == Life::Lives;
        if let Some(job) = found.jobs.iter().filter(of_others).find(lives) {
            let (run_id, program, pid) = (found.run_id.clone(), job.program.clone(), job.pid);
            return Verdict::JobEnds(LeaseError::JobLeft { run_id, program, pid });
        }
        let is_unseen = |job: &Holder| job.life() == Life::Unknown;
        if !has_expired && found.jobs.iter().any(is_unseen) {
            return Verdict::JobEnds(LeaseError::held(found.clone()));
        }
        Verdict::TakeOver
    }

    /// The lease with this job under it, if it ends with its orchestrator and is not noted yet. Jobs that outlive
    /// their orchestrator keep the lease alive by themselves.
    fn noted(&self, mut found: LeaseFile) -> Option<LeaseFile> {
        let is_known = found.holder == *self.holder || found.jobs.contains(self.holder);
        if !tether::is_tied() || is_known || !found.holder.is_beside(self.holder) {
            return None;
        }
        found.jobs.retain(|job| job.life() != Life::Gone);
        found.jobs.push(self.holder.clone());
        Some(found)
    }
}

/// What is seen of a lease while it is looked at again and again.
#[derive(Default)]
struct Watch {
    seen: Option<(Version, Instant)>,
    was_renewed: bool,
    was_told: bool,
}

impl Watch {
    /// For how long the lease has not changed while it was looked at.
    fn silence(&mut self, version: &Version) -> Duration {
        match &self.seen {
            Some((seen, since)) if seen == version => since.elapsed(),
            before => {
                self.was_renewed = before.is_some();
                self.seen = Some((version.clone(), Instant::now()));
                Duration::ZERO
            }
        }
    }

    fn tell_broken(&mut self, error: &LeaseError) {
        if !std::mem::replace(&mut self.was_told, true) {
            tracing::warn!(%error, "watching for {EXPIRES_AFTER_SECONDS} s whether somebody renews it; if not, it is taken over");
        }
    }

    fn tell(&mut self, found: &LeaseFile) {
        if !std::mem::replace(&mut self.was_told, true) {
            tracing::warn!(
                run_id = %found.run_id, host = found.holder.host,
                "the lease was renewed by a clock that is {} s ahead of this machine's; watching for {EXPIRES_AFTER_SECONDS} s whether it is \
                 renewed again", ahead_seconds(found)
            );
        }
    }
}

fn ahead_seconds(found: &LeaseFile) -> i64 {
    (found.renewed_at - Utc::now()).num_seconds()
}
