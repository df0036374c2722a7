//! One attempt to load a table: keys staged, compared and guarded; the rows that change shaped, and applied in one transaction. It changes nothing
//! unless all of it goes through.

use super::absent::{Absence, Comparison, MOST_NAMED};
use super::check::{Candidate, identity, write_mode};
use super::continuity;
use super::error::LoadError;
use super::finish::{Finish, covered_before};
use super::judge::{Case, damage, reason_to_hold, take_outcome};
use super::pass::{AskTarget, Input, Kept, Passed, Reading, Workers, pass, sample};
use super::{Options, rewrite};
use crate::shape::{BatchContext, ColumnPlan, ColumnType, Hint, Observed, Shaper, TablePlan, Wanted, hints};
use crate::warehouse::{
    AccountChange, ChangeRequest, ChangeSet, Counts, Decision, TableLoad, TableName, Target, WarehouseError,
};
use chrono::Utc;
use contract::batch::Write;
use contract::report::{Remedy, UnitReport, UnitStatus};
use contract::run_id::RunId;
use std::sync::Arc;
use std::time::Instant;

/// What is attempted.
pub(super) struct Attempt<'a> {
    pub(super) candidates: &'a [Candidate],
    pub(super) options: &'a Options,
    pub(super) run_id: &'a RunId,
    pub(super) workers: &'a Workers<'a>,
    /// The plan of an attempt before, which has seen all records.
    pub(super) guess: Option<Arc<TablePlan>>,
}

/// How an attempt ended.
pub(super) enum Attempted {
    /// It went through; what failed stands in the units' reports.
    Done,
    /// The keys are of other types than was guessed; this plan follows from all records.
    OtherKeys(Arc<TablePlan>),
    /// These candidates' batches could not be read again.
    Damaged(Vec<usize>),
}

