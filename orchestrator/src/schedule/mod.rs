//! `orchestrator schedule`: stays up and runs a pipeline whenever it is due, one run at a time.
//! No failure of a run ends it: it is told, and the next due time counts.

mod timetable;
mod wait;
mod zone;

pub(crate) use timetable::Timetable;
pub(crate) use zone::Zone;

use crate::error::RunError;
use crate::preflight;
use crate::run::RunOptions;
use crate::summary::RunSummary;
use crate::trigger;
use chrono::{TimeDelta, Utc};
use contract::exit::Exit;
use contract::shutdown::Shutdown;
use timetable::MOST_COUNTED;
use wait::{Waited, wait};

/// A run that begins so much later than it was due is worth a word.
const LATE: TimeDelta = TimeDelta::seconds(90);

/// Runs until told to stop: between runs that is exit 0, during a run it is the run's exit. `show` prints a result.
///
/// # Errors
/// Whatever is wrong from the start with the pipeline file, its connectors, settings and secrets, or filters that name nothing in it.
pub(crate) async fn schedule(
    path: &str,
    options: &RunOptions,
    timetable: &Timetable,
    shutdown: &Shutdown,
    show: impl Fn(&Result<RunSummary, RunError>) -> Exit,
) -> Result<Exit, RunError> {
    let mut pipeline = trigger::read(path).await?;
    tokio::select! {
        checked = preflight::check(path, &pipeline, options) => checked?,
        _ = shutdown.requested() => return Ok(Exit::Done),
    }
    let mut since = Utc::now();
    while let Some(due) = timetable.next(since) {
        tracing::info!("the next run is due at {}", timetable.show(due));
        match wait(since, due, shutdown, Utc::now).await {
            Waited::Stopped => return Ok(Exit::Done),
            Waited::SetBack(now) => {
                tracing::warn!("the clock was set back");
                since = now;
                continue;
            }
            Waited::Due(now) if now - due > LATE => {
                tracing::warn!("the run was due at {}; it begins late", timetable.show(due));
            }
            Waited::Due(_) => {}
        }
        let attempt = trigger::attempt(path, options, shutdown, |_| {}).await;
        let exit = show(&attempt.result);
        let stopped = shutdown.is_requested();
        attempt.tell(Some(&pipeline), shutdown).await;
        if stopped {
            return Ok(exit);
        }
        if let Some(read) = attempt.pipeline {
            pipeline = read;
        }
        since = Utc::now().max(due);
        left_out(timetable.passed(due, since));
    }
    tracing::warn!("no run is due any more");
    Ok(Exit::Done)
}

/// Says how many due times have passed meanwhile: runs are not doubled.
fn left_out(count: usize) {
    match count {
        0 => {}
        1 => tracing::warn!("a due time has passed meanwhile and is left out"),
        MOST_COUNTED => tracing::warn!("{count} due times or more have passed meanwhile and are left out"),
        _ => tracing::warn!("{count} due times have passed meanwhile and are left out"),
    }
}
