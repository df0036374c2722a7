//! Going on with a run whose orchestrator has died, where its tasks outlive it: by a retry of the same Cloud Run execution, or by the
//! next orchestrator that is asked for the same. While tasks of another order are at work, no run begins.

use super::held::{RunLease, Taken, is_without_orchestrator, read};
use super::record::{Order, Own};
use super::{Begun, fresh, held_by};
use crate::error::RunError;
use crate::launcher::{LaunchError, Launcher, Standing, record};
use crate::run::{RunChoice, RunOptions};
use crate::stage::Stage;
use contract::landing::Landing;
use contract::lease::LeaseError;
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
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
    let order = Order::of(options);
    if (!begun.is_adopted || Order::read(landing.as_ref(), &begun.run_id).await?.is_none())
        && let Err(error) = order.note(landing.as_ref(), &begun.run_id).await
    {
        begun.lease.release().await;
        return Err(error.into());
    }
    Ok(begun)
}

/// The run that an earlier attempt of this execution has begun; `None` if there was none, or nothing of it has begun.
async fn retried(
    landing: &Arc<dyn Landing>,
    own: Option<&Own>,
    shutdown: &Shutdown,
) -> Result<Option<Begun>, RunError> {
    let Some((own, earlier)) = own.and_then(|own| Some((own, own.earlier()?))) else { return Ok(None) };
    let run_id = &earlier.run_id;
    let holds = read(landing.as_ref()).await?.is_some_and(|(file, _)| file.run_id == *run_id);
    if !holds && Order::read(landing.as_ref(), run_id).await?.is_none() {
        return Ok(None);
    }
    own.note(landing.as_ref(), run_id).await?;
    let (mut lease, mut taken) = RunLease::take(landing, run_id, shutdown).await?;
    if matches!(taken, Taken::Joined(_)) {
        // The attempts before this one are dead, however fresh the lease is, and the jobs are this run's own.
        taken = lease.seize(|file| earlier.include(&file.holder) || is_without_orchestrator(file)).await?;
    }
    match taken {
        Taken::Ours => {
            tracing::info!(%run_id, "going on with the run of an earlier attempt of this execution");
            Ok(Some(Begun { run_id: run_id.clone(), lease, is_adopted: true }))
        }
        Taken::Joined(file) => {
            lease.release().await;
            Err(held_by(file).into())
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
    let Some((file, _)) = read(landing.as_ref()).await? else { return Ok(None) };
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
            lease.release().await;
            return Ok(None);
        }
    };
    let state = tokio::select! {
        state = state(&run_id, options, launcher) => state,
        reason = shutdown.requested() => Err(LeaseError::Stopped(reason).into()),
    };
    let is_asked = options.run_id == Some(RunChoice::Id(run_id.clone()));
    let goes_on = match &state {
        Ok(State::Over) => false,
        // It is wanted by its id; whether with the same options, the launcher sees for each stage.
        Ok(_) if is_asked => true,
        Ok(_) if options.run_id.is_some() || options.loads_latest() => false,
        Ok(_) => Order::read(landing.as_ref(), &run_id).await?.as_ref() == Some(&Order::of(options)),
        Err(_) => false,
    };
    match state {
        Ok(State::Running(..) | State::Unloaded) if goes_on => {
            if !is_ours && let Taken::Joined(file) = lease.seize(is_without_orchestrator).await? {
                lease.release().await;
                return Err(held_by(file).into());
            }
            if let Some(own) = own {
                own.note(landing.as_ref(), &run_id).await?;
            }
            tracing::info!(%run_id, "going on with a run that its orchestrator has left");
            Ok(Some(Begun { run_id, lease, is_adopted: !is_asked }))
        }
        Ok(State::Running(stage, execution)) => {
            lease.leave().await;
            let how = "it ends by itself, and its next orchestrator is one with its options".to_owned();
            Err(LaunchError::StillRunning { run_id, stage, execution, how }.into())
        }
        Ok(State::Unloaded) => {
            tracing::warn!(%run_id, "the extract of an earlier run was never loaded; this run has other options and begins anew");
            lease.release().await;
            Ok(None)
        }
        Ok(State::Over) => {
            lease.release().await;
            Ok(None)
        }
        Err(error) => {
            lease.leave().await;
            Err(error)
        }
    }
}

/// How far a run has come that has no orchestrator.
enum State {
    /// A stage's tasks are at work.
    Running(Stage, String),
    /// Its extract has ended, and its load was never started.
    Unloaded,
    /// Nothing of it goes on, and nothing is left to be done.
    Over,
}

async fn state(run_id: &RunId, options: &RunOptions, launcher: &dyn Launcher) -> Result<State, RunError> {
    let load = launcher.standing(run_id, Stage::Load).await?;
    if let Standing::Running(name) = load {
        return Ok(State::Running(Stage::Load, name));
    }
    let extract = launcher.standing(run_id, Stage::Extract).await?;
    Ok(match (extract, load) {
        (Standing::Running(name), _) => State::Running(Stage::Extract, name),
        (Standing::Ended, Standing::NotStarted) if options.only.is_none() => State::Unloaded,
        _ => State::Over,
    })
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
