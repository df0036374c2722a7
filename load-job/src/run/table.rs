//! The load of one target table: its batches checked, then attempted together until an attempt goes through.
//! A batch that fails its checks is left out, the others go on (design, section 7).

use super::attempt::{Attempt, Attempted, attempt};
use super::check::{Candidate, check, find, fits_with};
use super::error::LoadError;
use super::judge::undone;
use super::pass::Workers;
use super::{Options, TableGroup, UnitWork, order};
use crate::warehouse::{Warehouse, WarehouseError};
use chrono::Utc;
use contract::report::{UnitReport, UnitStatus};
use contract::run_id::RunId;

/// So many guesses of the key's types there are. The second one has seen all records; only a batch that is left out calls for another.
const MOST_GUESSES: u32 = 3;

/// Loads a table; one report a unit, in any order. A warehouse that is out of reach is the only error.
pub(super) fn load(
    group: TableGroup,
    options: &Options,
    run_id: &RunId,
    workers: &Workers<'_>,
    warehouse: &mut dyn Warehouse,
) -> Result<Vec<UnitReport>, WarehouseError> {
    let begin = |work: &UnitWork| UnitReport::start(&work.unit, &group.table.table, Utc::now());
    let order = order(&group, run_id);
    let mut session = match warehouse.open(&order) {
        Ok(session) => session,
        Err(error @ WarehouseError::Unreachable { .. }) => return Err(error),
        Err(error) => {
            let fail = |work: &UnitWork| begin(work).fail(error.to_string(), Utc::now());
            return Ok(group.units.iter().map(fail).collect());
        }
    };
    let mut reports = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    let found = find(&group.units, run_id, workers);
    for (work, found) in group.units.iter().zip(found) {
        let mut report = begin(work);
        let checked = check(work, found, options, run_id, session.as_mut());
        match checked.and_then(|checked| fits_with(&candidates, work, &checked.batch).map(|()| checked)) {
            Ok(checked) => {
                report.warnings.extend(checked.warnings.iter().cloned());
                candidates.push(Candidate { work: work.clone(), checked, report });
            }
            Err(LoadError::Warehouse(error @ WarehouseError::Unreachable { .. })) => return Err(error),
            Err(error) => reports.push(report.fail(error.to_string(), Utc::now()).needing(error.remedy())),
        }
    }
    if candidates.is_empty() {
        return Ok(reports);
    }
    let mut units = Vec::new();
    let (mut guess, mut guesses) = (None, 1);
    let job = Attempt { candidates: &candidates, options, run_id, workers, guess: None };
    let mut attempted = attempt(session, &job, &mut units);
    let error = loop {
        match attempted {
            Ok(Attempted::Done) => {
                reports.extend(units);
                return Ok(reports);
            }
            Ok(Attempted::OtherKeys(_)) if guesses == MOST_GUESSES => {
                break LoadError::Internal("the types of the table's keys do not settle".into());
            }
            Ok(Attempted::OtherKeys(plan)) => {
                tracing::debug!(table = %group.table, "the keys are of other types than the first records showed; staging them again");
                (guess, guesses) = (Some(plan), guesses + 1);
            }
            Ok(Attempted::Damaged(damaged)) => {
                for index in damaged.into_iter().rev() {
                    candidates.remove(index);
                    reports.push(units.remove(index));
                }
            }
            Err(LoadError::Warehouse(error @ WarehouseError::Unreachable { .. })) => return Err(error),
            Err(error @ LoadError::Warehouse(WarehouseError::OutOfMemory { .. })) => {
                match warehouse.take_more_memory() {
                    Ok(true) => {}
                    Ok(false) => break error,
                    Err(error) => break error.into(),
                }
            }
            Err(error) => break error,
        }
        if candidates.is_empty() {
            return Ok(reports);
        }
        let job = Attempt { candidates: &candidates, options, run_id, workers, guess: guess.clone() };
        attempted = match warehouse.open(&order) {
            Ok(session) => attempt(session, &job, &mut units),
            Err(error) => Err(error.into()),
        };
    };
    let fail = |unit: UnitReport| match unit.status {
        UnitStatus::Failed => unit,
        _ => undone(unit).fail(error.to_string(), Utc::now()),
    };
    reports.extend(units.into_iter().map(fail));
    Ok(reports)
}
