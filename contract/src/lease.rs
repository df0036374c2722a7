//! The lease in the landing zone that keeps two runs of one pipeline from overlapping (design, section 8).
//! Created only if none is there, renewed while the run lives, expired 60 s after its last renewal; a dead holder's is taken over at once.
//! The tasks of a run keep its lease alive when their orchestrator no longer does.

use crate::landing::{Landing, LandingError, PutMode, Version, paths};
use crate::run_id::RunId;
use crate::shutdown::Shutdown;
use crate::stored::{StoredError, encode};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Seconds after the last renewal at which a lease is nobody's.
pub const EXPIRES_AFTER_SECONDS: i64 = 60;
/// Why a run stops whose lease another run holds now. Any other loss of the lease need not mean that another run is at work.
pub const LOST_TO_ANOTHER: &str = "the loss of its lease to another run";
/// Seconds after the last renewal at which a run that cannot renew its lease stops: there are 10 s to end cleanly, and clocks differ.
const GIVE_UP_SECONDS: i64 = 45;
/// The wait after a renewal that failed.
const TRY_AGAIN: Duration = Duration::from_secs(3);
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// A holder that has not renewed for so long may be gone: whoever has joined renews in its place.
const OVERDUE_SECONDS: i64 = 20;
/// How long one renewal may take: there must be time for another one.
const RENEWAL_TAKES: Duration = Duration::from_secs(25);
const WAIT_STEP: Duration = Duration::from_secs(1);

/// Who holds a lease: enough to tell whether the process still lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The program.
    pub program: String,
    /// The machine's name.
    pub host: String,
    /// Tells one boot of a machine (or container) from another.
    pub boot: String,
    /// Process id.
    pub pid: u32,
    /// When the process started, in the kernel's ticks: a process id may be used again.
    pub started: u64,
}

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
}

