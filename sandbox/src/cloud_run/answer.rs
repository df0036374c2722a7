//! Executions, tasks, jobs and operations as the API's JSON: fields at their default value are left out, as there.
//! int64 travels as text, durations as `600s`, times as RFC 3339; names carry the project's number.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::execution::{AttemptEnd, Cause, Execution, ExecutionState, Exit, Task, TaskState};
use super::job::{Job, Plan};
use super::state::{OperationKind, State};

const EXECUTION_TYPE: &str = "type.googleapis.com/google.cloud.run.v2.Execution";

pub(crate) fn execution(state: &State, execution: &Execution) -> Value {
    let plan = &execution.plan;
    let started = execution.started.is_some();
    trimmed(json!({
        "name": state.place.execution(&plan.job, &execution.id),
        "uid": execution.uid,
        "creator": format!("sandbox@{}.iam.gserviceaccount.com", state.options.project),
        "generation": "1",
        "createTime": time(execution.created),
        "startTime": execution.started.map(time),
        "completionTime": execution.completed.map(time),
        "updateTime": time(execution.updated),
        "launchStage": "GA",
        "job": plan.job,
        "parallelism": plan.parallelism,
        "taskCount": plan.task_count,
        "template": template(plan),
        "reconciling": execution.completed.is_none(),
        "conditions": conditions(execution),
        "observedGeneration": if started { "1" } else { "" },
        "runningCount": execution.count(TaskState::Running),
        "succeededCount": execution.count(TaskState::Succeeded),
        "failedCount": execution.count(TaskState::Failed),
        "cancelledCount": execution.count(TaskState::Cancelled),
        "retriedCount": execution.retried(),
        "logUri": log_uri(state, execution),
        "etag": execution.etag(),
    }))
}

pub(crate) fn task(state: &State, execution: &Execution, index: usize, task: &Task) -> Value {
    let plan = &execution.plan;
    let under = format!("jobs/{}/executions/{}/tasks/{}", plan.job, execution.id, execution.task_id(index));
    let mut value = trimmed(json!({
        "name": state.place.name(&under),
        "uid": task.uid,
        "generation": "1",
        "createTime": time(execution.created),
        "scheduledTime": time(execution.created),
        "startTime": task.started.map(time),
        "completionTime": task.completed.map(time),
        "updateTime": time(execution.updated),
        "job": plan.job,
        "execution": execution.id,
        "containers": [container(plan)],
        "maxRetries": plan.max_retries,
        "timeout": duration(plan.timeout),
        "reconciling": task.completed.is_none(),
        "conditions": [task_condition(task)],
        "index": index,
        "retried": task.retried,
        "logUri": log_uri(state, execution),
        "etag": execution.etag(),
    }));
    if let Some(end) = &task.last {
        value["lastAttemptResult"] = attempt_result(end);
    }
    value
}

pub(crate) fn job(state: &State, job: &Job, executions: &[&Execution]) -> Value {
    let plan = job.plan(super::job::Overrides::default());
    let newest = executions.last();
    let ready = json!({"type": "Ready", "state": "CONDITION_SUCCEEDED"});
    trimmed(json!({
        "name": state.place.name(&format!("jobs/{}", job.name)),
        "generation": "1",
        "launchStage": "GA",
        "template": {"parallelism": job.parallelism, "taskCount": job.task_count, "template": template(&plan)},
        "observedGeneration": "1",
        "terminalCondition": ready,
        "executionCount": executions.len(),
        "latestCreatedExecution": newest.map(|execution| json!({
            "name": execution.id,
            "createTime": time(execution.created),
            "completionTime": execution.completed.map(time),
            "completionStatus": match execution.state() {
                ExecutionState::Pending => "EXECUTION_PENDING",
                ExecutionState::Running | ExecutionState::Cancelling => "EXECUTION_RUNNING",
                ExecutionState::Succeeded => "EXECUTION_SUCCEEDED",
                ExecutionState::Failed => "EXECUTION_FAILED",
                ExecutionState::Cancelled => "EXECUTION_CANCELLED",
            },
        })),
        "etag": job.etag(),
    }))
}

