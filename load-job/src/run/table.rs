//! The load of one target table: batches checked, staged together, compared, guarded, applied in one transaction.
//! A batch that fails its checks is left out, the others go on (design, section 7).

use super::error::LoadError;
use super::stage::{self, AskWarehouse, Input, Outcome, Workers};
use super::{Options, TableGroup, UnitWork};
use crate::shape::{BatchContext, TablePlan, hints};
use crate::warehouse::{AccountChange, ChangeRequest, Commit, Counts, Decision, TableName, Warehouse, WarehouseError};
use chrono::Utc;
use contract::batch::{Batch, BatchMode, Write};
use contract::report::{UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::stored::{self, Checkpoint};
use serde_json::Value;
use std::time::Instant;

/// Below this many live rows, a snapshot may delete all of them.
const GUARD_FROM: u64 = 20;
/// The largest share of live rows that a snapshot may delete unless told otherwise.
const MAX_DELETE_FRACTION: f64 = 0.5;

struct Candidate {
    work: UnitWork,
    batch: Batch,
    report: UnitReport,
}

/// Loads a table; one report a unit, in any order. A warehouse that is out of reach is the only error.
pub(super) fn load(
    group: TableGroup,
    options: &Options,
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
) -> Result<Vec<UnitReport>, WarehouseError> {
    let mut reports = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    for work in group.units {
        let report = UnitReport::start(&work.unit, &group.table.table, Utc::now());
        let checked = check(&work, options, run_id, workers, warehouse);
        match checked.and_then(|batch| fits_with(&candidates, &work, batch)) {
            Ok(batch) => candidates.push(Candidate { work, batch, report }),
            Err(LoadError::Warehouse(error @ WarehouseError::Unreachable { .. })) => return Err(error),
            Err(error) => reports.push(report.fail(error.to_string(), Utc::now())),
        }
    }
    let mut units: Vec<UnitReport> = candidates.iter().map(|candidate| candidate.report.clone()).collect();
    if !candidates.is_empty() {
        let mut unreachable = None;
        let result = load_candidates(&group.table, candidates, options, run_id, workers, warehouse, &mut units);
        if let Err(error) = result {
            let message = error.to_string();
            if let LoadError::Warehouse(error @ WarehouseError::Unreachable { .. }) = error {
                unreachable = Some(error);
            }
            units = units
                .into_iter()
                .map(
                    |unit| {
                        if unit.status == UnitStatus::Failed { unit } else { unit.fail(message.clone(), Utc::now()) }
                    },
                )
                .collect();
        }
        if let Err(error) = warehouse.drop_staging() {
            tracing::warn!(table = %group.table, %error, "failed to drop the staging table; it expires by itself");
        }
        if let Some(error) = unreachable {
            return Err(error);
        }
    }
    reports.extend(units);
    Ok(reports)
}

/// The unit's batch, if it is there and may be loaded.
fn check(
    work: &UnitWork,
    options: &Options,
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
) -> Result<Batch, LoadError> {
    let unit = &work.unit;
    if let Some(rival) = &work.rival {
        return Err(LoadError::Refused(format!(
            "{rival} writes into the same table for the same account: their rows could not be told apart; give one of the streams another `table`"
        )));
    }
    let batch = workers.runtime.block_on(stored::read_batch(workers.landing, unit, run_id))?.ok_or_else(|| {
        LoadError::Refused(format!("run {run_id} has no complete batch of {unit}: its extract failed or was not run; the table is left as it is"))
    })?;
    let checkpoint = workers.runtime.block_on(stored::read_checkpoint(workers.landing, unit))?;
    let applied = checkpoint.map(|checkpoint| checkpoint.run_id).max(warehouse.last_applied(unit)?);
    // The six letters of a run id are no order: of two runs in one second neither is older.
    let second = |run: &RunId| run.as_str().split('-').next().unwrap_or_default().to_owned();
    if let Some(applied) = applied.filter(|applied| second(applied) > second(run_id) && !options.force) {
        return Err(LoadError::Refused(format!(
            "run {run_id} is older than run {applied}, which was applied already; load that one, or use --force to apply the older batch over it"
        )));
    }
    let continues =
        batch.mode == BatchMode::Incremental && batch.state_before.as_ref().is_some_and(|state| !state.is_null());
    if continues && warehouse.last_applied(unit)?.is_none() {
        return Err(LoadError::Refused(
            "the batch holds only what changed since an earlier run, but this warehouse has nothing of that run; extract the stream again with --full-refresh".into(),
        ));
    }
    Ok(batch)
}

/// Whether a batch can go into the table together with the others.
fn fits_with(others: &[Candidate], work: &UnitWork, batch: Batch) -> Result<Batch, LoadError> {
    let write = work.settings.write.unwrap_or(batch.write_mode());
    if write == Write::Merge && batch.primary_key.is_empty() {
        return Err(LoadError::Refused(
            "`write: merge` needs a primary key, and the stream has none; use replace or append".into(),
        ));
    }
    if write == Write::Replace && batch.mode != BatchMode::Snapshot {
        return Err(LoadError::Refused(
            "`write: replace` needs a snapshot; set `mode: snapshot` or `write: append`".into(),
        ));
    }
    if let Some(other) = others.first() {
        let same = other.batch.primary_key == batch.primary_key && write_mode(other) == write;
        if !same {
            return Err(LoadError::Refused(format!(
                "{} writes into the same table with another primary key or another `write`; give one of the streams another `table`",
                other.work.unit
            )));
        }
    }
    Ok(batch)
}

fn write_mode(candidate: &Candidate) -> Write {
    candidate.work.settings.write.unwrap_or(candidate.batch.write_mode())
}

/// Loads what passed the checks; fills in `units`, which are in the order of `candidates`.
fn load_candidates(
    table: &TableName,
    candidates: Vec<Candidate>,
    options: &Options,
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
    units: &mut [UnitReport],
) -> Result<(), LoadError> {
    let existing = warehouse.describe(table)?;
    let write = candidates.first().map_or(Write::Merge, write_mode);
    let hints =
        candidates.first().map(|c| hints(c.batch.schema.as_ref(), &c.work.settings.columns)).unwrap_or_default();
    let (inputs, works): (Vec<Input>, Vec<UnitWork>) = candidates
        .into_iter()
        .map(|candidate| {
            let keys = if write == Write::Merge { candidate.batch.primary_key.clone() } else { Vec::new() };
            let context = BatchContext { account: candidate.batch.account.clone(), keys };
            (Input { batch: candidate.batch, context }, candidate.work)
        })
        .unzip();
    let mut clock = Clock::start(table);
    let (plan, outcomes) = stage::stage(workers, &inputs, warehouse, |warehouse, observed| {
        let mut widening = AskWarehouse { warehouse, table };
        Ok(TablePlan::make(existing.as_deref(), &hints, observed, &mut widening)?)
    })?;

    clock.phase("staged");
    // What is staged may be a part only; and a lost lease means that another run is at work.
    if let Some(reason) = workers.shutdown.reason() {
        return Err(LoadError::Refused(format!("stopped by {reason} before anything was changed")));
    }

    let mut decision = Decision::default();
    for (((unit, work), input), outcome) in units.iter_mut().zip(&works).zip(&inputs).zip(outcomes) {
        unit.mode = input.batch.mode.as_str().to_owned();
        unit.rows_extracted = input.batch.records;
        unit.bytes = input.batch.bytes;
        if let Some(problem) = take_outcome(outcome, unit, work, run_id, workers, options)? {
            *unit = unit.clone().fail(problem, Utc::now());
            decision.excluded.push(input.batch.account.clone());
        }
    }
    let column = |field: &String| plan.own_column(field).map(|column| column.name.clone());
    let keys: Option<Vec<String>> =
        inputs.first().map(|input| input.context.keys.iter().map(column).collect()).unwrap_or_default();
    // Without a single accepted record there may be no key column yet; then there is nothing to compare either.
    let Some(keys) = keys else {
        return finish_empty(table, &inputs, &works, units, run_id, workers, warehouse, options);
    };
    let request = ChangeRequest {
        table: table.clone(),
        write,
        keys,
        cursor: inputs.first().and_then(|input| input.batch.cursor_field.as_ref()).and_then(column),
        accounts: inputs.iter().zip(units.iter()).map(|(input, unit)| account_change(&input.batch, unit)).collect(),
        rewrite: options.rewrite,
        table_exists: existing.is_some(),
    };
    let counts = with_memory(warehouse, |warehouse| warehouse.change_set(&request))?;
    clock.phase("compared");
    for (((unit, work), input), counts) in units.iter_mut().zip(&works).zip(&inputs).zip(&counts) {
        if unit.status != UnitStatus::Failed {
            judge(unit, work, &input.batch, *counts, write, options, &mut decision);
        }
    }
    if options.dry_run {
        return Ok(());
    }
    let done: Vec<UnitReport> = units
        .iter()
        .filter(|unit| unit.status != UnitStatus::Failed)
        .map(|unit| unit.clone().finish(Utc::now()))
        .collect();
    if !done.is_empty() {
        commit(&request, &plan, &decision, &done, run_id, warehouse)?;
        clock.phase("applied");
        let mut costs = done;
        warehouse.spent().share(&mut costs);
        for unit in units.iter_mut() {
            if let Some(cost) = costs.iter().find(|cost| cost.unit() == unit.unit()) {
                (unit.bytes_processed, unit.bytes_billed) = (cost.bytes_processed, cost.bytes_billed);
            }
        }
    }
    for ((unit, input), _) in units.iter_mut().zip(&inputs).zip(&works) {
        if unit.status != UnitStatus::Failed {
            *unit = unit.clone().finish(Utc::now());
            if let Err(error) = move_checkpoint(&input.batch, run_id, workers) {
                let message =
                    format!("its rows are committed, but its checkpoint was not moved: {error}; load the run again");
                *unit = unit.clone().fail(message, Utc::now());
            }
        }
    }
    Ok(())
}

/// Does a step again with more memory for as long as that is what it lacks and there is more to take.
fn with_memory<T>(
    warehouse: &mut dyn Warehouse,
    mut step: impl FnMut(&mut dyn Warehouse) -> Result<T, WarehouseError>,
) -> Result<T, WarehouseError> {
    loop {
        match step(warehouse) {
            Err(error @ WarehouseError::OutOfMemory { .. }) => {
                if !warehouse.take_more_memory()? {
                    return Err(error);
                }
            }
            other => return other,
        }
    }
}

/// Tells how long each phase of a table's load took.
struct Clock<'a> {
    table: &'a TableName,
    since: Instant,
}

