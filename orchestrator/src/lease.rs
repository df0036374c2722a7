//! Which run this is, and the lease that makes it the only one.
//! The jobs of a run join its lease by the run's id; a second orchestrator with the same id must not, so it is told apart here.

use crate::error::RunError;
use crate::run::{RunChoice, RunOptions};
use crate::stage::Stage;
use chrono::Utc;
use contract::landing::{Landing, paths};
use contract::lease::{self, Holder, Lease, LeaseError};
use contract::report::Plan;
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::{self, Latest};
use std::sync::Arc;
use std::time::Duration;

const PROGRAM: &str = "orchestrator";
const WAIT_STEP: Duration = Duration::from_secs(1);
/// Run ids tell seconds apart.
const NEXT_SECOND: Duration = Duration::from_millis(100);

/// Takes the lease for the run that the options ask for; waits for another run if they say so.
pub(crate) async fn begin(
    landing: &Arc<dyn Landing>,
    options: &RunOptions,
    shutdown: &Shutdown,
) -> Result<(RunId, Lease), RunError> {
    let mut told = false;
    loop {
        // The id is chosen anew after every wait: it must not be older than that of the run that was waited for.
        let run_id = choose(landing.as_ref(), options).await?;
        match take(landing, &run_id, shutdown).await {
            Ok(lease) if options.loads_latest() => match choose(landing.as_ref(), options).await {
                Ok(now) if now == run_id => return Ok((run_id, lease)),
                // Another run has finished meanwhile, and is the latest now.
                Ok(_) => lease.release().await?,
                Err(error) => {
                    release(lease).await;
                    return Err(error);
                }
            },
            Ok(lease) => return Ok((run_id, lease)),
            Err(held @ LeaseError::Held { .. }) if options.wait => {
                if !told {
                    tracing::info!("waiting: {held}");
                    told = true;
                }
                tokio::select! {
                    () = tokio::time::sleep(WAIT_STEP) => {}
                    reason = shutdown.requested() => return Err(LeaseError::Stopped(reason).into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives the lease back. If that fails it expires by itself, so the run's result stands.
pub(crate) async fn release(lease: Lease) {
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, "failed to give the lease back; it expires by itself");
    }
}

async fn take(landing: &Arc<dyn Landing>, run_id: &RunId, shutdown: &Shutdown) -> Result<Lease, LeaseError> {
    let lease = Lease::take(landing.clone(), run_id, PROGRAM, false, shutdown).await?;
    match lease::current(landing.as_ref()).await {
        // Joined, not taken: the same run is going on already.
        Ok(Some(file)) if file.holder != Holder::this_process(PROGRAM) => {
            lease.release().await?;
            let age = (Utc::now() - file.renewed_at).num_seconds();
            let Holder { program, host, pid, .. } = file.holder;
            Err(LeaseError::Held { run_id: file.run_id, program, pid, host, age })
        }
        Ok(_) => Ok(lease),
        Err(error) => {
            release(lease).await;
            Err(error)
        }
    }
}

async fn choose(landing: &dyn Landing, options: &RunOptions) -> Result<RunId, RunError> {
    match (&options.run_id, options.only) {
        (Some(RunChoice::Id(run_id)), Some(Stage::Load)) => {
            let plan: Option<Plan> = stored::read(landing, &paths::plan(run_id)).await?;
            match plan {
                Some(_) => Ok(run_id.clone()),
                None => Err(RunError::UnknownRun { run_id: run_id.clone(), location: landing.location().to_owned() }),
            }
        }
        (Some(RunChoice::Id(run_id)), _) => Ok(run_id.clone()),
        (Some(RunChoice::Latest) | None, Some(Stage::Load)) => match latest(landing).await? {
            Some(latest) => Ok(latest.run_id),
            None => Err(RunError::NoLatest { location: landing.location().to_owned() }),
        },
        (Some(RunChoice::Latest) | None, _) => new_run(landing).await,
    }
}

/// An id that sorts after the latest run's: within one second only chance would decide, and the load refuses an older batch.
async fn new_run(landing: &dyn Landing) -> Result<RunId, RunError> {
    let second = |id: &RunId| id.as_str().split('-').next().map(str::to_owned);
    let before = latest(landing).await?.and_then(|latest| second(&latest.run_id));
    loop {
        let run_id = RunId::new(Utc::now());
        if second(&run_id) != before {
            return Ok(run_id);
        }
        tokio::time::sleep(NEXT_SECOND).await;
    }
}

async fn latest(landing: &dyn Landing) -> Result<Option<Latest>, RunError> {
    Ok(stored::read(landing, paths::LATEST).await?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use contract::landing;

    fn open() -> (tempfile::TempDir, Arc<dyn Landing>) {
        let folder = tempfile::tempdir().unwrap();
        let landing = landing::open(folder.path().to_str().unwrap()).unwrap();
        (folder, landing)
    }

    #[tokio::test]
    async fn a_new_run_sorts_after_the_latest() {
        let (_folder, landing) = open();
        let first = new_run(landing.as_ref()).await.unwrap();
        let latest = Latest { run_id: first.clone(), finished_at: Utc::now(), durations_ms: Default::default() };
        stored::write(landing.as_ref(), paths::LATEST, &latest).await.unwrap();
        let second = new_run(landing.as_ref()).await.unwrap();
        assert!(second > first, "{second} {first}");
    }

    #[tokio::test]
    async fn a_load_needs_a_run_that_is_there() {
        let (_folder, landing) = open();
        let load = RunOptions { only: Some(Stage::Load), ..RunOptions::default() };
        assert!(matches!(choose(landing.as_ref(), &load).await, Err(RunError::NoLatest { .. })));
        let run_id: RunId = "20260131T235900Z-a1b2c3".parse().unwrap();
        let of = RunOptions { run_id: Some(RunChoice::Id(run_id.clone())), ..load.clone() };
        assert!(matches!(choose(landing.as_ref(), &of).await, Err(RunError::UnknownRun { .. })));
        let plan = Plan { run_id: run_id.clone(), tasks: 1, units: Vec::new() };
        stored::extend_plan(landing.as_ref(), &run_id, &plan).await.unwrap();
        assert_eq!(choose(landing.as_ref(), &of).await.unwrap(), run_id);
    }

    #[tokio::test]
    async fn a_broken_file_is_no_absent_file() {
        let (folder, landing) = open();
        std::fs::create_dir_all(folder.path().join("runs")).unwrap();
        std::fs::write(folder.path().join("runs/latest.json"), "{").unwrap();
        let error = choose(landing.as_ref(), &RunOptions::default()).await.unwrap_err();
        assert!(error.to_string().contains("runs/latest.json"), "{error}");
    }
}