/// An operation as it stands: done with an error or a response once its execution has ended, or with neither before.
pub(crate) fn operation(state: &State, id: &str, kind: OperationKind, subject: &Execution) -> Value {
    let mut any = json!({"@type": EXECUTION_TYPE});
    if let (Value::Object(any), Value::Object(fields)) = (&mut any, execution(state, subject)) {
        any.extend(fields);
    }
    let mut value = json!({"name": state.place.name(&format!("operations/{id}")), "metadata": any});
    if subject.completed.is_none() {
        return value;
    }
    value["done"] = json!(true);
    match (kind, subject.state()) {
        (OperationKind::Run, ExecutionState::Cancelled) => {
            value["error"] = json!({"code": 1, "message": format!("Execution {} was cancelled.", subject.id)});
        }
        (OperationKind::Run, ExecutionState::Failed) => {
            let (done, all) = (subject.count(TaskState::Succeeded), subject.plan.task_count);
            let message =
                format!("Execution {} has failed to complete, {done}/{all} tasks were a success.", subject.id);
            value["error"] = json!({"code": 10, "message": message});
        }
        _ => value["response"] = value["metadata"].clone(),
    }
    value
}

/// An operation that is done at once because it was only to be checked.
pub(crate) fn checked(state: &State, id: &str, subject: &Execution) -> Value {
    let mut value = operation(state, id, OperationKind::Cancel, subject);
    value["done"] = json!(true);
    value["response"] = value["metadata"].clone();
    value
}

fn template(plan: &Plan) -> Value {
    json!({"containers": [container(plan)], "maxRetries": plan.max_retries, "timeout": duration(plan.timeout),
        "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2"})
}

fn container(plan: &Plan) -> Value {
    let env: Vec<Value> = plan.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"name": plan.container, "image": format!("sandbox/{}", plan.job),
        "command": [plan.command.to_string_lossy()], "args": plan.args, "env": env})
}

fn conditions(execution: &Execution) -> Vec<Value> {
    let begun = if execution.started.is_some() { "CONDITION_SUCCEEDED" } else { "CONDITION_PENDING" };
    let since = time(execution.started.unwrap_or(execution.created));
    let early = |kind: &str| json!({"type": kind, "state": begun, "lastTransitionTime": since});
    vec![completed(execution), early("ResourcesAvailable"), early("Started")]
}

fn completed(execution: &Execution) -> Value {
    let (state, reason, message) = match execution.state() {
        ExecutionState::Pending => ("CONDITION_PENDING", None, String::new()),
        ExecutionState::Running => ("CONDITION_RECONCILING", None, "Waiting for execution to complete.".to_owned()),
        ExecutionState::Cancelling => ("CONDITION_RECONCILING", Some("CANCELLING"), "Cancelling.".to_owned()),
        ExecutionState::Succeeded => ("CONDITION_SUCCEEDED", None, "Execution completed successfully.".to_owned()),
        ExecutionState::Failed => ("CONDITION_FAILED", Some("NON_ZERO_EXIT_CODE"), failure(execution)),
        ExecutionState::Cancelled => ("CONDITION_FAILED", Some("CANCELLED"), "The execution was cancelled.".to_owned()),
    };
    json!({"type": "Completed", "state": state, "message": message, "executionReason": reason,
        "lastTransitionTime": time(execution.completed.or(execution.started).unwrap_or(execution.created))})
}

fn failure(execution: &Execution) -> String {
    let Some((index, end)) = execution.first_failure() else { return String::new() };
    format!("Task {} failed with message: {}", execution.task_id(index), why(end))
}