impl<'a> Clock<'a> {
    fn start(table: &'a TableName) -> Self {
        Self { table, since: Instant::now() }
    }

    fn phase(&mut self, phase: &str) {
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        tracing::debug!(table = %self.table, duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "{phase}");
    }
}

fn commit(
    request: &ChangeRequest,
    plan: &TablePlan,
    decision: &Decision,
    done: &[UnitReport],
    run_id: &RunId,
    warehouse: &mut dyn Warehouse,
) -> Result<(), LoadError> {
    let changed = done.iter().any(|unit| unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0);
    if changed || !request.table_exists {
        let commit = Commit { run_id, synced: Utc::now(), units: done };
        with_memory(warehouse, |warehouse| warehouse.apply(request, plan, decision, &commit))?;
    } else {
        warehouse.log(run_id, "load", done)?;
    }
    Ok(())
}

/// All records were rejected or there were none, and the table has no key column: only the log and the checkpoints are left to do.
#[expect(clippy::too_many_arguments, reason = "the tail of one function, split off because it is another case")]
fn finish_empty(
    table: &TableName,
    inputs: &[Input],
    works: &[UnitWork],
    units: &mut [UnitReport],
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
    options: &Options,
) -> Result<(), LoadError> {
    tracing::info!(%table, units = works.len(), "no records and no columns yet: the table is made with the first record");
    if options.dry_run {
        return Ok(());
    }
    for (unit, input) in units.iter_mut().zip(inputs) {
        if unit.status != UnitStatus::Failed {
            *unit = unit.clone().finish(Utc::now());
            warehouse.log(run_id, "load", std::slice::from_ref(unit))?;
            move_checkpoint(&input.batch, run_id, workers)?;
        }
    }
    Ok(())
}

