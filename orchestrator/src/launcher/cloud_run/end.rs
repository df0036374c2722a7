//! What an execution that has ended says of its tasks: exit codes where Cloud Run tells them, words and the link to the log where
//! something went wrong. The run reports in the landing zone decide what was done.

use super::super::record::Launch;
use super::super::{StageEnd, TaskEnd, TaskExit};
use super::CloudRunLauncher;
use super::answer::{Execution, Task, short};
use super::wait::Cancelled;
use crate::stage::Stage;

impl CloudRunLauncher {
    pub(super) async fn ended(
        &self,
        stage: Stage,
        execution: &Execution,
        launch: &Launch,
        cancelled: Option<&Cancelled>,
    ) -> StageEnd {
        let tasks = match self.client.tasks_repeatedly(&execution.name).await {
            Ok(tasks) => tasks,
            Err(error) => {
                tracing::warn!(%error, "failed to list the tasks of the {stage}; their exit codes are not known");
                Vec::new()
            }
        };
        let mut end = stage_end(execution, &tasks, launch.tasks, cancelled);
        end.joined = Some(execution.create_time.unwrap_or(launch.requested_at));
        end
    }

    /// An execution that Cloud Run does not know (any more): it was deleted while it ran, or long after its end.
    pub(super) fn gone(name: &str, launch: &Launch, cancelled: Option<&Cancelled>) -> StageEnd {
        let remark = format!("Cloud Run knows execution {} no more; how its tasks ended is not known", short(name));
        StageEnd {
            tasks: (0..launch.tasks).map(|index| failed(index, Vec::new())).collect(),
            interrupted: interrupted(cancelled),
            remarks: vec![remark],
            joined: Some(launch.requested_at),
            ..StageEnd::default()
        }
    }
}

fn stage_end(execution: &Execution, tasks: &[Task], asked: usize, cancelled: Option<&Cancelled>) -> StageEnd {
    let has_succeeded = execution.has_succeeded();
    let count = if execution.task_count == 0 { asked } else { execution.task_count };
    let of = |index: usize| tasks.iter().find(|task| task.index == index);
    let ends = (0..count).map(|index| match of(index) {
        Some(task) => task_end(task, execution),
        None if has_succeeded => TaskEnd { index, exit: TaskExit::Code(0), said: Vec::new() },
        None => failed(index, log(&execution.log_uri).into_iter().collect()),
    });
    let began = |task: &Task| task.last_attempt_result.is_some();
    let condition = execution.completed();
    let word = condition.map_or("", |condition| condition.word());
    let (name, link) =
        (execution.short_name(), log(&execution.log_uri).map_or_else(String::new, |log| format!("; {log}")));
    let remark = if has_succeeded {
        None
    } else if let Some(Cancelled::Deadline(time)) = cancelled {
        Some(format!("was cancelled after its {} s (execution {name}){link}", time.as_secs()))
    } else if cancelled.is_none() && (!matches!(word, "" | "NON_ZERO_EXIT_CODE") || !tasks.iter().any(began)) {
        let text = condition.map(|condition| condition.text()).filter(|text| !text.is_empty());
        let text = text.map_or_else(String::new, |text| format!(": {text}"));
        Some(format!("execution {name} failed{text}{link}"))
    } else {
        None
    };
    StageEnd {
        tasks: ends.collect(),
        interrupted: interrupted(cancelled),
        remarks: remark.into_iter().collect(),
        ..StageEnd::default()
    }
}

fn task_end(task: &Task, execution: &Execution) -> TaskEnd {
    let condition = task.completed();
    let has_failed = condition.is_some_and(|condition| condition.state == "CONDITION_FAILED");
    let has_succeeded = condition.is_some_and(|condition| condition.state == "CONDITION_SUCCEEDED");
    let exit = match &task.last_attempt_result {
        Some(result) if result.term_signal != 0 => TaskExit::Signal(result.term_signal),
        Some(result) if result.exit_code != 0 => TaskExit::Code(result.exit_code),
        Some(result) if result.status.code == 0 && !has_failed => TaskExit::Code(0),
        None if has_succeeded => TaskExit::Code(0),
        _ => TaskExit::Code(1),
    };
    if exit == TaskExit::Code(0) {
        return TaskEnd { index: task.index, exit, said: Vec::new() };
    }
    let of_attempt = task.last_attempt_result.as_ref().map(|result| result.status.message.clone());
    let of_task = || condition.map(|condition| condition.text());
    let said = of_attempt.filter(|text| !text.is_empty()).or_else(of_task).filter(|text| !text.is_empty());
    let link = log(&task.log_uri).or_else(|| log(&execution.log_uri));
    TaskEnd { index: task.index, exit, said: said.into_iter().chain(link).collect() }
}

/// A task of which nothing but its failure is known.
fn failed(index: usize, said: Vec<String>) -> TaskEnd {
    TaskEnd { index, exit: TaskExit::Code(1), said }
}

fn log(uri: &str) -> Option<String> {
    (!uri.is_empty()).then(|| format!("log: {uri}"))
}

