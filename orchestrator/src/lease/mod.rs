//! Which run this is, and the lease that makes it the only one.
//! The jobs of a run join its lease by the run's id; a second orchestrator with the same id must not, so it is told apart here.

mod adopt;
mod held;
mod queue;
mod record;

pub(crate) use held::RunLease;

use crate::error::RunError;
use crate::launcher::{LaunchError, Launcher};
use crate::run::{RunChoice, RunOptions};
use crate::stage::Stage;
use chrono::{DateTime, Utc};
use contract::google::retry::scaled;
use contract::landing::{Landing, paths};
use contract::lease::{Holder, LeaseError, LeaseFile};
use contract::report::Plan;
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::{self, Latest};
use queue::{Queue, Turn};
use std::sync::Arc;
use std::time::Duration;

const PROGRAM: &str = "orchestrator";
const WAIT_STEP: Duration = Duration::from_secs(1);
/// Where every look costs calls of Google's APIs.
const WAIT_STEP_OUTSIDE: Duration = Duration::from_secs(5);
/// Run ids tell seconds apart.
const NEXT_SECOND: Duration = Duration::from_millis(100);

/// A run that holds its lease.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) run_id: RunId,
    pub(crate) lease: RunLease,
    /// Since when its order stands, if that was an orchestrator's that has died: its stages are gone on with, none is started twice.
    pub(crate) since: Option<DateTime<Utc>>,
}

/// Takes the lease for the run that the options ask for; waits for another run if they say so.
pub(crate) async fn begin(
    landing: &Arc<dyn Landing>,
    options: &RunOptions,
    launcher: &dyn Launcher,
    shutdown: &Shutdown,
) -> Result<Begun, RunError> {
    let mut queue: Option<Queue> = None;
    let mut told = false;
    let step = if launcher.outlives() { scaled(WAIT_STEP_OUTSIDE) } else { WAIT_STEP };
    let pause = async || {
        tokio::select! {
            () = tokio::time::sleep(step) => Ok(()),
            reason = shutdown.requested() => Err(RunError::from(LeaseError::Stopped(reason))),
        }
    };
    loop {
        match &mut queue {
            None => {}
            Some(queue) => match queue.turn().await {
                Turn::Ours => {}
                Turn::Others => {
                    pause().await?;
                    continue;
                }
                Turn::Begun(run_id) => return Err(RunError::Merged { run_id }),
            },
        }
        let begun = if launcher.outlives() {
            adopt::begin(landing, options, launcher, shutdown).await
        } else {
            fresh(landing, options, shutdown, None).await
        };
        match begun {
            Err(held) if options.wait && is_held(&held) => {
                if !told {
                    tracing::info!("waiting: {held}");
                    told = true;
                }
                queue = queue.or_else(|| Queue::of(landing, options));
                if let Err(stopped) = pause().await {
                    leave(queue, None).await;
                    return Err(stopped);
                }
            }
            other => {
                // A run that is gone on with has begun before the others came.
                let begun = other.as_ref().ok().filter(|begun| begun.since.is_none());
                leave(queue, begun.map(|begun| &begun.run_id)).await;
                return other;
            }
        }
    }
}

/// Ends the wait: those with the same order learn of the run, or one of them takes this one's place.
async fn leave(queue: Option<Queue>, begun: Option<&RunId>) {
    match (queue, begun) {
        (Some(queue), Some(run_id)) => queue.begun(run_id).await,
        (Some(queue), None) => queue.leave().await,
        (None, _) => {}
    }
}

fn is_held(error: &RunError) -> bool {
    match error {
        RunError::Lease(error) => error.other_run().is_some(),
        RunError::Launch(error) => matches!(error, LaunchError::StillRunning { .. }),
        _ => false,
    }
}

/// A run that nobody has begun, or that is begun anew by its id. With `own`, the choice is noted before the lease is taken.
async fn fresh(
    landing: &Arc<dyn Landing>,
    options: &RunOptions,
    shutdown: &Shutdown,
    own: Option<&record::Own>,
) -> Result<Begun, RunError> {
    loop {
        // The id is chosen anew after every wait: it must not be older than that of the run that was waited for.
        let run_id = choose(landing.as_ref(), options).await?;
        if let Some(own) = own {
            own.note(landing.as_ref(), &run_id, Utc::now()).await?;
        }
        let lease = RunLease::take_alone(landing, &run_id, shutdown).await?;
        if !options.loads_latest() {
            return Ok(Begun { run_id, lease, since: None });
        }
        match choose(landing.as_ref(), options).await {
            Ok(now) if now == run_id => return Ok(Begun { run_id, lease, since: None }),
            // Another run has finished meanwhile, and is the latest now.
            Ok(_) => lease.release().await,
            Err(error) => {
                lease.release().await;
                return Err(error);
            }
        }
    }
}

fn held_by(file: LeaseFile) -> LeaseError {
    let age = (Utc::now() - file.renewed_at).num_seconds();
    let Holder { program, host, pid, .. } = file.holder;
    LeaseError::Held { run_id: file.run_id, program, pid, host, age }
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
            Some(latest) if latest.run_id.is_ahead() => {
                let location = landing.location().to_owned();
                Err(RunError::LatestAhead { path: paths::LATEST, run_id: latest.run_id, location })
            }
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
        let landing = landing::open_folder(folder.path()).unwrap();
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
        let plan = Plan { run_id: run_id.clone(), tasks: 1, units: Vec::new(), durations_ms: Default::default() };
        stored::extend_plan(landing.as_ref(), &run_id, &plan).await.unwrap();
        assert_eq!(choose(landing.as_ref(), &of).await.unwrap(), run_id);
    }

    #[tokio::test]
    async fn a_latest_run_from_the_future_is_not_loaded_and_keeps_nobody_from_a_new_one() {
        let (_folder, landing) = open();
        let ahead: RunId = "20991231T235959Z-a1b2c3".parse().unwrap();
        let latest = Latest { run_id: ahead, finished_at: Utc::now(), durations_ms: Default::default() };
        stored::write(landing.as_ref(), paths::LATEST, &latest).await.unwrap();
        let load = RunOptions { only: Some(Stage::Load), ..RunOptions::default() };
        let error = choose(landing.as_ref(), &load).await.unwrap_err();
        assert!(error.to_string().contains("20991231T235959Z-a1b2c3, which lies in the future"), "{error}");
        assert!(error.hint().unwrap().contains("--run-id"));
        assert!(!choose(landing.as_ref(), &RunOptions::default()).await.unwrap().is_ahead());
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