/// What the pass says of a batch; the reason if the batch must be left out.
fn take_outcome(
    outcome: Outcome,
    unit: &mut UnitReport,
    work: &UnitWork,
    run_id: &RunId,
    workers: &Workers<'_>,
    options: &Options,
) -> Result<Option<String>, LoadError> {
    if let Some(error) = outcome.error {
        return Ok(Some(error.to_string()));
    }
    let rejects = outcome.rejects;
    unit.rows_rejected = rejects.count;
    let allowed = work.settings.max_bad_records.unwrap_or(0);
    let reason = rejects.first_reason.clone().unwrap_or_default();
    if rejects.count > 0
        && !options.dry_run
        && let Err(error) = rejects.store(workers.landing, workers.runtime, &work.unit, run_id)
    {
        return Ok(Some(format!("its rejects cannot be kept: {error}")));
    }
    if unit.rows_rejected > allowed {
        let kept = contract::landing::paths::rejects(&work.unit, run_id);
        return Ok(Some(format!(
            "{} records cannot be loaded (allowed: {allowed}); the first: {reason}; all are kept under {kept}; see max_bad_records",
            unit.rows_rejected
        )));
    }
    if unit.rows_rejected > 0 {
        unit.warnings.push(format!("{} records were rejected; the first: {reason}", unit.rows_rejected));
    }
    Ok(None)
}

