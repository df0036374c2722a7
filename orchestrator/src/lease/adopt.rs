//! Going on with a run whose orchestrator has died, where its tasks outlive it: by a retry of the same Cloud Run execution, or by the
//! next orchestrator that is asked for the same. While tasks of another order are at work, no run begins.

use super::held::{RunLease, Taken, is_without_orchestrator, read, was_left};
use super::record::{Order, Ordered, Own};
use super::{Begun, fresh, held_by};
use crate::error::RunError;
use crate::launcher::{LaunchError, Launcher, Standing, record};
use crate::run::{RunChoice, RunOptions};
use crate::stage::Stage;
use chrono::{DateTime, Utc};
use contract::landing::{Landing, Version};
use contract::lease::{LeaseError, LeaseFile};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::StoredError;
use std::sync::Arc;

/// Begins a run, or goes on with one.
pub(super) async fn begin(
    landing: &Arc<dyn Landing>,
    options: &RunOptions,
    launcher: &dyn Launcher,
    shutdown: &Shutdown,
) -> Result<Begun, RunError> {
    let own = match launcher.own_execution() {
        Some(execution) => Some(Own::read(landing.as_ref(), execution).await?),
        None => None,
    };
    let begun = match retried(landing, own.as_ref(), shutdown).await? {
        Some(begun) => begun,
        None => match orphaned(landing, options, launcher, own.as_ref(), shutdown).await? {
            Some(begun) => begun,
            None => fresh(landing, options, shutdown, own.as_ref()).await?,
        },
    };
    if let Err(error) = note_order(landing.as_ref(), options, &begun).await {
        begun.lease.leave().await;
        return Err(error);
    }
    Ok(begun)
}

/// The lease; none where it cannot be read: it then says nothing of a run, and whoever wants it watches it first.
async fn readable(landing: &dyn Landing) -> Result<Option<(LeaseFile, Version)>, LeaseError> {
    match read(landing).await {
        Err(LeaseError::Stored(StoredError::Malformed { .. })) => Ok(None),
        other => other,
    }
}

/// Notes what the run was begun with, unless that is noted already.
async fn note_order(landing: &dyn Landing, options: &RunOptions, begun: &Begun) -> Result<(), RunError> {
    if begun.since.is_some() && Ordered::read(landing, &begun.run_id).await?.is_some() {
        return Ok(());
    }
    let ordered = Ordered { since: begun.since.unwrap_or_else(Utc::now), order: Order::of(options) };
    Ok(ordered.note(landing, &begun.run_id).await?)
}

/// The run that an earlier attempt of this execution has begun; `None` if there was none, or nothing of it has begun.
async fn retried(
    landing: &Arc<dyn Landing>,
    own: Option<&Own>,
    shutdown: &Shutdown,
) -> Result<Option<Begun>, RunError> {
    let Some((own, earlier)) = own.and_then(|own| Some((own, own.earlier()?))) else { return Ok(None) };
    let run_id = &earlier.run_id;
    let holds = readable(landing.as_ref()).await?.is_some_and(|(file, _)| file.run_id == *run_id);
    if !holds && Ordered::read(landing.as_ref(), run_id).await?.is_none() {
        return Ok(None);
    }
    own.note(landing.as_ref(), run_id, earlier.since).await?;
    let (mut lease, taken) = RunLease::take(landing, run_id, shutdown).await?;
    let taken = match taken {
        Taken::Ours => Ok(Taken::Ours),
        // The attempts before this one are dead, however fresh the lease is, and the jobs are this run's own.
        Taken::Joined(_) => lease.seize(|file| earlier.include(&file.holder) || is_without_orchestrator(file)).await,
    };
    match taken {
        Ok(Taken::Ours) => {
            tracing::info!(%run_id, "going on with the run of an earlier attempt of this execution");
            Ok(Some(Begun { run_id: run_id.clone(), lease, since: Some(earlier.since) }))
        }
        Ok(Taken::Joined(file)) => {
            lease.leave().await;
            Err(held_by(file).into())
        }
        Err(error) => {
            lease.leave().await;
            Err(error.into())
        }
    }
}