/// Attempts the load. `units` become the candidates' reports, in their order.
pub(super) fn attempt<'w>(
    mut session: Box<dyn TableLoad<'w> + 'w>,
    job: &Attempt<'_>,
    units: &mut Vec<UnitReport>,
) -> Result<Attempted, LoadError> {
    *units = job.candidates.iter().map(|candidate| candidate.report.clone()).collect();
    let mut clock = Clock::start(session.target().table());
    let columns = Columns::of(job);
    let inputs = inputs(job, &columns);
    let guess = match &job.guess {
        Some(plan) => plan.clone(),
        None => columns.guess(session.target(), job.workers, &inputs)?,
    };
    let key_columns: Vec<ColumnPlan> = guess.key_columns(&columns.keys).into_iter().cloned().collect();
    let (none, kept) = (vec![false; inputs.len()], Kept::default());
    let reading = Reading { inputs: &inputs, wanted: &Wanted::All, excluded: &none, is_first: true, kept: &kept };
    let shaper = || Shaper::of_keys(guess.clone(), &columns.keys, &columns.cursors);
    let Passed { mut staged, observed, outcomes } =
        pass(job.workers, &reading, shaper, |rows| session.keys(&key_columns, rows))?;
    // What is staged may be a part only; and a lost lease means that another run is at work.
    job.refuse_if_stopped()?;
    let plan = Arc::new(columns.plan(staged.target(), &observed)?);
    if !plan.is_foreseen_by(&guess, &columns.keys) {
        return Ok(Attempted::OtherKeys(plan));
    }
    clock.phase("staged");
    let mut decision = Decision::default();
    for (((unit, candidate), input), outcome) in units.iter_mut().zip(job.candidates).zip(&inputs).zip(outcomes) {
        unit.mode = input.batch.mode.as_str().to_owned();
        unit.rows_extracted = input.batch.records;
        unit.bytes = input.batch.bytes;
        if let Some(problem) = take_outcome(outcome, unit, &candidate.work, job.run_id, job.workers, job.options)? {
            *unit = unit.clone().fail(problem, Utc::now());
            decision.excluded.push(input.batch.account.clone());
        }
    }
    let finish = Finish { job, table: staged.target().table().clone(), identity: identity(staged.target().existing()) };
    // Without a single accepted record there may be no key column yet; then there is nothing to compare either.
    if key_columns.len() < columns.keys.len() {
        finish.without_columns(staged, units)?;
        return Ok(Attempted::Done);
    }
    // A rejected record may be one of the rows that are missing.
    let is_loadable = |unit: &UnitReport| unit.rows_rejected == 0 && unit.status != UnitStatus::Failed;
    let share = MOST_NAMED / units.len().max(1);
    let absence = |(unit, candidate): (&UnitReport, &Candidate)| {
        Absence::of(&candidate.checked.batch, is_loadable(unit), candidate.checked.prior.clone(), share)
    };
    let absences: Vec<Absence> = units.iter().zip(job.candidates).map(absence).collect();
    let exists = staged.target().existing().is_some();
    let change = |((input, candidate), absence): ((&Input, &Candidate), &Absence)| {
        let change = absence.change(&input.batch);
        let checked = &candidate.checked;
        // Contents are replaced as a whole: what they may not take away must be known before they are compared.
        let covered = covered_before(checked, u64::from(exists));
        let is_held = columns.write.removes_absent()
            && reason_to_hold(&input.batch, covered.as_ref(), checked.is_older).is_some();
        AccountChange { may_delete: change.may_delete && !is_held, ..change }
    };
    let request = ChangeRequest {
        write: columns.write,
        plan: plan.clone(),
        keys: key_columns,
        accounts: inputs.iter().zip(job.candidates).zip(&absences).map(change).collect(),
        rewrite: job.options.rewrite,
    };
    let mut changes = staged.compare(request)?;
    clock.phase("compared");
    let settled = judge(job, &finish.table, &columns, &plan, changes.as_mut(), absences, units, &mut decision)?;
    let told =
        if job.options.rewrite { rewrite::told(&plan, !job.options.dry_run, changes.target())? } else { Vec::new() };
    if job.options.dry_run {
        units.iter_mut().for_each(|unit| unit.warnings.extend(told.iter().cloned()));
        return Ok(Attempted::Done);
    }
    let counts = changes.counts().to_vec();
    let is_left_out: Vec<bool> = units.iter().map(|unit| unit.status == UnitStatus::Failed).collect();
    if is_left_out.iter().any(|is_left_out| !is_left_out) {
        let spent = if finish.changes_something(units, &plan, changes.target().existing().is_none()) {
            let records = inputs.iter().map(|input| input.batch.records).sum();
            let wanted = changes.changed(records)?;
            let reading =
                Reading { inputs: &inputs, wanted: &wanted, excluded: &is_left_out, is_first: false, kept: &kept };
            let synced = Utc::now();
            let shaper = || Shaper::of_rows(plan.clone());
            let Passed { staged: ready, outcomes, .. } =
                pass(job.workers, &reading, shaper, |rows| changes.rows(decision, synced, rows))?;
            clock.phase("shaped");
            job.refuse_if_stopped()?;
            let damaged = damage(outcomes, units);
            if !damaged.is_empty() {
                return Ok(Attempted::Damaged(damaged));
            }
            let kept = counts.iter().zip(&is_left_out).filter(|(_, is_left_out)| !**is_left_out);
            let expected: u64 = kept.map(|(counts, _)| counts.written).sum();
            if ready.rows() != expected {
                let found = ready.rows();
                return Err(LoadError::Internal(format!("{expected} records were to become rows, but {found} did")));
            }
            finish.commit(units, &told, synced, |commit| ready.apply(commit))?
        } else {
            finish.commit(units, &told, Utc::now(), |commit| changes.record(commit))?
        };
        clock.phase("applied");
        finish.tell(units, &told, spent);
    }
    finish.keep(units, settled, &counts);
    Ok(Attempted::Done)
}

impl Attempt<'_> {
    fn refuse_if_stopped(&self) -> Result<(), LoadError> {
        match self.workers.shutdown.reason() {
            None => Ok(()),
            Some(reason) => Err(LoadError::Refused(format!("stopped by {reason} before anything was changed"))),
        }
    }
}

/// What the table's columns follow from, beside what is there and what was observed.
struct Columns {
    write: Write,
    hints: Vec<Hint>,
    /// The fields of the primary key, if rows are known by it.
    keys: Vec<String>,
    /// The fields whose later value wins among records of one key; each batch has its own.
    cursors: Vec<String>,
    retype: bool,
}

impl Columns {
    fn of(job: &Attempt<'_>) -> Self {
        let first = job.candidates.first();
        let write = first.map_or(Write::Merge, write_mode);
        let hints = first.map(|first| hints(first.checked.batch.schema.as_ref(), &first.work.settings));
        let keys = first.filter(|_| write.is_by_key()).map(|first| first.checked.batch.primary_key.clone());
        let cursor = |candidate: &Candidate| Some(candidate.checked.batch.cursor()?.0.to_owned());
        let cursors = job.candidates.iter().filter_map(cursor).collect();
        let (hints, keys) = (hints.unwrap_or_default(), keys.unwrap_or_default());
        Self { write, hints, keys, cursors, retype: job.options.rewrite }
    }