fn account_change(batch: &Batch, unit: &UnitReport) -> AccountChange {
    // A rejected record may be one of the rows that would be deleted.
    let whole = batch.mode == BatchMode::Snapshot && batch.stable && unit.rows_rejected == 0;
    AccountChange {
        account: batch.account.clone(),
        may_delete: whole && unit.status != UnitStatus::Failed,
        named: None,
    }
}

/// Takes the counts over into the report, holds deletes back, and fails the unit if it would delete too much.
fn judge(
    unit: &mut UnitReport,
    work: &UnitWork,
    batch: &Batch,
    counts: Counts,
    write: Write,
    options: &Options,
    decision: &mut Decision,
) {
    (unit.rows_inserted, unit.rows_updated, unit.rows_unchanged) = (counts.inserted, counts.updated, counts.unchanged);
    unit.rows_deleted = counts.deleted;
    let doubled = write == Write::Merge && counts.distinct < counts.staged;
    if batch.mode == BatchMode::Snapshot && (doubled || !batch.stable) {
        let why = if doubled { "it holds a key twice" } else { "the data changed while it was read" };
        unit.warnings.push(format!("the snapshot is not stable ({why}): its inserts and updates are loaded, deletes are held back until the next run"));
        unit.rows_deleted = 0;
        decision.keep.push(batch.account.clone());
    }
    let limit = work.settings.max_delete_fraction.unwrap_or(MAX_DELETE_FRACTION);
    // What is replaced has changed its content, not gone.
    let gone =
        if write == Write::Replace { unit.rows_deleted.saturating_sub(unit.rows_inserted) } else { unit.rows_deleted };
    let too_many = counts.live >= GUARD_FROM && gone as f64 > limit * counts.live as f64;
    if too_many && !options.allow_mass_delete {
        let message = format!(
            "the snapshot would delete {gone} of {} live rows, more than max_delete_fraction {limit} allows; nothing of it was loaded; if that is right, load again with --allow-mass-delete",
            counts.live
        );
        (unit.rows_inserted, unit.rows_updated, unit.rows_deleted, unit.rows_unchanged) = (0, 0, 0, 0);
        *unit = unit.clone().fail(message, Utc::now());
        decision.excluded.push(batch.account.clone());
    }
}

/// Moves the unit's checkpoint to the batch that was just committed. A backfill never moves it.
fn move_checkpoint(batch: &Batch, run_id: &RunId, workers: &Workers<'_>) -> Result<(), LoadError> {
    if batch.mode == BatchMode::Window {
        return Ok(());
    }
    let checkpoint = Checkpoint {
        run_id: run_id.clone(),
        state: batch.state_after.clone().unwrap_or(Value::Null),
        updated_at: Utc::now(),
        covered: None,
    };
    let path = contract::landing::paths::checkpoint(&batch.unit());
    Ok(workers.runtime.block_on(stored::write(workers.landing, &path, &checkpoint))?)
}