/// The run whose lease lies there without an orchestrator that renews it, if this is the one to go on with it.
async fn orphaned(
    landing: &Arc<dyn Landing>,
    options: &RunOptions,
    launcher: &dyn Launcher,
    own: Option<&Own>,
    shutdown: &Shutdown,
) -> Result<Option<Begun>, RunError> {
    let Some((file, _)) = readable(landing.as_ref()).await? else { return Ok(None) };
    let run_id = file.run_id;
    if !was_launched(landing.as_ref(), &run_id).await? {
        return Ok(None);
    }
    let taken = match RunLease::take(landing, &run_id, shutdown).await {
        // Another run has it by now: the usual way says so.
        Err(LeaseError::Held { .. }) => return Ok(None),
        other => other?,
    };
    let (mut lease, is_ours) = match taken {
        (lease, Taken::Ours) => (lease, true),
        (lease, Taken::Joined(file)) if is_without_orchestrator(&file) => (lease, false),
        // Its orchestrator lives.
        (lease, Taken::Joined(_)) => {
            lease.leave().await;
            return Ok(None);
        }
    };
    // From here on the lease is renewed by this process, so every way out ends that.
    let verdict = tokio::select! {
        verdict = judge(landing.as_ref(), &run_id, options, launcher) => verdict,
        reason = shutdown.requested() => Err(LeaseError::Stopped(reason).into()),
    };
    match verdict {
        Ok(Verdict::GoOn(since)) => match claim(landing.as_ref(), &run_id, &mut lease, is_ours, own, since).await {
            Ok(()) => {
                tracing::info!(%run_id, "going on with a run that its orchestrator has left");
                Ok(Some(Begun { run_id, lease, since }))
            }
            Err(error) => {
                lease.leave().await;
                Err(error)
            }
        },
        Ok(Verdict::Busy(stage, execution)) => {
            lease.leave().await;
            let how = "it ends by itself; an orchestrator with its options goes on with it".to_owned();
            Err(LaunchError::StillRunning { run_id, stage, execution, how }.into())
        }
        Ok(Verdict::Over) => {
            let_go(lease).await?;
            Ok(None)
        }
        Err(error) => {
            lease.leave().await;
            Err(error)
        }
    }
}

/// What is to be done about a run that has no orchestrator.
enum Verdict {
    /// This orchestrator goes on with it: with the order that stands since then, or with one of its own.
    GoOn(Option<DateTime<Utc>>),
    /// It was ordered otherwise, and this stage's execution is at work.
    Busy(Stage, String),
    /// Nothing of it is at work, and nothing is left that this orchestrator should do.
    Over,
}

async fn judge(
    landing: &dyn Landing,
    run_id: &RunId,
    options: &RunOptions,
    launcher: &dyn Launcher,
) -> Result<Verdict, RunError> {
    let ordered = Ordered::read(landing, run_id).await?;
    let since = ordered.as_ref().map(|ordered| ordered.since);
    let mut standings = Vec::new();
    for stage in Stage::ALL {
        standings.push((stage, launcher.standing(run_id, stage, since).await?));
    }
    // What was extracted, in either round, and is not loaded yet.
    let is_unloaded = standings.chunks(2).any(|round| match round {
        [(_, extract), (_, load)] => *extract == Standing::Ended && *load == Standing::NotStarted,
        _ => false,
    });
    let running = standings.into_iter().rev().find_map(|(stage, standing)| match standing {
        Standing::Running(name) => Some((stage, name)),
        _ => None,
    });
    let is_left_over = running.is_some() || (is_unloaded && options.only.is_none());
    let named = match &options.run_id {
        Some(RunChoice::Id(named)) => Some(named),
        Some(RunChoice::Latest) | None => None,
    };
    let is_same = ordered.is_some_and(|ordered| ordered.order == Order::of(options));
    if is_left_over && is_same && named.is_none_or(|named| named == run_id) {
        return Ok(Verdict::GoOn(since));
    }
    if is_left_over && named == Some(run_id) {
        // It is wanted by its id; what its options still allow, the launcher sees for each stage.
        return Ok(Verdict::GoOn(None));
    }
    if is_unloaded && running.is_none() {
        tracing::warn!(%run_id, "the extract of an earlier run was never loaded, and this run was ordered otherwise");
    }
    Ok(running.map_or(Verdict::Over, |(stage, name)| Verdict::Busy(stage, name)))
}

/// Makes the lease this process's own, and the run this execution's.
async fn claim(
    landing: &dyn Landing,
    run_id: &RunId,
    lease: &mut RunLease,
    is_ours: bool,
    own: Option<&Own>,
    since: Option<DateTime<Utc>>,
) -> Result<(), RunError> {
    if !is_ours && let Taken::Joined(file) = lease.seize(is_without_orchestrator).await? {
        return Err(held_by(file).into());
    }
    if let Some(own) = own {
        own.note(landing, run_id, since.unwrap_or_else(Utc::now)).await?;
    }
    Ok(())
}

/// Ends the lease of a run that is over. One that its orchestrator has left is nobody's then; one that a job renews is left to expire:
/// somebody may have started that job by hand.
async fn let_go(mut lease: RunLease) -> Result<(), LeaseError> {
    let seized = lease.seize(was_left).await;
    lease.release().await;
    seized.map(drop)
}

/// Whether any stage of the run was started by a launcher whose tasks outlive it.
async fn was_launched(landing: &dyn Landing, run_id: &RunId) -> Result<bool, RunError> {
    for stage in Stage::ALL {
        if record::read(landing, run_id, stage).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
