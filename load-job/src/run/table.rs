//! The load of one target table: batches checked, staged together, compared, guarded, applied in one transaction.
//! A batch that fails its checks is left out, the others go on (design, section 7).

use super::continuity::{self, Known};
use super::error::LoadError;
use super::stage::{self, AskWarehouse, Input, Outcome, Workers};
use super::{Options, TableGroup, UnitWork};
use crate::shape::{BatchContext, TablePlan, hints};
use crate::warehouse::{
    AccountChange, Applied, ChangeRequest, Commit, Counts, Decision, ExistingTable, FULL, Identity, Remember, TableId,
    TableName, Warehouse, WarehouseError, state_digest,
};
use chrono::{DateTime, Utc};
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
    memory: Remember,
    /// When the newest rows were written that the batch takes for granted.
    newest: Option<DateTime<Utc>>,
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
    let begin = |work: &UnitWork| UnitReport::start(&work.unit, &group.table.table, Utc::now());
    let existing = match warehouse.describe(&group.table) {
        Ok(existing) => existing,
        Err(error @ WarehouseError::Unreachable { .. }) => return Err(error),
        Err(error) => {
            let fail = |work: &UnitWork| begin(work).fail(error.to_string(), Utc::now());
            return Ok(group.units.iter().map(fail).collect());
        }
    };
    let target = Target { table: &group.table, existing: existing.as_ref() };
    for work in group.units {
        let report = begin(&work);
        let checked = check(&work, target, options, run_id, workers, warehouse);
        match checked.and_then(|(batch, known)| Ok((fits_with(&candidates, &work, batch)?, known))) {
            Ok((batch, (memory, newest))) => candidates.push(Candidate { work, batch, report, memory, newest }),
            Err(LoadError::Warehouse(error @ WarehouseError::Unreachable { .. })) => return Err(error),
            Err(error) => reports.push(report.fail(error.to_string(), Utc::now())),
        }
    }
    let mut units: Vec<UnitReport> = candidates.iter().map(|candidate| candidate.report.clone()).collect();
    if !candidates.is_empty() {
        let mut unreachable = None;
        let result = load_candidates(target, candidates, options, run_id, workers, warehouse, &mut units);
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

/// The table that is loaded, as it is before.
#[derive(Debug, Clone, Copy)]
struct Target<'a> {
    table: &'a TableName,
    existing: Option<&'a ExistingTable>,
}

impl Target<'_> {
    /// The identity that the table has, or gets with this load.
    fn identity(self) -> Identity {
        match self.existing {
            None => Identity { id: TableId::of_new_table(), is_new: true },
            Some(ExistingTable { id: Some(id), .. }) => Identity { id: id.clone(), is_new: false },
            Some(_) => Identity { id: TableId::of_old_table(), is_new: true },
        }
    }
}

/// The unit's batch, if it is there and may be loaded, and what is to be remembered of it then.
fn check(
    work: &UnitWork,
    target: Target<'_>,
    options: &Options,
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
) -> Result<(Batch, (Remember, Option<DateTime<Utc>>)), LoadError> {
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
    let last = warehouse.last_applied(unit)?;
    let remembered = warehouse.remembered(target.existing.and_then(|table| table.id.as_ref()), unit)?;
    let known = Known {
        table: target.table,
        existing: target.existing,
        remembered: &remembered,
        checkpoint: checkpoint.as_ref(),
        loaded_before: last.is_some(),
    };
    if let Some(other) = known.other_writer(unit).filter(|_| !options.take_over) {
        return Err(LoadError::Refused(format!(
            "the rows of account {} in table {} were written by {other}, and now {unit} would write them; give one of the streams another `table`, or load with --take-over if {unit} is to have them from now on",
            unit.account, target.table
        )));
    }
    let applied = checkpoint.as_ref().map(|checkpoint| checkpoint.run_id.clone()).max(last);
    // The six letters of a run id are no order: of two runs in one second neither is older.
    let second = |run: &RunId| run.as_str().split('-').next().unwrap_or_default().to_owned();
    if let Some(applied) = applied.filter(|applied| second(applied) > second(run_id) && !options.force) {
        return Err(LoadError::Refused(format!(
            "run {run_id} is older than run {applied}, which was applied already; load that one, or use --force to apply the older batch over it"
        )));
    }
    if let Some(gap) = known.gap(&batch) {
        return Err(LoadError::Refused(gap));
    }
    let memory = Remember {
        supersedes: known.is_superseded_by(&batch),
        claims: known.has_unclaimed(),
        at: Utc::now(),
        applied: Applied { synced: known.written_by(&batch), ..applied_batch(target, &batch) },
    };
    let newest = known.newest_written(&batch);
    Ok((batch, (memory, newest)))
}