fn interrupted(cancelled: Option<&Cancelled>) -> Option<String> {
    match cancelled {
        Some(Cancelled::Lease(reason)) => Some(reason.clone()),
        Some(Cancelled::Deadline(_)) | None => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn execution(mut value: Value) -> Execution {
        value["name"] = "projects/p/locations/r/jobs/j/executions/j-1".into();
        value["logUri"] = "https://log/all".into();
        serde_json::from_value(value).unwrap()
    }

    fn task(value: Value) -> Task {
        serde_json::from_value(value).unwrap()
    }

    fn condition(state: &str, word: &str, message: &str) -> Value {
        json!([{"type": "Completed", "state": format!("CONDITION_{state}"), "executionReason": word, "message": message}])
    }

    #[test]
    fn a_task_tells_how_it_ended() {
        let whole = execution(json!({}));
        let table = [
            (
                json!({"lastAttemptResult": {"status": {}}, "conditions": condition("SUCCEEDED", "", "")}),
                TaskExit::Code(0),
                vec![],
            ),
            (json!({"lastAttemptResult": {"status": {}}}), TaskExit::Code(0), vec![]),
            (json!({"conditions": condition("SUCCEEDED", "", "")}), TaskExit::Code(0), vec![]),
            (
                json!({"lastAttemptResult": {"status": {"code": 10, "message": "exited"}, "exitCode": 3}, "logUri": "https://log/1"}),
                TaskExit::Code(3),
                vec!["exited", "log: https://log/1"],
            ),
            (
                json!({"lastAttemptResult": {"status": {"code": 10, "message": "signal"}, "termSignal": 9}}),
                TaskExit::Signal(9),
                vec!["signal", "log: https://log/all"],
            ),
            // Stopped at its time limit, though the process said 0.
            (
                json!({"lastAttemptResult": {"status": {"code": 4, "message": "timeout"}}, "conditions": condition("FAILED", "", "")}),
                TaskExit::Code(1),
                vec!["timeout", "log: https://log/all"],
            ),
            // Never ran.
            (
                json!({"conditions": condition("FAILED", "CANCELLED", "stopped")}),
                TaskExit::Code(1),
                vec!["CANCELLED: stopped", "log: https://log/all"],
            ),
            (json!({}), TaskExit::Code(1), vec!["log: https://log/all"]),
        ];
        for (value, exit, said) in table {
            let end = task_end(&task(value.clone()), &whole);
            assert_eq!((end.exit, end.said), (exit, said.into_iter().map(str::to_owned).collect()), "{value}");
        }
    }

    #[test]
    fn tasks_that_are_not_listed_follow_from_the_execution() {
        let well =
            execution(json!({"taskCount": 2, "succeededCount": 2, "conditions": condition("SUCCEEDED", "", "")}));
        let end = stage_end(&well, &[], 2, None);
        assert!(end.tasks.iter().all(|task| task.exit == TaskExit::Code(0)) && end.remarks.is_empty(), "{end:?}");
        assert_eq!(end.tasks.len(), 2);
        let partly = execution(json!({"taskCount": 2, "succeededCount": 1, "failedCount": 1}));
        let listed = [task(json!({"index": 1, "lastAttemptResult": {"status": {}}}))];
        let end = stage_end(&partly, &listed, 2, None);
        assert_eq!((end.tasks[0].exit, end.tasks[1].exit), (TaskExit::Code(1), TaskExit::Code(0)));
    }

    #[test]
    fn an_execution_that_never_ran_says_why() {
        let reason = json!([{"type": "Completed", "state": "CONDITION_FAILED", "reason": "SECRETS_ACCESS_CHECK_FAILED", "message": "no access to s"}]);
        let failed = execution(json!({"taskCount": 1, "conditions": reason}));
        let end = stage_end(&failed, &[task(json!({}))], 1, None);
        let expected = "execution j-1 failed: SECRETS_ACCESS_CHECK_FAILED: no access to s; log: https://log/all";
        assert_eq!(end.remarks, [expected]);
    }

    #[test]
    fn what_the_tasks_say_is_not_said_twice() {
        let failed =
            execution(json!({"taskCount": 1, "conditions": condition("FAILED", "NON_ZERO_EXIT_CODE", "Task failed")}));
        let ran = task(json!({"lastAttemptResult": {"status": {"code": 10}, "exitCode": 1}}));
        assert_eq!(stage_end(&failed, &[ran], 1, None).remarks, Vec::<String>::new());
    }

    #[test]
    fn a_deadline_is_told_and_a_lost_lease_interrupts() {
        let stopped = execution(json!({"taskCount": 1, "conditions": condition("FAILED", "CANCELLED", "")}));
        let end = stage_end(&stopped, &[], 1, Some(&Cancelled::Deadline(Duration::from_secs(60))));
        assert_eq!(end.remarks, ["was cancelled after its 60 s (execution j-1); log: https://log/all"]);
        assert_eq!(end.interrupted, None);
        let end = stage_end(&stopped, &[], 1, Some(&Cancelled::Lease("the loss of its lease to another run".into())));
        assert_eq!(end.interrupted.as_deref(), Some("the loss of its lease to another run"));
        let end = stage_end(&stopped, &[], 1, None);
        assert_eq!(end.remarks, ["execution j-1 failed: CANCELLED; log: https://log/all"]);
    }
}
