//! Streams that are read less often than the pipeline runs (`every` in a stream's entry): which units this run leaves alone.
//! Such a unit has no part in the run: nothing of it is read, loaded, deleted or moved.

use super::plan::{AccountPlan, WorkUnit};
use super::{ExtractError, Options, Shared};
use chrono::{DateTime, TimeDelta, Utc};
use contract::pipeline::Span;
use contract::report::{UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::stored::{self, StoredError};
use contract::unit::Unit;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeMap;

/// Runs never begin at the same second, and one may have waited for another: a stream is due so much earlier, or a tenth of its rhythm if
/// that is less. Without it a stream of `24h` would be left out by every second run of a daily schedule.
const SLACK: TimeDelta = TimeDelta::hours(1);

/// How many checkpoints are looked at at a time: in a bucket each is a call.
const SIDE_BY_SIDE: usize = 32;

/// The units that are not due, and why. What the command line names is read whatever its rhythm: streams by name, spans, everything
/// from the start.
pub(super) async fn not_due(
    accounts: &[AccountPlan],
    options: &Options,
    shared: &Shared,
) -> Result<BTreeMap<Unit, String>, ExtractError> {
    let by_hand = !options.selection.streams.is_empty()
        || options.full_refresh
        || options.range.is_some()
        || options.limit.is_some();
    if by_hand {
        return Ok(BTreeMap::new());
    }
    let works = accounts.iter().flat_map(|account| &account.units);
    let asked = works.filter_map(|work| Some(look(&work.unit, work.every?, shared)));
    let found: Vec<Option<(Unit, String)>> = stream::iter(asked).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The unit and why it is not due, if it is not.
async fn look(unit: &Unit, every: Span, shared: &Shared) -> Result<Option<(Unit, String)>, ExtractError> {
    let landing = shared.landing.as_ref();
    let last = match stored::read_checkpoint(landing, unit).await {
        Ok(Some(checkpoint)) => checkpoint.run_id,
        // One that is broken is told by the unit's own reading.
        Ok(None) | Err(StoredError::Malformed { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(why) = early(&last, &shared.run.run, every, shared.now) else { return Ok(None) };
    // Tried again, a run goes on with what it has begun.
    let is_begun = !stored::read_batch(landing, unit, &shared.run).await.is_ok_and(|batch| batch.is_none());
    Ok((!is_begun).then(|| (unit.clone(), why)))
}

/// Why a unit is not due whose newest loaded batch is of the run `last`; ages are those of the runs, since the schedule starts them.
fn early(last: &RunId, run: &RunId, every: Span, now: DateTime<Utc>) -> Option<String> {
    let every_delta = every.delta();
    // A run that is tried again long after its id was made is as late as the clock says.
    let age = run.started().max(now) - last.started();
    let is_due = age < TimeDelta::zero() || age + (every_delta / 10).min(SLACK) >= every_delta;
    (!is_due).then(|| {
        let age = Span::seconds(age.num_minutes().unsigned_abs() * 60);
        format!("it is read every {every}, and was read {age} ago by run {last}")
    })
}

/// The report of a unit that is left alone.
pub(super) fn report(work: &WorkUnit, why: &str) -> UnitReport {
    let now = Utc::now();
    let mut report = UnitReport::start(&work.unit, &work.table, now);
    report.status = UnitStatus::Skipped;
    report.not_due = Some(why.to_owned());
    report.finish(now)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_due_by_the_starts_of_runs() {
        let run = |time: &str| -> RunId { format!("202601{time}Z-aaaaaa").parse().unwrap() };
        let now = |time: &str| format!("2026-01-{}T{}:{}:00Z", &time[..2], &time[3..5], &time[5..7]).parse().unwrap();
        for (last, this, every, due) in [
            ("10T023000", "11T023000", "24h", true),
            ("10T023007", "11T023001", "24h", true),
            // It had waited for another run.
            ("10T031500", "11T023000", "24h", true),
            ("10T023000", "10T143000", "24h", false),
            ("10T023000", "11T010000", "24h", false),
            ("10T023000", "10T032500", "1h", true),
            ("10T023000", "10T032000", "1h", false),
            // A clock was wrong.
            ("12T000000", "11T000000", "24h", true),
        ] {
            let why = early(&run(last), &run(this), every.parse().unwrap(), now(this));
            assert_eq!(why.is_none(), due, "{last} {this} {every}: {why:?}");
        }
        let why = early(&run("10T023000"), &run("10T143000"), "24h".parse().unwrap(), now("10T143000"));
        assert_eq!(why.unwrap(), "it is read every 24h, and was read 12h ago by run 20260110T023000Z-aaaaaa");
    }
}
