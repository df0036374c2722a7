//! What came of a run: status, exit code, every unit of both stages, everything that went wrong.
//! Printed as tables for a person, or as one JSON object.

pub(crate) mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use crate::outcome::{StageResult, run_exit};
use crate::stage::Stage;
use chrono::{DateTime, Utc};
use contract::exit::Exit;
use contract::report::{TaskStatus, UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::unit::Unit;
use rows::{Row, RowStatus};
use serde::Serialize;

/// How a run ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// All units are done (exit code 0).
    Done,
    /// Some units failed, the others are done (1).
    PartlyFailed,
    /// Nothing was done, or nothing reached the warehouse (2 or 3).
    Failed,
    /// Told to stop before the end (1 or 3).
    Interrupted,
}

/// A run that has ended. It serialises to the object that `--output json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run_id: RunId,
    /// How it ended.
    pub status: RunStatus,
    /// The exit code of the program.
    pub exit_code: u8,
    /// Start of the first stage.
    pub started_at: DateTime<Utc>,
    /// End of the last stage.
    pub finished_at: DateTime<Utc>,
    /// The difference, in milliseconds.
    pub duration_ms: u64,
    /// Every unit that the extract has ended; empty if there was none.
    pub extract: Vec<UnitReport>,
    /// Every unit that the load has ended; empty if there was none.
    pub load: Vec<UnitReport>,
    /// Every unit that was read once more to confirm deletes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confirm_extract: Vec<UnitReport>,
    /// Every unit whose deletes were then decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confirm_load: Vec<UnitReport>,
    /// Everything that went wrong, in words: tasks, then units.
    pub errors: Vec<String>,
    /// A row for each unit, both stages taken together.
    #[serde(skip)]
    pub rows: Vec<Row>,
    #[serde(skip)]
    exit: Exit,
    #[serde(skip)]
    next: Option<String>,
}

/// The parts that a summary is made of.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) run_id: RunId,
    /// The pipeline file, for commands that the summary proposes.
    pub(crate) pipeline: String,
    pub(crate) only: Option<Stage>,
    /// The command that goes on with the run where its tasks were left running.
    pub(crate) again: String,
    /// The units that were to be extracted, as far as known.
    pub(crate) planned: Vec<Unit>,
    pub(crate) extract: Option<StageResult>,
    pub(crate) load: Option<StageResult>,
    /// The confirming round, if there was one.
    pub(crate) confirm_extract: Option<StageResult>,
    pub(crate) confirm_load: Option<StageResult>,
    /// The stage that was not started any more, and why.
    pub(crate) not_started: Option<(Stage, String)>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) finished_at: DateTime<Utc>,
}

impl RunSummary {
    /// The program's exit.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn of(ran: Ran) -> Self {
        let stages = || [&ran.extract, &ran.load, &ran.confirm_extract, &ran.confirm_load].into_iter().flatten();
        let units = |stage: &Option<StageResult>| -> Vec<UnitReport> {
            stage.iter().flat_map(|stage| stage.units().cloned()).collect()
        };
        let (extract, load) = (units(&ran.extract), units(&ran.load));
        let (confirm_extract, confirm_load) = (units(&ran.confirm_extract), units(&ran.confirm_load));
        let mut rows = rows::join(&ran.planned, &extract, &load, ran.only);
        rows::confirm(&mut rows, &confirm_extract, &confirm_load);

        let stopped = stages().find_map(|stage| stage.end.interrupted.clone());
        let cut_short = stages().any(|stage| {
            let mut reports = stage.reports.iter().filter_map(|report| report.as_ref().ok()?.as_ref());
            // Where the stage says why its tasks were stopped, nobody has stopped the run.
            stage.end.interrupted.is_some() && stage.exit != Exit::Done
                || stage.end.remarks.is_empty() && reports.any(|report| report.status == TaskStatus::Interrupted)
        });
        let interrupted = cut_short || ran.not_started.is_some();

        let incomplete = interrupted || rows.iter().any(|row| !row.status.is_well());
        let exit = run_exit(stages().map(|stage| stage.exit), incomplete);
        let status = match exit {
            _ if interrupted => RunStatus::Interrupted,
            Exit::Done => RunStatus::Done,
            Exit::SomeFailed => RunStatus::PartlyFailed,
            Exit::Usage | Exit::Unreachable => RunStatus::Failed,
        };

        let mut errors = Vec::new();
        if interrupted {
            let reason = stopped.or_else(|| ran.not_started.as_ref().map(|(_, reason)| reason.clone()));
            let reason = reason.map_or_else(String::new, |reason| format!(" by {reason}"));
            let left = stages().find_map(|stage| stage.end.left_running.as_ref()).map(|left| format!("; {left}"));
            let not_started = || Some(format!("; the {} was not started", ran.not_started.as_ref()?.0));
            errors.push(format!("the run was stopped{reason}{}", left.or_else(not_started).unwrap_or_default()));
        }
        let complaints = |stage: &Option<StageResult>| stage.as_ref().map(StageResult::complaints).unwrap_or_default();
        let (of_extract, of_load) = (complaints(&ran.extract), complaints(&ran.load));
        // Where a task or the whole stage is to blame, its units are in the table; a line for each would bury the cause.
        let explained = |row: &Row| match row.status {
            RowStatus::NotExtracted => interrupted || !of_extract.is_empty(),
            RowStatus::NotLoaded => interrupted || ran.load.is_none() || !of_load.is_empty(),
            _ => false,
        };
        let of_units: Vec<String> = rows.iter().filter(|row| !explained(row)).filter_map(Row::failure).collect();
        errors.extend(of_extract);
        errors.extend(of_load);
        errors.extend(complaints(&ran.confirm_extract));
        errors.extend(complaints(&ran.confirm_load));
        errors.extend(of_units);

        let landed = extract.iter().any(|unit| unit.status != UnitStatus::Failed);
        let next = text::next_step(&ran, exit, interrupted, landed, &rows);
        Self {
            run_id: ran.run_id,
            status,
            exit_code: exit.code(),
            started_at: ran.started_at,
            finished_at: ran.finished_at,
            duration_ms: (ran.finished_at - ran.started_at).num_milliseconds().max(0).unsigned_abs(),
            extract,
            load,
            confirm_extract,
            confirm_load,
            errors,
            rows,
            exit,
            next,
        }
    }

    /// What to do next, for a person; `None` if nothing is to be done.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// How many units are well, and how many are not.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let well = self.rows.iter().filter(|row| row.status.is_well()).count();
        (well, self.rows.len() - well)
    }
}

impl RowStatus {
    /// Whether all that was to be done with the unit is done.
    pub fn is_well(self) -> bool {
        matches!(self, Self::Done | Self::Skipped | Self::Extracted)
    }
}
