//! The end of a table's load: what is written beside the rows, what is told of the units, and the checkpoints and suspects that they leave.

use super::Options;
use super::absent::{Settled, covered_after, keep_suspects};
use super::attempt::Attempt;
use super::check::{Candidate, Checked};
use super::error::LoadError;
use super::pass::SIDE_BY_SIDE;
use crate::shape::TablePlan;
use crate::warehouse::{Commit, Counts, Identity, Remember, Spent, Staged, TableId, TableName, WarehouseError};
use chrono::{DateTime, Utc};
use contract::batch::BatchMode;
use contract::evidence::ReadingScope;
use contract::landing::Landing;
use contract::report::{UnitReport, UnitStatus};
use contract::round::Round;
use contract::stored::{self, Checkpoint};
use futures::stream::{self, StreamExt};
use serde_json::Value;

/// What the end of an attempt needs.
pub(super) struct Finish<'a> {
    pub(super) job: &'a Attempt<'a>,
    pub(super) table: TableName,
    /// The identity that the table has, or gets with this load.
    pub(super) identity: Identity,
}

impl Finish<'_> {
    /// Whether anything of the table changes, or it is yet to be made.
    pub(super) fn changes_something(&self, units: &[UnitReport], plan: &TablePlan, is_new: bool) -> bool {
        let has_changes = |unit: &UnitReport| {
            unit.status != UnitStatus::Failed && unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0
        };
        let is_retyped = self.job.options.rewrite && !plan.changes.is_empty();
        is_new || is_retyped || units.iter().any(has_changes)
    }

    /// Writes what belongs to the units that have not failed. `told` is added to their warnings.
    pub(super) fn commit<T>(
        &self,
        units: &[UnitReport],
        told: &[String],
        synced: DateTime<Utc>,
        write: impl FnOnce(&Commit<'_>) -> Result<T, WarehouseError>,
    ) -> Result<T, LoadError> {
        self.write(units, told, synced, Some(&self.identity), write)
    }

    fn write<T>(
        &self,
        units: &[UnitReport],
        told: &[String],
        synced: DateTime<Utc>,
        identity: Option<&Identity>,
        write: impl FnOnce(&Commit<'_>) -> Result<T, WarehouseError>,
    ) -> Result<T, LoadError> {
        let mut done: Vec<UnitReport> = units
            .iter()
            .filter(|unit| unit.status != UnitStatus::Failed)
            .map(|unit| unit.clone().finish(Utc::now()))
            .collect();
        done.iter_mut().for_each(|unit| unit.warnings.extend(told.iter().cloned()));
        let memory = self.job.candidates.iter().map(|candidate| candidate.checked.memory.clone()).collect();
        let remember = of_units(memory, &done, synced);
        let stage = stage_name(self.job.options);
        Ok(write(&Commit { run_id: self.job.run_id, stage, synced, units: &done, identity, remember: &remember })?)
    }

    /// Tells in the units' reports what was done, and what it has cost.
    pub(super) fn tell(&self, units: &mut [UnitReport], told: &[String], spent: Spent) {
        let is_done = |unit: &UnitReport| unit.status != UnitStatus::Failed;
        let mut costs: Vec<UnitReport> = units.iter().filter(|unit| is_done(unit)).cloned().collect();
        spent.share(&mut costs);
        for (unit, cost) in units.iter_mut().filter(|unit| is_done(unit)).zip(costs) {
            unit.warnings.extend(told.iter().cloned());
            (unit.bytes_processed, unit.bytes_billed) = (cost.bytes_processed, cost.bytes_billed);
        }
    }

    /// Ends the units whose rows are committed: their suspects are written down, and their checkpoints move.
    pub(super) fn keep(&self, units: &mut [UnitReport], settled: Vec<Settled>, counts: &[Counts]) {
        let identity = Some(&self.identity.id);
        let each = units.iter_mut().zip(self.job.candidates).zip(settled).zip(counts);
        let done = each.filter(|(((unit, _), _), _)| unit.status != UnitStatus::Failed);
        let keep =
            async |(((unit, candidate), settled), counts): (((&mut UnitReport, &Candidate), Settled), &Counts)| {
                *unit = unit.clone().finish(Utc::now());
                let (checked, landing) = (&candidate.checked, self.job.workers.landing);
                let covered = covered_before(checked, counts.live);
                let kept = match keep_suspects(checked, settled, landing).await {
                    Ok(()) => move_checkpoint(checked, identity, covered.as_ref(), landing).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = kept {
                    let message = format!(
                        "its rows are committed, but its checkpoint was not moved: {error}; load the run again"
                    );
                    *unit = unit.clone().fail(message, Utc::now());
                }
            };
        let all = stream::iter(done).map(keep).buffer_unordered(SIDE_BY_SIDE).collect::<()>();
        self.job.workers.runtime.block_on(all);
    }

    /// All records were rejected or there were none, and the table has no key column: only the log and the checkpoints are left to do.
    pub(super) fn without_columns(
        &self,
        mut staged: Box<dyn Staged<'_> + '_>,
        units: &mut [UnitReport],
    ) -> Result<(), LoadError> {
        tracing::info!(table = %self.table, units = units.len(), "no records and no columns yet: the table is made with the first record");
        if self.job.options.dry_run {
            return Ok(());
        }
        let identity = staged.target().existing().map(|_| self.identity.clone());
        self.write(units, &[], Utc::now(), identity.as_ref(), |commit| staged.record(commit))?;
        for (unit, candidate) in units.iter_mut().zip(self.job.candidates) {
            if unit.status != UnitStatus::Failed {
                *unit = unit.clone().finish(Utc::now());
                let covered = covered_before(&candidate.checked, 0);
                let id = identity.as_ref().map(|identity| &identity.id);
                let landing = self.job.workers.landing;
                let moved = move_checkpoint(&candidate.checked, id, covered.as_ref(), landing);
                self.job.workers.runtime.block_on(moved)?;
            }
        }
        Ok(())
    }
}

/// How far back the rows of the table reach; none if it has none, or if a program of before has loaded them all, which deleted what was
/// older than its last reading.
pub(super) fn covered_before(checked: &Checked, live: u64) -> Option<ReadingScope> {
    match &checked.checkpoint {
        Some(checkpoint) => checkpoint.covered.clone(),
        None if live > 0 => Some(ReadingScope::default()),
        None => None,
    }
}

fn stage_name(options: &Options) -> String {
    (if options.confirm { Round::Confirm } else { Round::First }).stage("load")
}

/// What is remembered of the units that are done; `synced` is the instant of the rows that they write.
fn of_units(memory: Vec<Remember>, done: &[UnitReport], synced: DateTime<Utc>) -> Vec<Remember> {
    let of_unit = |mut memory: Remember| {
        let unit = done.iter().find(|unit| unit.unit() == memory.applied.unit)?;
        // Rows that are only replaced by fewer leave nothing behind that has the instant.
        if unit.rows_inserted + unit.rows_updated > 0 {
            memory.applied.synced = Some(synced);
        }
        Some(memory)
    };
    memory.into_iter().filter_map(of_unit).collect()
}

/// Moves the unit's checkpoint to the batch that was just committed. A backfill never moves it, but may have brought rows from before
/// the start of all readings.
async fn move_checkpoint(
    checked: &Checked,
    table: Option<&TableId>,
    covered: Option<&ReadingScope>,
    landing: &dyn Landing,
) -> Result<(), LoadError> {
    let batch = &checked.batch;
    let covered = covered_after(batch, covered);
    let checkpoint = match (batch.mode, &checked.checkpoint) {
        (BatchMode::Confirm, _) | (BatchMode::Window, None) => return Ok(()),
        (BatchMode::Window, Some(before)) if before.covered.as_ref().is_none_or(|before| *before == covered) => {
            return Ok(());
        }
        (BatchMode::Window, Some(before)) => Checkpoint { covered: Some(covered), ..before.clone() },
        (BatchMode::Snapshot | BatchMode::Incremental, _) => Checkpoint {
            run_id: batch.run_id.clone(),
            state: batch.state_after.clone().unwrap_or(Value::Null),
            updated_at: Utc::now(),
            covered: Some(covered),
            table: table.map(|id| id.as_str().to_owned()),
        },
    };
    let path = contract::landing::paths::checkpoint(&batch.unit());
    Ok(stored::write(landing, &path, &checkpoint).await?)
}
