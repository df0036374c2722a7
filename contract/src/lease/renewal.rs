//! Renewing a lease while a process works under it, and stopping the work before another run could take the lease.

use super::holder::{Holder, Life};
use super::{LOST_TO_ANOTHER, LeaseError, LeaseFile, read, write};
use crate::landing::{Landing, LandingError, PutMode};
use crate::run_id::RunId;
use crate::shutdown::Shutdown;
use crate::stored::StoredError;
use crate::tether;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Seconds after the last renewal at which a run that cannot renew its lease stops: there are 10 s to end cleanly, and clocks differ.
const GIVE_UP_SECONDS: i64 = 45;
/// The wait after a renewal that failed.
const TRY_AGAIN: Duration = Duration::from_secs(3);
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// A holder that has not renewed for so long may be gone: whoever has joined renews in its place.
const OVERDUE: Duration = Duration::from_secs(20);
/// How long one renewal may take: there must be time for another one.
const RENEWAL_TAKES: Duration = Duration::from_secs(25);

/// What is seen of the lease at a renewal.
enum Seen {
    /// It is this run's; the file says so since then.
    Ours(DateTime<Utc>),
    /// Another run's.
    Lost,
}

/// The last sign of life of a lease, and since when it is known here: the holder's clock may be ahead, and its time say nothing.
struct LastSign {
    renewed_at: DateTime<Utc>,
    known_since: Instant,
}

/// Others may take the lease a minute after the time that stands in it; work under it must have ended by then, so it is given up earlier.
pub(super) async fn keep(landing: Arc<dyn Landing>, run_id: RunId, holder: Holder, shutdown: Shutdown) {
    let mut last = Utc::now();
    let mut sign = None;
    let mut pause = RENEW_EVERY;
    loop {
        tokio::time::sleep(pause).await;
        let left = (last + TimeDelta::seconds(GIVE_UP_SECONDS) - Utc::now()).to_std().unwrap_or_default();
        let takes = RENEWAL_TAKES.min(left).max(Duration::from_secs(1));
        let renewal = tokio::time::timeout(takes, renew(landing.as_ref(), &run_id, &holder, &mut sign)).await;
        pause = RENEW_EVERY;
        match renewal {
            Ok(Ok(Seen::Ours(renewed_at))) => last = renewed_at.min(Utc::now()),
            Ok(Ok(Seen::Lost)) => {
                shutdown.request(LOST_TO_ANOTHER);
                return;
            }
            failed => {
                let error = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => format!("nothing came for {} s", takes.as_secs()),
                };
                tracing::warn!(error, "failed to renew the lease; trying again");
                if Utc::now() - last >= TimeDelta::seconds(GIVE_UP_SECONDS) {
                    shutdown.request("the loss of its lease: it could not be renewed in time");
                    return;
                }
                pause = TRY_AGAIN;
            }
        }
    }
}

async fn renew(
    landing: &dyn Landing,
    run_id: &RunId,
    holder: &Holder,
    sign: &mut Option<LastSign>,
) -> Result<Seen, LeaseError> {
    let (file, mode) = match read(landing).await? {
        // Given back by the task that took it, while others of the same run still work.
        None => (LeaseFile::new(run_id, holder), PutMode::Create),
        Some((found, _)) if found.run_id != *run_id => return Ok(Seen::Lost),
        Some((found, version)) => {
            let is_overdue = sign.as_ref().is_some_and(|sign| sign.is_overdue(&found)) || older_than(&found, OVERDUE);
            if sign.as_ref().is_none_or(|sign| sign.renewed_at != found.renewed_at) {
                *sign = Some(LastSign { renewed_at: found.renewed_at, known_since: Instant::now() });
            }
            // A job that ends with its orchestrator must not hold up whoever takes the lease over.
            let is_dead = found.holder.life() == Life::Gone && !tether::is_cut();
            if found.holder != *holder && !is_dead && !is_overdue {
                return Ok(Seen::Ours(found.renewed_at));
            }
            // A holder that may only be slow keeps its name: it gives the lease back, or knows it again when it is started anew.
            let holder = if is_dead { holder.clone() } else { found.holder.clone() };
            (LeaseFile { holder, renewed_at: Utc::now(), ..found }, PutMode::Replace(version))
        }
    };
    let renewed_at = file.renewed_at;
    match write(landing, &file, mode).await {
        // Someone else was faster; the next turn sees who.
        Ok(()) | Err(LeaseError::Stored(StoredError::Landing(LandingError::Precondition { .. }))) => {
            Ok(Seen::Ours(renewed_at))
        }
        Err(error) => Err(error),
    }
}

impl LastSign {
    fn is_overdue(&self, found: &LeaseFile) -> bool {
        self.renewed_at == found.renewed_at && self.known_since.elapsed() >= OVERDUE
    }
}

fn older_than(found: &LeaseFile, age: Duration) -> bool {
    (Utc::now() - found.renewed_at).to_std().is_ok_and(|since| since > age)
}
