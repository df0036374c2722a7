//! Whether a unit's batch may be loaded: it is there, nobody else writes its rows, and the table has what it takes for granted.

use super::continuity::{self, Known};
use super::error::LoadError;
use super::pass::{SIDE_BY_SIDE, Workers};
use super::{Options, UnitWork, order_of_runs};
use crate::warehouse::{Applied, ExistingTable, FULL, Identity, Remember, TableId, TableLoad, Target, state_digest};
use chrono::{DateTime, Utc};
use contract::batch::{Batch, BatchMode, Write};
use contract::report::{Remedy, UnitReport};
use contract::round::RunRound;
use contract::run_id::RunId;
use contract::stored::{self, Checkpoint, StoredError};
use contract::suspects::{self, Suspects};
use futures::stream::{self, StreamExt};

/// A unit whose batch may be loaded.
pub(super) struct Candidate {
    pub(super) work: UnitWork,
    pub(super) checked: Checked,
    pub(super) report: UnitReport,
}

/// What is known of a batch before it is staged.
pub(super) struct Checked {
    pub(super) batch: Batch,
    /// What the warehouse remembers of it once it is loaded.
    pub(super) memory: Remember,
    /// When the newest rows were written that it takes for granted.
    pub(super) newest: Option<DateTime<Utc>>,
    /// A later batch was applied before it.
    pub(super) is_older: bool,
    /// The unit's, as it is before.
    pub(super) checkpoint: Option<Checkpoint>,
    /// What an earlier reading has found missing.
    pub(super) prior: Option<Suspects>,
    /// What people should know.
    pub(super) warnings: Vec<String>,
}

/// What the landing zone has of a unit.
pub(super) struct Found {
    batch: Result<Option<Batch>, StoredError>,
    checkpoint: Result<Option<Checkpoint>, StoredError>,
    suspects: Result<Option<Suspects>, StoredError>,
}

/// Reads what the landing zone has of units, side by side, in their order.
pub(super) fn find(units: &[UnitWork], run_id: &RunId, workers: &Workers<'_>) -> Vec<Found> {
    let find = async |work: &UnitWork| {
        let (landing, unit) = (workers.landing, &work.unit);
        let reading = RunRound { run: run_id.clone(), round: work.round };
        let batch = stored::read_batch(landing, unit, &reading).await;
        let has_suspects = |batch: &Batch| {
            let write = work.settings.write.unwrap_or(batch.write_mode());
            write.marks_absent() && batch.mode != BatchMode::Incremental
        };
        let suspects = match &batch {
            Ok(Some(batch)) if has_suspects(batch) => suspects::read(landing, unit).await,
            _ => Ok(None),
        };
        Found { batch, checkpoint: stored::read_checkpoint(landing, unit).await, suspects }
    };
    workers.runtime.block_on(stream::iter(units).map(find).buffered(SIDE_BY_SIDE).collect())
}

/// The identity that a table has, or gets with this load.
pub(super) fn identity(existing: Option<&ExistingTable>) -> Identity {
    match existing {
        None => Identity { id: TableId::of_new_table(), is_new: true },
        Some(ExistingTable { id: Some(id), .. }) => Identity { id: id.clone(), is_new: false },
        Some(_) => Identity { id: TableId::of_old_table(), is_new: true },
    }
}

