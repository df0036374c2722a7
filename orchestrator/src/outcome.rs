//! What became of a stage, from its tasks' exits and their reports: the rules behind the exit code.
//! An exit of 0 is believed only with the reports that prove it.

use crate::launcher::{LaunchError, StageEnd, TaskEnd, TaskExit};
use crate::stage::Stage;
use contract::exit::Exit;
use contract::report::{RunReport, UnitReport, UnitStatus};
use contract::stored::StoredError;

/// What the system sends to a process when memory runs out (and what we send to one that does not stop).
const SIGKILL: i32 = 9;

/// A task's report, if it left one in this attempt.
pub(crate) type TaskReport = Result<Option<RunReport>, StoredError>;

/// A stage that has ended.
#[derive(Debug)]
pub(crate) struct StageResult {
    pub(crate) stage: Stage,
    pub(crate) end: StageEnd,
    /// One for each task.
    pub(crate) reports: Vec<TaskReport>,
    pub(crate) exit: Exit,
}

impl StageResult {
    /// A stage that could not be started after another one has run: no task began, so nothing of it is done.
    pub(crate) fn not_begun(stage: Stage, error: &LaunchError) -> Self {
        let said = std::iter::once(error.to_string()).chain(error.hint()).collect();
        let task = TaskEnd { index: 0, exit: TaskExit::Code(Exit::Unreachable.code().into()), said };
        let end = StageEnd { tasks: vec![task], ..StageEnd::default() };
        Self { stage, end, reports: vec![Ok(None)], exit: Exit::Unreachable }
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = &UnitReport> {
        self.reports.iter().filter_map(|report| report.as_ref().ok()?.as_ref()).flat_map(|report| &report.units)
    }

    /// What is wrong with the tasks themselves, in words. Failed units are no such thing.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let stage = self.stage;
        let mut complaints: Vec<String> = self.end.remarks.iter().map(|remark| format!("{stage} {remark}")).collect();
        let is_explained = !complaints.is_empty();
        let count = self.end.tasks.len();
        for (task, report) in self.end.tasks.iter().zip(&self.reports) {
            if is_explained && never_began(task, report) {
                continue;
            }
            let name =
                if count == 1 { stage.to_string() } else { format!("{stage} task {} of {count}", task.index + 1) };
            if task.exit == TaskExit::Signal(SIGKILL) && self.end.interrupted.is_none() {
                complaints.push(format!("{name} {}, perhaps for want of memory", task.exit));
                continue;
            }
            let said = task.said.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n  ");
            let said = if said.is_empty() { String::new() } else { format!(": {said}") };
            if !orderly(task) {
                complaints.push(format!("{name} {}{said}", task.exit));
                continue;
            }
            match report {
                Ok(Some(_)) => {}
                Ok(None) => complaints.push(format!("{name} {} but left no report{said}", task.exit)),
                Err(error) => complaints.push(format!("{name}: its report cannot be used: {error}")),
            }
        }
        complaints
    }
}

/// Whether the process ended as one that has done its units, well or not.
fn orderly(task: &TaskEnd) -> bool {
    matches!(task.exit, TaskExit::Code(0 | 1))
}

/// A launcher that learns only "failed" says 1; without a report that is no sign of units that were done.
fn never_began(task: &TaskEnd, report: &TaskReport) -> bool {
    task.exit == TaskExit::Code(1) && matches!(report, Ok(None))
}

