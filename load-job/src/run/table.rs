//! The load of one target table: batches checked, staged together, compared, guarded, applied in one transaction.
//! A batch that fails its checks is left out, the others go on (design, section 7).

use super::absent::{Absence, Comparison, MOST_NAMED, covered_after, keep_suspects};
use super::check::{Candidate, Checked, Target, check, fits_with, write_mode};
use super::continuity;
use super::error::LoadError;
use super::judge::{Case, take_outcome};
use super::rewrite;
use super::stage::{self, AskWarehouse, Input, Workers};
use super::{Options, TableGroup, UnitWork};
use crate::shape::{BatchContext, ColumnType, TablePlan, hints};
use crate::warehouse::{
    ChangeRequest, Commit, Counts, Decision, Remember, TableId, TableName, Warehouse, WarehouseError,
};
use chrono::{DateTime, Utc};
use contract::batch::{BatchMode, Write};
use contract::evidence::ReadingScope;
use contract::report::{Remedy, UnitReport, UnitStatus};
use contract::round::Round;
use contract::run_id::RunId;
use contract::stored::{self, Checkpoint};
use serde_json::Value;
use std::time::Instant;

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
        let mut report = begin(&work);
        let checked = check(&work, target, options, run_id, workers, warehouse);
        match checked.and_then(|checked| fits_with(&candidates, &work, &checked.batch).map(|()| checked)) {
            Ok(checked) => {
                report.warnings.extend(checked.warnings.iter().cloned());
                candidates.push(Candidate { work, checked, report });
            }
            Err(LoadError::Warehouse(error @ WarehouseError::Unreachable { .. })) => return Err(error),
            Err(error) => reports.push(report.fail(error.to_string(), Utc::now()).needing(error.remedy())),
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
        candidates.first().map(|c| hints(c.checked.batch.schema.as_ref(), &c.work.settings)).unwrap_or_default();
    let memory: Vec<Remember> = candidates.iter().map(|candidate| candidate.checked.memory.clone()).collect();
    let mut works: Vec<(UnitWork, Checked)> = Vec::with_capacity(candidates.len());
    let mut inputs: Vec<Input> = Vec::with_capacity(candidates.len());
    for Candidate { work, checked, .. } in candidates {
        let mut context = BatchContext { account: checked.batch.account.clone(), ..BatchContext::default() };
        if write == Write::Merge {
            context.keys.clone_from(&checked.batch.primary_key);
            context.cursor = checked.batch.cursor().map(|(field, order)| (field.to_owned(), order));
        }
        inputs.push(Input { batch: checked.batch.clone(), context });
        works.push((work, checked));
    }
    let keys: Vec<String> = inputs.first().map(|input| input.context.keys.clone()).unwrap_or_default();
    let mut clock = Clock::start(table);
    let (plan, outcomes) = stage::stage(workers, &inputs, warehouse, |warehouse, observed| {
        let mut widening = AskWarehouse { warehouse, table, retype: options.rewrite };
        Ok(TablePlan::make(existing.map(|table| table.columns.as_slice()), &hints, &keys, observed, &mut widening)?)
    })?;

    let told = if options.rewrite { rewrite::told(&plan, table, !options.dry_run, warehouse)? } else { Vec::new() };
    clock.phase("staged");
    // What is staged may be a part only; and a lost lease means that another run is at work.
    if let Some(reason) = workers.shutdown.reason() {
        return Err(LoadError::Refused(format!("stopped by {reason} before anything was changed")));
    }

    let mut decision = Decision::default();
    for (((unit, (work, _)), input), outcome) in units.iter_mut().zip(&works).zip(&inputs).zip(outcomes) {
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
        return finish_empty(target, &works, memory, units, run_id, workers, warehouse, options);
    };
    // A rejected record may be one of the rows that are missing.
    let is_loadable = |unit: &UnitReport| unit.rows_rejected == 0 && unit.status != UnitStatus::Failed;
    let share = MOST_NAMED / units.len().max(1);
    let absences: Vec<Absence> = units
        .iter()
        .zip(&mut works)
        .map(|(unit, (_, checked))| Absence::of(&checked.batch, is_loadable(unit), checked.prior.take(), share))
        .collect();
    let request = ChangeRequest {
        table: table.clone(),
        write,
        keys,
        accounts: inputs.iter().zip(&absences).map(|(input, absence)| absence.change(&input.batch)).collect(),
        rewrite: options.rewrite,
        table_exists: existing.is_some(),
    };
    let counts = with_memory(warehouse, |warehouse| warehouse.change_set(&request))?;
    clock.phase("compared");
    let mut held: Vec<bool> = Vec::with_capacity(units.len());
    for (((unit, (work, checked)), absence), counts) in units.iter_mut().zip(&works).zip(&absences).zip(&counts) {
        let mut is_held = true;
        if unit.status == UnitStatus::Failed {
        } else if let Some(problem) = continuity::set_back(table, checked.newest, counts) {
            *unit = unit.clone().fail(problem, Utc::now()).needing(Some(Remedy::FullRefresh));
            decision.excluded.push(checked.batch.account.clone());
        } else {
            let covered = covered_before(checked, counts.live);
            let (batch, is_older) = (&checked.batch, checked.is_older);
            let case = Case { work, batch, counts: *counts, write, absence, covered: covered.as_ref(), is_older };
            is_held = case.judge(unit, options, &mut decision);
        }
        held.push(is_held);
    }
    let is_searched = |(unit, counts): (&UnitReport, &Counts)| unit.status != UnitStatus::Failed && counts.deleted > 0;
    let missing = if write == Write::Merge && units.iter().zip(&counts).any(is_searched) {
        with_memory(warehouse, |warehouse| warehouse.absent(&request))?
    } else {
        Vec::new()
    };
    let is_as_sent = |key: &String| {
        let ty = plan.own_column(key).map(|column| column.ty);
        matches!(ty, Some(ColumnType::Int64 | ColumnType::String | ColumnType::Bool))
    };
    let as_sent = inputs.first().is_some_and(|input| input.context.keys.iter().all(is_as_sent));
    let comparison = Comparison { table, write, works: &works, held: &held, is_allowed: options.allow_mass_delete };
    let mut settled = comparison.settle(units, absences, missing, &mut decision)?;
    settled.iter_mut().filter_map(|settled| settled.suspects.as_mut()).for_each(|found| found.as_sent = as_sent);
    if options.dry_run {
        units.iter_mut().for_each(|unit| unit.warnings.extend(told.iter().cloned()));
        return Ok(());
    }
    let mut done: Vec<UnitReport> = units
        .iter()
        .filter(|unit| unit.status != UnitStatus::Failed)
        .map(|unit| unit.clone().finish(Utc::now()))
        .collect();
    // The log tells it in the transaction that does it; the units' own reports once it is done.
    done.iter_mut().for_each(|unit| unit.warnings.extend(told.iter().cloned()));
    let identity = target.identity();
    if !done.is_empty() {
        let synced = Utc::now();
        let remember = of_units(memory, &done, synced);
        let all = Commit {
            run_id,
            stage: stage_name(options),
            synced,
            units: &done,
            identity: Some(&identity),
            remember: &remember,
        };
        commit(&request, &plan, &decision, &all, warehouse)?;
        clock.phase("applied");
        let mut costs = done;
        warehouse.spent().share(&mut costs);
        for unit in units.iter_mut() {
            if unit.status != UnitStatus::Failed {
                unit.warnings.extend(told.iter().cloned());
            }
            if let Some(cost) = costs.iter().find(|cost| cost.unit() == unit.unit()) {
                (unit.bytes_processed, unit.bytes_billed) = (cost.bytes_processed, cost.bytes_billed);
            }
        }
    }
    for (((unit, (_, checked)), settled), counts) in units.iter_mut().zip(&works).zip(settled).zip(&counts) {
        if unit.status != UnitStatus::Failed {
            *unit = unit.clone().finish(Utc::now());
            let covered = covered_before(checked, counts.live);
            let kept = keep_suspects(checked, settled, workers)
                .and_then(|()| move_checkpoint(checked, Some(&identity.id), covered.as_ref(), workers));
            if let Err(error) = kept {
                let message =
                    format!("its rows are committed, but its checkpoint was not moved: {error}; load the run again");
                *unit = unit.clone().fail(message, Utc::now());
            }
        }
    }
    Ok(())
}

