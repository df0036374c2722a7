//! Whether a run may be applied after what was applied to its unit before. What counts is the run that was applied last, by when it was
//! applied; a run whose id or time is ahead of the clock tells nothing of the order and blocks no other.

use super::error::LoadError;
use crate::warehouse::LastApplied;
use chrono::{DateTime, SecondsFormat, Utc};
use contract::report::Remedy;
use contract::run_id::{RunId, latest_moment};
use contract::stored::Checkpoint;

/// Lets a run pass that follows what was applied, perhaps with a warning.
///
/// # Errors
/// The run is older than the one applied last, or ahead of the clock.
pub(super) fn follows(
    run: &RunId,
    checkpoint: Option<&Checkpoint>,
    logged: Option<&LastApplied>,
    now: DateTime<Utc>,
) -> Result<Option<String>, LoadError> {
    let latest = latest_moment(now);
    if run.started() > latest {
        return Err(LoadError::needs(
            Remedy::Force,
            format!(
                "run {run} is ahead of the clock ({}): it came of a clock that was wrong, or an id that was made up, and whether it is newer \
                 than what the table has cannot be told; name the run that is meant by --run-id, or use --force to apply this one",
                now.to_rfc3339_opts(SecondsFormat::Secs, true)
            ),
        ));
    }
    let checkpoint = checkpoint.map(|found| LastApplied { run_id: found.run_id.clone(), at: found.updated_at });
    let applied: Vec<&LastApplied> = checkpoint.iter().chain(logged).collect();
    let is_ahead = |applied: &&&LastApplied| applied.run_id.started() > latest || applied.at > latest;
    let last = applied.iter().filter(|found| !is_ahead(found)).max_by_key(|found| found.at);
    // The six letters of a run id are no order: of two runs in one second neither is older.
    if let Some(last) = last.filter(|last| last.run_id.started() > run.started()) {
        return Err(LoadError::needs(
            Remedy::Force,
            format!(
                "run {run} is older than run {}, which was applied last; load that one, or use --force to apply the older batch over it",
                last.run_id
            ),
        ));
    }
    let ahead = applied.iter().find(is_ahead);
    Ok(ahead.map(|ahead| {
        format!(
            "run {}, which was applied at {}, is ahead of the clock, and is passed over when runs are put in order: set the clock of the machine \
             that made it, and look at `etl_logs`",
            ahead.run_id,
            ahead.at.to_rfc3339_opts(SecondsFormat::Secs, true)
        )
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn applied(run: &str, at: &str) -> LastApplied {
        LastApplied { run_id: format!("{run}-aaaaaa").parse().unwrap(), at: at.parse().unwrap() }
    }

    #[test]
    fn a_run_follows_what_was_applied_last() {
        let now = "2026-06-10T12:00:00Z".parse().unwrap();
        let (early, late, future) = ("20260601T000000Z", "20260609T000000Z", "20991231T235959Z");
        let (may, june) = ("2026-06-02T00:00:00Z", "2026-06-09T00:00:10Z");
        /// The checkpoint, the log, the run; whether it passes, and with a warning.
        type Case<'a> = (Option<(&'a str, &'a str)>, Option<(&'a str, &'a str)>, &'a str, Option<bool>);
        let cases: [Case<'_>; 12] = [
            (None, None, early, Some(false)),
            (Some((late, june)), Some((late, june)), early, None),
            (Some((late, june)), Some((late, june)), late, Some(false)),
            (Some((early, may)), Some((early, may)), late, Some(false)),
            // The checkpoint was not moved after the commit.
            (Some((early, may)), Some((late, june)), early, None),
            // An older run was forced: it is the last one, whatever the log's greatest id.
            (Some((early, "2026-06-10T00:00:00Z")), Some((late, june)), early, Some(false)),
            // What is ahead blocks nobody; what was applied beside it still counts.
            (Some((future, june)), Some((future, june)), late, Some(true)),
            (Some((future, june)), Some((late, june)), early, None),
            (Some((late, "2099-01-01T00:00:00Z")), None, early, Some(true)),
            (None, Some((future, "2099-12-31T23:59:59Z")), late, Some(true)),
            // Nor is it loaded by itself.
            (None, None, future, None),
            (None, None, "20260610T120059Z", Some(false)),
        ];
        for (checkpoint, logged, run, expected) in cases {
            let checkpoint = checkpoint.map(|(run, at)| applied(run, at)).map(|found| Checkpoint {
                run_id: found.run_id,
                state: Value::Null,
                updated_at: found.at,
                covered: None,
                table: None,
            });
            let logged = logged.map(|(run, at)| applied(run, at));
            let run_id = format!("{run}-bbbbbb").parse().unwrap();
            let told = follows(&run_id, checkpoint.as_ref(), logged.as_ref(), now);
            let got = told.as_ref().ok().map(|warning| warning.is_some());
            assert_eq!(got, expected, "{run} after {checkpoint:?} and {logged:?}: {told:?}");
        }
    }
}