/// The unit's batch, if it is there and may be loaded, and what is to be remembered of it then.
pub(super) fn check(
    work: &UnitWork,
    found: Found,
    options: &Options,
    run_id: &RunId,
    session: &mut dyn TableLoad<'_>,
) -> Result<Checked, LoadError> {
    let unit = &work.unit;
    if let Some(rival) = &work.rival {
        return Err(LoadError::Refused(format!(
            "{rival} writes into the same table for the same account: their rows could not be told apart; give one of the streams another `table`"
        )));
    }
    let batch = found.batch?.ok_or_else(|| {
        let message = format!("run {run_id} has no complete batch of {unit}: its extract failed or was not run; the table is left as it is");
        LoadError::needs(Remedy::AnotherRun, message)
    })?;
    let lacking = batch.redacted.lacks(&work.settings);
    if !lacking.is_empty() {
        let message = format!(
            "the batch of {unit} in run {run_id} was extracted before the pipeline file said {}, and may hold in clear what is to be hidden: nothing of it is loaded",
            lacking.join(", ")
        );
        return Err(LoadError::needs(Remedy::AnotherRun, message));
    }
    let checkpoint = found.checkpoint?;
    let id = session.target().existing().and_then(|table| table.id.clone());
    let last = session.history().last_applied(unit).cloned();
    let remembered = session.history().remembered(id.as_ref(), unit);
    let target: &dyn Target = session.target();
    let known = Known {
        table: target.table(),
        existing: target.existing(),
        remembered: &remembered,
        checkpoint: checkpoint.as_ref(),
        loaded_before: last.is_some(),
    };
    if let Some(other) = known.other_writer(unit).filter(|_| !options.take_over) {
        let message = format!(
            "the rows of account {} in table {} were written by {other}, and now {unit} would write them; give one of the streams another `table`, or load with --take-over if {unit} is to have them from now on",
            unit.account,
            target.table()
        );
        return Err(LoadError::needs(Remedy::TakeOver, message));
    }
    let order = order_of_runs::follows(run_id, checkpoint.as_ref(), last.as_ref(), Utc::now());
    let (is_older, order) = match order {
        Ok(warning) => (false, warning),
        Err(_) if options.force => (true, None),
        Err(error) => return Err(error),
    };
    if let Some(gap) = known.gap(&batch) {
        return Err(LoadError::needs(Remedy::FullRefresh, gap));
    }
    let memory = Remember {
        supersedes: known.is_superseded_by(&batch),
        claims: known.has_unclaimed(),
        at: Utc::now(),
        applied: Applied { synced: known.written_by(&batch), ..applied_batch(target, &batch) },
    };
    let newest = known.newest_written(&batch);
    let (prior, broken) = suspects(found.suspects, target)?;
    Ok(Checked {
        batch,
        memory,
        newest,
        is_older,
        checkpoint,
        prior,
        warnings: order.into_iter().chain(broken).collect(),
    })
}

/// What an earlier reading has found missing; and what is to be told of it.
fn suspects(
    found: Result<Option<Suspects>, StoredError>,
    target: &dyn Target,
) -> Result<(Option<Suspects>, Option<String>), LoadError> {
    match found {
        Ok(found) => Ok((found.filter(|found| found.table == target.table().to_string()), None)),
        // Its rows are suspects anew: they are marked a reading later.
        Err(error @ StoredError::Malformed { .. }) => Ok((None, Some(error.to_string()))),
        Err(error) => Err(error.into()),
    }
}

fn applied_batch(target: &dyn Target, batch: &Batch) -> Applied {
    let state = batch.state_after.as_ref().filter(|state| !state.is_null() && batch.mode != BatchMode::Window);
    Applied {
        table: target.table().in_schema(),
        table_id: target.existing().and_then(|table| table.id.clone()),
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
pub(super) fn fits_with(others: &[Candidate], work: &UnitWork, batch: &Batch) -> Result<(), LoadError> {
    let write = work.settings.write.unwrap_or(batch.write_mode());
    if write.is_by_key() && batch.primary_key.is_empty() {
        return Err(LoadError::Refused(
            "`write: merge` needs a primary key, and the stream has none; use replace or append".into(),
        ));
    }
    if write.removes_absent() && !matches!(batch.mode, BatchMode::Snapshot) {
        return Err(LoadError::Refused(
            "`write: replace` needs a snapshot; set `mode: snapshot` or `write: append`".into(),
        ));
    }
    if let Some(other) = others.first() {
        let same = other.checked.batch.primary_key == batch.primary_key && write_mode(other) == write;
        if !same {
            return Err(LoadError::Refused(format!(
                "{} writes into the same table with another primary key or another `write`; give one of the streams another `table`",
                other.work.unit
            )));
        }
    }
    Ok(())
}

/// How a candidate's table is written.
pub(super) fn write_mode(candidate: &Candidate) -> Write {
    candidate.work.settings.write.unwrap_or(candidate.checked.batch.write_mode())
}
