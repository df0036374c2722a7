//! What is judged of a batch between staging and applying: rejected records, deletes that are held back, and the guard against mass deletion.

use super::absent::{self, Absence};
use super::error::LoadError;
use super::pass::{Outcome, Workers};
use super::{Options, UnitWork};
use crate::read::ReadError;
use crate::warehouse::{Counts, Decision};
use chrono::Utc;
use contract::batch::{Batch, BatchMode, Write};
use contract::evidence::ReadingScope;
use contract::report::{Remedy, UnitReport};
use contract::round::RunRound;
use contract::run_id::RunId;

/// Below this many live rows, a snapshot may delete all of them.
const GUARD_FROM: u64 = 20;
/// The largest share of live rows that a snapshot may delete unless told otherwise.
const MAX_DELETE_FRACTION: f64 = 0.5;

/// What the pass says of a batch; the reason if the batch must be left out.
pub(super) fn take_outcome(
    outcome: Outcome,
    unit: &mut UnitReport,
    work: &UnitWork,
    run_id: &RunId,
    workers: &Workers<'_>,
    options: &Options,
) -> Result<Option<String>, LoadError> {
    if let Some(error) = outcome.error {
        unit.remedy = remedy(&error);
        return Ok(Some(error.to_string()));
    }
    let reading = RunRound { run: run_id.clone(), round: work.round };
    let rejects = outcome.rejects;
    unit.rows_rejected = rejects.count;
    let allowed = work.settings.max_bad_records.unwrap_or(0);
    let reason = rejects.first_reason.clone().unwrap_or_default();
    let advice = rejects.advice();
    if rejects.count > 0
        && !options.dry_run
        && let Err(error) = rejects.store(workers.landing, workers.runtime, &work.unit, &reading)
    {
        return Ok(Some(format!("its rejects cannot be kept: {error}")));
    }
    if unit.rows_rejected > allowed {
        let kept = contract::landing::paths::rejects(&work.unit, &reading);
        return Ok(Some(format!(
            "{} records cannot be loaded (allowed: {allowed}); the first: {reason}; all are kept under {kept}{advice}",
            unit.rows_rejected
        )));
    }
    if unit.rows_rejected > 0 {
        unit.warnings.push(format!("{} records were rejected; the first: {reason}", unit.rows_rejected));
    }
    Ok(None)
}

/// The units whose batches could not be read again, by their places. What they held was not applied.
pub(super) fn damage(outcomes: Vec<Outcome>, units: &mut [UnitReport]) -> Vec<usize> {
    let mut damaged = Vec::new();
    for (index, (outcome, unit)) in outcomes.into_iter().zip(units).enumerate() {
        if let Some(error) = outcome.error {
            *unit = undone(unit.clone()).fail(error.to_string(), Utc::now());
            unit.remedy = remedy(&error);
            damaged.push(index);
        }
    }
    damaged
}

/// A part that is damaged stays so.
fn remedy(error: &ReadError) -> Option<Remedy> {
    matches!(error, ReadError::Damaged { .. }).then_some(Remedy::AnotherRun)
}

/// What the counts of a change set are judged by.
pub(super) struct Case<'a> {
    pub(super) work: &'a UnitWork,
    pub(super) batch: &'a Batch,
    pub(super) counts: Counts,
    pub(super) write: Write,
    pub(super) absence: &'a Absence,
    /// How far back the rows of the table reach, if that is known.
    pub(super) covered: Option<&'a ReadingScope>,
    /// A later batch was applied before it.
    pub(super) is_older: bool,
}

impl Case<'_> {
    /// Takes the counts over into the report, holds deletes back, and fails the unit if it would delete too much. Whether its deletes are
    /// held back.
    pub(super) fn judge(&self, unit: &mut UnitReport, options: &Options, decision: &mut Decision) -> bool {
        let Self { work, batch, counts, write, .. } = *self;
        (unit.rows_inserted, unit.rows_updated, unit.rows_unchanged) =
            (counts.inserted, counts.updated, counts.unchanged);
        unit.rows_repeated = counts.staged.saturating_sub(counts.distinct);
        unit.rows_deleted = if self.absence.counts() { counts.deleted } else { 0 };
        let held = self.reason_to_hold();
        if let Some(reason) = &held {
            unit.warnings.push(format!("deletes are held back: {reason}"));
            unit.rows_deleted = 0;
            decision.keep.push(batch.account.clone());
        } else if !self.absence.counts() {
            decision.keep.push(batch.account.clone());
        }
        let limit = work.settings.max_delete_fraction.unwrap_or(MAX_DELETE_FRACTION);
        // What is replaced has changed its content, not gone.
        let gone = if write.removes_absent() {
            unit.rows_deleted.saturating_sub(unit.rows_inserted)
        } else {
            unit.rows_deleted
        };
        let gone = gone.saturating_sub(self.absence.allowed());
        let too_many = counts.live >= GUARD_FROM && gone as f64 > limit * counts.live as f64;
        if too_many && !options.allow_mass_delete {
            let message = format!(
                "the snapshot would delete {gone} of {} live rows, more than max_delete_fraction {limit} allows; nothing of it was loaded; if that is right, load again with --allow-mass-delete",
                counts.live
            );
            *unit = undone(unit.clone()).fail(message, Utc::now()).needing(Some(Remedy::AllowMassDelete));
            decision.excluded.push(batch.account.clone());
        }
        held.is_some()
    }

    fn reason_to_hold(&self) -> Option<String> {
        let Self { batch, counts, .. } = self;
        // Of a stream in partitions, two may list the same row.
        let is_one_list = batch.evidence.as_ref().is_none_or(|evidence| !evidence.is_partitioned);
        let is_whole_list = batch.mode == BatchMode::Snapshot && batch.is_whole() && is_one_list;
        if self.write.is_by_key() && counts.distinct < counts.staged && is_whole_list {
            let (records, keys) = (counts.staged, counts.distinct);
            return Some(format!("the reading holds a key twice ({records} records, {keys} keys): pages have shifted"));
        }
        reason_to_hold(batch, self.covered, self.is_older)
    }
}

/// Why a batch takes no rows away, as far as that is known before it is compared.
pub(super) fn reason_to_hold(batch: &Batch, covered: Option<&ReadingScope>, is_older: bool) -> Option<String> {
    match batch.mode {
        BatchMode::Snapshot => {}
        BatchMode::Confirm => return absent::reason_to_hold(batch, None, is_older),
        BatchMode::Incremental | BatchMode::Window => return None,
    }
    if !batch.is_whole() {
        let told = batch.evidence.as_ref().and_then(|evidence| evidence.reasons(|_| true));
        return Some(told.unwrap_or_else(|| "the reading is not known to be whole".into()));
    }
    absent::reason_to_hold(batch, covered, is_older)
}

/// The report of a unit of which nothing was applied: what would have been done is not told as done.
pub(super) fn undone(unit: UnitReport) -> UnitReport {
    UnitReport {
        rows_inserted: 0,
        rows_updated: 0,
        rows_deleted: 0,
        rows_unchanged: 0,
        rows_repeated: 0,
        rows_suspected: 0,
        ..unit
    }
}