impl LeaseFile {
    /// A lease that is taken now.
    fn new(run_id: &RunId, holder: &Holder) -> Self {
        let (now, execution) = (Utc::now(), std::env::var("CLOUD_RUN_EXECUTION").ok().filter(|name| !name.is_empty()));
        Self { run_id: run_id.clone(), holder: holder.clone(), acquired_at: now, renewed_at: now, execution }
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
        let holder = Holder::this_process(program);
        let owned = loop {
            match try_take(landing.as_ref(), run_id, &holder).await {
                Err(LeaseError::Held { .. }) if wait => tokio::select! {
                    () = tokio::time::sleep(WAIT_STEP) => {}
                    reason = shutdown.requested() => return Err(LeaseError::Stopped(reason)),
                },
                other => break other?,
            }
        };
        let renewal = tokio::spawn(renew(landing.clone(), run_id.clone(), holder.clone(), shutdown.clone()));
        Ok(Self { landing, run_id: run_id.clone(), holder, owned, renewal })
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

/// The lease that is there, if any.
///
/// # Errors
/// The landing zone refuses or the file is broken.
pub async fn current(landing: &dyn Landing) -> Result<Option<LeaseFile>, LeaseError> {
    Ok(read(landing).await?.map(|(file, _)| file))
}

async fn read(landing: &dyn Landing) -> Result<Option<(LeaseFile, Version)>, LeaseError> {
    let Some(object) = landing.get(paths::LEASE).await? else { return Ok(None) };
    let file = serde_json::from_slice(&object.bytes)
        .map_err(|error| StoredError::Malformed { path: paths::LEASE.into(), message: error.to_string() })?;
    Ok(Some((file, object.version)))
}

/// True if taken, false if joined.
async fn try_take(landing: &dyn Landing, run_id: &RunId, holder: &Holder) -> Result<bool, LeaseError> {
    let file = LeaseFile::new(run_id, holder);
    for _ in 0..20 {
        let mode = match read(landing).await? {
            None => PutMode::Create,
            Some((found, version)) => {
                let age = found.age_seconds();
                let gone = age > EXPIRES_AFTER_SECONDS || found.holder.is_dead();
                if !gone && found.run_id == *run_id {
                    return Ok(false);
                }
                if !gone {
                    let LeaseFile { run_id, holder, .. } = found;
                    return Err(LeaseError::Held {
                        run_id,
                        program: holder.program,
                        pid: holder.pid,
                        host: holder.host,
                        age,
                    });
                }
                tracing::warn!(run_id = %found.run_id, pid = found.holder.pid, "taking over the lease of a run that has ended without giving it back");
                PutMode::Replace(version)
            }
        };
        match landing.put(paths::LEASE, encode(paths::LEASE, &file)?, mode).await {
            Ok(()) => return Ok(true),
            Err(LandingError::Precondition { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoredError::Malformed { path: paths::LEASE.into(), message: "it changes all the time".into() }.into())
}

/// What is seen of the lease at a renewal.
enum Seen {
    /// It is this run's; the file says so since then.
    Ours(DateTime<Utc>),
    /// Another run's.
    Lost,
}

/// Others may take the lease a minute after the time that stands in it; work under it must have ended by then, so it is given up earlier.
async fn renew(landing: Arc<dyn Landing>, run_id: RunId, holder: Holder, shutdown: Shutdown) {
    let mut last = Utc::now();
    let mut pause = RENEW_EVERY;
    loop {
        tokio::time::sleep(pause).await;
        let left = (last + TimeDelta::seconds(GIVE_UP_SECONDS) - Utc::now()).to_std().unwrap_or_default();
        let takes = RENEWAL_TAKES.min(left).max(Duration::from_secs(1));
        let renewal = tokio::time::timeout(takes, renew_once(landing.as_ref(), &run_id, &holder)).await;
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

async fn renew_once(landing: &dyn Landing, run_id: &RunId, holder: &Holder) -> Result<Seen, LeaseError> {
    let (file, mode) = match read(landing).await? {
        // Given back by the task that took it, while others of the same run still work.
        None => (LeaseFile::new(run_id, holder), PutMode::Create),
        Some((found, _)) if found.run_id != *run_id => return Ok(Seen::Lost),
        Some((found, version)) => {
            let is_dead = found.holder.is_dead();
            if found.holder != *holder && !is_dead && found.age_seconds() <= OVERDUE_SECONDS {
                return Ok(Seen::Ours(found.renewed_at));
            }
            // A holder that may only be slow keeps its name: it gives the lease back, or knows it again when it is started anew.
            let holder = if is_dead { holder.clone() } else { found.holder.clone() };
            (LeaseFile { holder, renewed_at: Utc::now(), ..found }, PutMode::Replace(version))
        }
    };
    let renewed_at = file.renewed_at;
    match landing.put(paths::LEASE, encode(paths::LEASE, &file)?, mode).await {
        // Someone else was faster; the next turn sees who.
        Ok(()) | Err(LandingError::Precondition { .. }) => Ok(Seen::Ours(renewed_at)),
        Err(error) => Err(error.into()),
    }
}

impl Holder {
    /// This process.
    pub fn this_process(program: &str) -> Self {
        let pid = std::process::id();
        Self { program: program.to_owned(), host: host(), boot: boot(), pid, started: started(pid).unwrap_or(0) }
    }

    /// Whether the holder certainly lives no more: same machine and boot, and no such process. Unknown counts as alive.
    fn is_dead(&self) -> bool {
        let here = self.host == host() && self.boot == boot() && !self.boot.is_empty();
        here && self.started != 0 && cfg!(target_os = "linux") && started(self.pid) != Some(self.started)
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    name.or_else(|| std::env::var("HOSTNAME").ok()).map_or_else(|| "unknown".into(), |name| name.trim().to_owned())
}

/// The boot and the process namespace: two containers of one host share a boot, but not their process ids.
fn boot() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    if boot.is_empty() { boot } else { format!("{} {namespace}", boot.trim()) }
}

/// Field 22 of `/proc/<pid>/stat` (proc(5)); a zombie counts as gone.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}