fn applied_batch(target: Target<'_>, batch: &Batch) -> Applied {
    let state = batch.state_after.as_ref().filter(|state| !state.is_null() && batch.mode != BatchMode::Window);
    Applied {
        table: target.table.in_schema(),
        table_id: target.existing.and_then(|table| table.id.clone()),
        unit: batch.unit(),
        run_id: batch.run_id.clone(),
        mode: match batch.mode {
            BatchMode::Incremental if continuity::continues(batch).is_none() => FULL,
            mode => mode.as_str(),
        }
        .to_owned(),
        state: state.map(state_digest),
        synced: None,
    }
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
    target: Target<'_>,
    candidates: Vec<Candidate>,
    options: &Options,
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
    units: &mut [UnitReport],
) -> Result<(), LoadError> {
    let (table, existing) = (target.table, target.existing);
    let write = candidates.first().map_or(Write::Merge, write_mode);
    let hints =
        candidates.first().map(|c| hints(c.batch.schema.as_ref(), &c.work.settings.columns)).unwrap_or_default();
    let newest: Vec<_> = candidates.iter().map(|candidate| candidate.newest).collect();
    let memory: Vec<Remember> = candidates.iter().map(|candidate| candidate.memory.clone()).collect();
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
        Ok(TablePlan::make(existing.map(|table| table.columns.as_slice()), &hints, observed, &mut widening)?)
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
        return finish_empty(target, &inputs, memory, units, run_id, workers, warehouse, options);
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
    for ((((unit, work), input), counts), newest) in units.iter_mut().zip(&works).zip(&inputs).zip(&counts).zip(newest)
    {
        if unit.status == UnitStatus::Failed {
            continue;
        }
        if let Some(problem) = continuity::set_back(table, newest, counts) {
            *unit = unit.clone().fail(problem, Utc::now());
            decision.excluded.push(input.batch.account.clone());
        } else {
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
    let identity = target.identity();
    if !done.is_empty() {
        let synced = Utc::now();
        let remember = of_units(memory, &done, synced);
        let all = Commit { run_id, synced, units: &done, identity: Some(&identity), remember: &remember };
        commit(&request, &plan, &decision, &all, warehouse)?;
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
            if let Err(error) = move_checkpoint(&input.batch, Some(&identity.id), workers) {
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
    commit: &Commit<'_>,
    warehouse: &mut dyn Warehouse,
) -> Result<(), LoadError> {
    let changed = commit.units.iter().any(|unit| unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0);
    if changed || !request.table_exists {
        with_memory(warehouse, |warehouse| warehouse.apply(request, plan, decision, commit))?;
    } else {
        warehouse.record(&request.table, commit)?;
    }
    Ok(())
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

/// All records were rejected or there were none, and the table has no key column: only the log and the checkpoints are left to do.
#[expect(clippy::too_many_arguments, reason = "the tail of one function, split off because it is another case")]
fn finish_empty(
    target: Target<'_>,
    inputs: &[Input],
    memory: Vec<Remember>,
    units: &mut [UnitReport],
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
    options: &Options,
) -> Result<(), LoadError> {
    tracing::info!(table = %target.table, units = inputs.len(), "no records and no columns yet: the table is made with the first record");
    if options.dry_run {
        return Ok(());
    }
    let done = |unit: &&mut UnitReport| unit.status != UnitStatus::Failed;
    units.iter_mut().filter(done).for_each(|unit| *unit = unit.clone().finish(Utc::now()));
    let done: Vec<UnitReport> = units.iter().filter(|unit| unit.status != UnitStatus::Failed).cloned().collect();
    let identity = target.existing.map(|_| target.identity());
    let remember = of_units(memory, &done, Utc::now());
    let commit = Commit { run_id, synced: Utc::now(), units: &done, identity: identity.as_ref(), remember: &remember };
    warehouse.record(target.table, &commit)?;
    for (unit, input) in units.iter().zip(inputs) {
        if unit.status != UnitStatus::Failed {
            move_checkpoint(&input.batch, identity.as_ref().map(|identity| &identity.id), workers)?;
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
fn move_checkpoint(batch: &Batch, table: Option<&TableId>, workers: &Workers<'_>) -> Result<(), LoadError> {
    if batch.mode == BatchMode::Window {
        return Ok(());
    }
    let checkpoint = Checkpoint {
        run_id: batch.run_id.clone(),
        state: batch.state_after.clone().unwrap_or(Value::Null),
        updated_at: Utc::now(),
        covered: None,
        table: table.map(|id| id.as_str().to_owned()),
    };
    let path = contract::landing::paths::checkpoint(&batch.unit());
    Ok(workers.runtime.block_on(stored::write(workers.landing, &path, &checkpoint))?)
}