fn task_condition(task: &Task) -> Value {
    let state = match task.state {
        TaskState::Pending => "CONDITION_PENDING",
        TaskState::Running => "CONDITION_RECONCILING",
        TaskState::Succeeded => "CONDITION_SUCCEEDED",
        TaskState::Failed | TaskState::Cancelled => "CONDITION_FAILED",
    };
    let reason = match task.state {
        TaskState::Failed => Some("NON_ZERO_EXIT_CODE"),
        TaskState::Cancelled => Some("CANCELLED"),
        _ => None,
    };
    let message = task.last.as_ref().filter(|_| task.state == TaskState::Failed).map(why);
    json!({"type": "Completed", "state": state, "executionReason": reason, "message": message,
        "lastTransitionTime": task.completed.or(task.started).map(time)})
}

/// At most one of the exit code and the signal is there; a success has an empty status and neither.
fn attempt_result(end: &AttemptEnd) -> Value {
    if end.is_success() {
        return json!({"status": {}});
    }
    // Canonical codes: CANCELLED, DEADLINE_EXCEEDED, FAILED_PRECONDITION, ABORTED.
    let code = match (end.cause, &end.exit) {
        (Cause::Cancel, _) => 1,
        (Cause::Timeout, _) => 4,
        (Cause::Own, Exit::NotStarted(_)) => 9,
        (Cause::Own, _) => 10,
    };
    let mut value = json!({"status": {"code": code, "message": why(end)}});
    match end.exit {
        Exit::Code(code) if code != 0 => value["exitCode"] = json!(code),
        Exit::Signal(signal) => value["termSignal"] = json!(signal),
        Exit::Code(_) | Exit::NotStarted(_) => {}
    }
    value
}

fn why(end: &AttemptEnd) -> String {
    match (end.cause, &end.exit) {
        (Cause::Timeout, _) => "The configured timeout was reached.".to_owned(),
        (Cause::Cancel, _) => "The task was cancelled.".to_owned(),
        (Cause::Own, Exit::Code(_)) => "The container exited with an error.".to_owned(),
        (Cause::Own, Exit::Signal(signal)) => format!("Container terminated on signal {signal}."),
        (Cause::Own, Exit::NotStarted(problem)) => format!("The container failed to start: {problem}."),
    }
}

fn log_uri(state: &State, execution: &Execution) -> String {
    let filter = format!(
        "resource.type=\"cloud_run_job\"\nresource.labels.job_name=\"{}\"\nresource.labels.location=\"{}\"\n\
         labels.\"run.googleapis.com/execution_name\"=\"{}\"",
        execution.plan.job, state.options.region, execution.id
    );
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    format!(
        "https://console.cloud.google.com/logs/viewer?project={}&advancedFilter={}",
        state.options.project,
        filter.replace('+', "%20")
    )
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn duration(period: Duration) -> String {
    format!("{}s", period.as_secs_f64())
}

/// Leaves out what is at its default value, in the value and in all it holds; list items stay.
/// `maxRetries` of a template is the exception: 0 means something else there than its absence.
fn trimmed(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_template = fields.contains_key("executionEnvironment");
            let keep = |(name, value): (String, Value)| {
                let value = trimmed(value);
                let kept = !is_default(&value) || (is_template && name == "maxRetries");
                kept.then_some((name, value))
            };
            Value::Object(fields.into_iter().filter_map(keep).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(trimmed).collect()),
        other => other,
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_left_out_but_a_templates_retries_and_list_items_stay() {
        let full = json!({
            "failedCount": 0, "reconciling": false, "startTime": null, "taskCount": 2,
            "template": {"maxRetries": 0, "executionEnvironment": "X", "args": ["", "a"], "env": [{"name": "A", "value": ""}]},
            "maxRetries": 0,
        });
        let lean = json!({
            "taskCount": 2,
            "template": {"maxRetries": 0, "executionEnvironment": "X", "args": ["", "a"], "env": [{"name": "A"}]},
        });
        assert_eq!(trimmed(full), lean);
    }

    #[test]
    fn durations_are_seconds() {
        assert_eq!(duration(Duration::from_secs(600)), "600s");
        assert_eq!(duration(Duration::from_millis(1500)), "1.5s");
    }
}