/// The exit of one stage. A task that crashed failed; the stage then counts as partly done if a unit of any task is done.
pub(crate) fn stage_exit(end: &StageEnd, reports: &[TaskReport]) -> Exit {
    if end.left_running.is_some() || (end.tasks.is_empty() && end.interrupted.is_some()) {
        // Told to stop: what the stage will come to is not known, or nothing of it was begun.
        return Exit::SomeFailed;
    }
    let is = |task: &TaskEnd, codes: &[i32]| matches!(task.exit, TaskExit::Code(code) if codes.contains(&code));
    let done = |unit: &UnitReport| unit.status != UnitStatus::Failed;
    let reported = || reports.iter().filter_map(|report| report.as_ref().ok()?.as_ref());
    let (silent, told): (Vec<_>, Vec<_>) =
        end.tasks.iter().zip(reports).partition(|(task, report)| never_began(task, report));
    let crashed = !silent.is_empty() || end.tasks.iter().any(|task| !is(task, &[0, 1, 2, 3]));
    if end.tasks.iter().all(|task| is(task, &[0])) && reported().count() == end.tasks.len() {
        Exit::Done
    } else if told.iter().any(|(task, _)| orderly(task))
        || (crashed && reported().any(|report| report.units.iter().any(done)))
    {
        Exit::SomeFailed
    } else if end.tasks.iter().any(|task| is(task, &[2])) {
        Exit::Usage
    } else {
        Exit::Unreachable
    }
}