    fn plan(&self, target: &mut dyn Target, observed: &Observed) -> Result<TablePlan, WarehouseError> {
        let existing = target.existing().map(|table| table.columns.clone());
        let mut widening = AskTarget { target, retype: self.retype };
        TablePlan::make(existing.as_deref(), &self.hints, &self.keys, observed, &mut widening)
    }

    /// A plan that has the columns of the key as they most likely are: those that are there, else those of the first records.
    fn guess(
        &self,
        target: &mut dyn Target,
        workers: &Workers<'_>,
        inputs: &[Input],
    ) -> Result<Arc<TablePlan>, LoadError> {
        // What the hints say of reading holds for the first records as well.
        let blank = Arc::new(self.plan(target, &Observed::default())?);
        if blank.key_columns(&self.keys).len() == self.keys.len() {
            return Ok(blank);
        }
        Ok(Arc::new(self.plan(target, &sample(workers, inputs, &blank)?)?))
    }
}

fn inputs(job: &Attempt<'_>, columns: &Columns) -> Vec<Input> {
    let input = |candidate: &Candidate| {
        let batch = candidate.checked.batch.clone();
        let cursor = batch.cursor().filter(|_| columns.write.is_by_key());
        let context = BatchContext {
            account: batch.account.clone(),
            keys: columns.keys.clone(),
            cursor: cursor.map(|(field, order)| (field.to_owned(), order)),
        };
        Input { batch, context }
    };
    job.candidates.iter().map(input).collect()
}

/// Judges each unit by the counts of the change set, and settles what becomes of the rows that are missing.
#[expect(clippy::too_many_arguments, reason = "one step of an attempt, which has all of this")]
fn judge(
    job: &Attempt<'_>,
    table: &TableName,
    columns: &Columns,
    plan: &TablePlan,
    changes: &mut dyn ChangeSet<'_>,
    absences: Vec<Absence>,
    units: &mut [UnitReport],
    decision: &mut Decision,
) -> Result<Vec<super::absent::Settled>, LoadError> {
    let write = columns.write;
    let counts = changes.counts().to_vec();
    let mut held: Vec<bool> = Vec::with_capacity(units.len());
    for (((unit, candidate), absence), counts) in units.iter_mut().zip(job.candidates).zip(&absences).zip(&counts) {
        let Candidate { work, checked, .. } = candidate;
        let mut is_held = true;
        if unit.status == UnitStatus::Failed {
        } else if let Some(problem) = continuity::set_back(table, checked.newest, counts) {
            *unit = unit.clone().fail(problem, Utc::now()).needing(Some(Remedy::FullRefresh));
            decision.excluded.push(checked.batch.account.clone());
        } else {
            let covered = covered_before(checked, counts.live);
            let (batch, is_older) = (&checked.batch, checked.is_older);
            let case = Case { work, batch, counts: *counts, write, absence, covered: covered.as_ref(), is_older };
            is_held = case.judge(unit, job.options, decision);
        }
        held.push(is_held);
    }
    let is_searched = |(unit, counts): (&UnitReport, &Counts)| unit.status != UnitStatus::Failed && counts.deleted > 0;
    let missing =
        if write.marks_absent() && units.iter().zip(&counts).any(is_searched) { changes.absent()? } else { Vec::new() };
    let is_as_sent = |key: &String| {
        let ty = plan.own_column(key).map(|column| column.ty);
        matches!(ty, Some(ColumnType::Int64 | ColumnType::String | ColumnType::Bool))
    };
    let as_sent = columns.keys.iter().all(is_as_sent);
    let is_allowed = job.options.allow_mass_delete;
    let comparison = Comparison { table, write, candidates: job.candidates, held: &held, is_allowed };
    let mut settled = comparison.settle(units, absences, missing, decision)?;
    settled.iter_mut().filter_map(|settled| settled.suspects.as_mut()).for_each(|found| found.as_sent = as_sent);
    Ok(settled)
}

/// Tells how long each phase of a table's load took.
struct Clock {
    table: String,
    since: Instant,
}

impl Clock {
    fn start(table: &TableName) -> Self {
        Self { table: table.to_string(), since: Instant::now() }
    }

    fn phase(&mut self, phase: &str) {
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        tracing::debug!(table = %self.table, duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "{phase}");
    }
}