/// How far back the rows of the table reach; none if it has none, or if a program of before has loaded them all, which deleted what was
/// older than its last reading.
fn covered_before(checked: &Checked, live: u64) -> Option<ReadingScope> {
    match &checked.checkpoint {
        Some(checkpoint) => checkpoint.covered.clone(),
        None if live > 0 => Some(ReadingScope::default()),
        None => None,
    }
}

fn stage_name(options: &Options) -> String {
    (if options.confirm { Round::Confirm } else { Round::First }).stage("load")
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
    let changed = commit.units.iter().any(|unit| unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0)
        || (request.rewrite && !plan.changes.is_empty());
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
    works: &[(UnitWork, Checked)],
    memory: Vec<Remember>,
    units: &mut [UnitReport],
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
    options: &Options,
) -> Result<(), LoadError> {
    tracing::info!(table = %target.table, units = works.len(), "no records and no columns yet: the table is made with the first record");
    if options.dry_run {
        return Ok(());
    }
    let done = |unit: &&mut UnitReport| unit.status != UnitStatus::Failed;
    units.iter_mut().filter(done).for_each(|unit| *unit = unit.clone().finish(Utc::now()));
    let done: Vec<UnitReport> = units.iter().filter(|unit| unit.status != UnitStatus::Failed).cloned().collect();
    let identity = target.existing.map(|_| target.identity());
    let remember = of_units(memory, &done, Utc::now());
    let commit = Commit {
        run_id,
        stage: stage_name(options),
        synced: Utc::now(),
        units: &done,
        identity: identity.as_ref(),
        remember: &remember,
    };
    warehouse.record(target.table, &commit)?;
    for (unit, (_, checked)) in units.iter().zip(works) {
        if unit.status != UnitStatus::Failed {
            let covered = covered_before(checked, 0);
            move_checkpoint(checked, identity.as_ref().map(|identity| &identity.id), covered.as_ref(), workers)?;
        }
    }
    Ok(())
}

/// Moves the unit's checkpoint to the batch that was just committed. A backfill never moves it, but may have brought rows from before
/// the start of all readings.
fn move_checkpoint(
    checked: &Checked,
    table: Option<&TableId>,
    covered: Option<&ReadingScope>,
    workers: &Workers<'_>,
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
    Ok(workers.runtime.block_on(stored::write(workers.landing, &path, &checkpoint))?)
}