/// The exit of the whole run: the worst of what happened. `incomplete`: a unit is missing, or the run was told to stop.
///
/// A load that cannot reach the warehouse (3), or refuses its settings (2), is told as such though the extract went well:
/// nothing has reached the warehouse, and the extract need not be repeated.
pub(crate) fn run_exit(stages: impl IntoIterator<Item = Exit>, incomplete: bool) -> Exit {
    let worst = stages.into_iter().max();
    match (worst, incomplete) {
        // Stopped before anything was begun.
        (None, _) => Exit::Unreachable,
        (Some(Exit::Done), true) => Exit::SomeFailed,
        (Some(exit), _) => exit,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use chrono::Utc;
    use contract::report::TaskStatus;
    use contract::unit::Unit;

    fn report(units: &[UnitStatus]) -> TaskReport {
        let now = Utc::now();
        let unit = Unit::new("s", "a", "t").unwrap();
        let of = |status: &UnitStatus| UnitReport { status: *status, ..UnitReport::start(&unit, "t", now) };
        Ok(Some(RunReport {
            version: 1,
            run_id: "20260131T235900Z-a1b2c3".parse().unwrap(),
            stage: "extract".into(),
            task_index: 0,
            task_count: 1,
            status: TaskStatus::Finished,
            started_at: now,
            finished_at: now,
            tool_version: "0".into(),
            units: units.iter().map(of).collect(),
        }))
    }

    fn end(exits: &[TaskExit]) -> StageEnd {
        let tasks = exits.iter().enumerate();
        let tasks = tasks.map(|(index, exit)| TaskEnd { index, exit: *exit, said: Vec::new() }).collect();
        StageEnd { tasks, ..StageEnd::default() }
    }

    #[test]
    fn exit_of_a_stage() {
        use TaskExit::{Code, Signal};
        const DONE: Option<&[UnitStatus]> = Some(&[UnitStatus::Done]);
        const FAILED: Option<&[UnitStatus]> = Some(&[UnitStatus::Failed]);
        const EMPTY: Option<&[UnitStatus]> = Some(&[]);
        type Case<'a> = (&'a [TaskExit], &'a [Option<&'a [UnitStatus]>], Exit);
        let table: &[Case<'_>] = &[
            (&[Code(0)], &[DONE], Exit::Done),
            (&[Code(0), Code(0)], &[DONE, EMPTY], Exit::Done),
            // No report, no proof.
            (&[Code(0)], &[None], Exit::SomeFailed),
            (&[Code(1)], &[FAILED], Exit::SomeFailed),
            // 1 is also what a launcher says that knows no more than "failed".
            (&[Code(1)], &[None], Exit::Unreachable),
            (&[Code(1), Code(1)], &[None, DONE], Exit::SomeFailed),
            (&[Code(1), Code(3)], &[None, None], Exit::Unreachable),
            (&[Code(0), Code(1)], &[DONE, FAILED], Exit::SomeFailed),
            (&[Code(2)], &[None], Exit::Usage),
            (&[Code(2), Code(2)], &[None, None], Exit::Usage),
            (&[Code(2), Code(3)], &[None, None], Exit::Usage),
            (&[Code(3)], &[None], Exit::Unreachable),
            (&[Code(3), Code(0)], &[None, DONE], Exit::SomeFailed),
            (&[Signal(9)], &[None], Exit::Unreachable),
            (&[Signal(9)], &[FAILED], Exit::Unreachable),
            (&[Signal(9)], &[DONE], Exit::SomeFailed),
            (&[Code(101)], &[DONE], Exit::SomeFailed),
            (&[Code(101)], &[None], Exit::Unreachable),
            (&[Signal(9), Code(0)], &[None, EMPTY], Exit::SomeFailed),
        ];
        for (exits, reports, expected) in table {
            let reports: Vec<TaskReport> = reports.iter().map(|units| units.map_or(Ok(None), report)).collect();
            assert_eq!(stage_exit(&end(exits), &reports), *expected, "{exits:?}");
        }
    }

    #[test]
    fn a_stage_that_was_left_is_not_done() {
        let left = StageEnd { left_running: Some("as x".into()), ..StageEnd::default() };
        assert_eq!(stage_exit(&left, &[report(&[UnitStatus::Done])]), Exit::SomeFailed);
        let stopped = StageEnd { interrupted: Some("SIGTERM".into()), ..StageEnd::default() };
        assert_eq!(stage_exit(&stopped, &[]), Exit::SomeFailed);
    }

    #[test]
    fn exit_of_a_run() {
        use Exit::{Done, SomeFailed, Unreachable, Usage};
        let table: &[(&[Exit], bool, Exit)] = &[
            (&[Done, Done], false, Done),
            (&[Done, Done], true, SomeFailed),
            (&[SomeFailed, Done], false, SomeFailed),
            (&[Done, SomeFailed], false, SomeFailed),
            (&[Usage], false, Usage),
            (&[Unreachable], false, Unreachable),
            (&[Done, Unreachable], false, Unreachable),
            (&[Done, Usage], false, Usage),
            (&[SomeFailed, Unreachable], false, Unreachable),
            (&[Done], true, SomeFailed),
            (&[Unreachable], true, Unreachable),
            (&[], true, Unreachable),
        ];
        for (stages, incomplete, expected) in table {
            assert_eq!(run_exit(stages.iter().copied(), *incomplete), *expected, "{stages:?} {incomplete}");
        }
    }

    #[test]
    fn the_task_that_failed_is_named() {
        let mut end = end(&[TaskExit::Code(0), TaskExit::Signal(9), TaskExit::Code(3), TaskExit::Code(0)]);
        end.tasks[2].said = vec!["no such folder".into(), "give up".into()];
        let reports = vec![report(&[]), Ok(None), Ok(None), Ok(None)];
        let result = StageResult { stage: Stage::Extract, end, reports, exit: Exit::SomeFailed };
        assert_eq!(
            result.complaints(),
            [
                "extract task 2 of 4 was killed by signal 9 (SIGKILL), perhaps for want of memory",
                "extract task 3 of 4 ended with exit code 3: no such folder\n  give up",
                "extract task 4 of 4 ended with exit code 0 but left no report",
            ]
        );
    }

    #[test]
    fn a_cause_of_the_whole_stage_is_told_once() {
        let mut end = end(&[TaskExit::Code(1), TaskExit::Code(1), TaskExit::Code(3)]);
        end.remarks = vec!["execution j-1 failed: SECRETS_ACCESS_CHECK_FAILED".into()];
        end.tasks[0].said = vec!["log: x".into()];
        let mut result = StageResult {
            stage: Stage::Load,
            end,
            reports: vec![Ok(None), report(&[]), Ok(None)],
            exit: Exit::Unreachable,
        };
        let cause = "load execution j-1 failed: SECRETS_ACCESS_CHECK_FAILED";
        assert_eq!(result.complaints(), [cause, "load task 3 of 3 ended with exit code 3"]);
        result.end.remarks.clear();
        let silent = "load task 1 of 3 ended with exit code 1 but left no report: log: x";
        assert_eq!(result.complaints(), [silent, "load task 3 of 3 ended with exit code 3"]);
    }
}
