//! Answers of the Cloud Run Admin API v2, as far as they are used, read leniently: a field that is missing or of another shape is
//! at its default, so that a change of the API that does not concern us ends no wait.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A job (`google.cloud.run.v2.Job`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    #[serde(deserialize_with = "lenient")]
    template: ExecutionTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExecutionTemplate {
    #[serde(deserialize_with = "lenient")]
    template: TaskTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TaskTemplate {
    #[serde(deserialize_with = "lenient")]
    containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(deserialize_with = "lenient")]
    name: String,
    #[serde(deserialize_with = "lenient")]
    env: Vec<Variable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Variable {
    #[serde(deserialize_with = "lenient")]
    name: String,
    #[serde(deserialize_with = "lenient")]
    value: String,
}

/// An operation whose metadata is an execution.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Operation {
    #[serde(deserialize_with = "lenient")]
    pub(super) metadata: Execution,
}

/// An execution.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Execution {
    #[serde(deserialize_with = "lenient")]
    pub(super) name: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) create_time: Option<DateTime<Utc>>,
    /// Only its presence counts.
    #[serde(deserialize_with = "lenient")]
    completion_time: Value,
    #[serde(deserialize_with = "lenient")]
    pub(super) task_count: usize,
    #[serde(deserialize_with = "lenient")]
    pub(super) running_count: usize,
    #[serde(deserialize_with = "lenient")]
    pub(super) succeeded_count: usize,
    #[serde(deserialize_with = "lenient")]
    pub(super) failed_count: usize,
    #[serde(deserialize_with = "lenient")]
    pub(super) cancelled_count: usize,
    #[serde(deserialize_with = "lenient")]
    pub(super) retried_count: usize,
    #[serde(deserialize_with = "lenient")]
    pub(super) log_uri: String,
    #[serde(deserialize_with = "lenient")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "lenient")]
    template: TemplateSeen,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct TemplateSeen {
    #[serde(deserialize_with = "lenient")]
    containers: Vec<Value>,
}

/// A condition of an execution or a task; its words are open, the API may add some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type", deserialize_with = "lenient")]
    kind: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) state: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) message: String,
    #[serde(deserialize_with = "lenient")]
    reason: String,
    #[serde(deserialize_with = "lenient")]
    execution_reason: String,
}

/// A page of executions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ExecutionPage {
    #[serde(deserialize_with = "lenient")]
    pub(super) executions: Vec<Execution>,
    #[serde(deserialize_with = "lenient")]
    pub(super) next_page_token: String,
}

/// A page of tasks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TaskPage {
    #[serde(deserialize_with = "lenient")]
    pub(super) tasks: Vec<Task>,
    #[serde(deserialize_with = "lenient")]
    pub(super) next_page_token: String,
}

/// A task of an execution.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Task {
    #[serde(deserialize_with = "lenient")]
    pub(super) index: usize,
    #[serde(deserialize_with = "lenient")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "lenient")]
    pub(super) last_attempt_result: Option<AttemptResult>,
    #[serde(deserialize_with = "lenient")]
    pub(super) log_uri: String,
}

/// How a task's last attempt ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AttemptResult {
    #[serde(deserialize_with = "lenient")]
    pub(super) status: Status,
    #[serde(deserialize_with = "lenient")]
    pub(super) exit_code: i32,
    #[serde(deserialize_with = "lenient")]
    pub(super) term_signal: i32,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(deserialize_with = "lenient")]
    pub(super) code: i32,
    #[serde(deserialize_with = "lenient")]
    pub(super) message: String,
}

/// What does not fit is at its default; int64 travels as text.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let as_number = value.as_str().and_then(|text| text.parse::<i64>().ok());
    let read = serde_json::from_value(value).ok();
    Ok(read.or_else(|| serde_json::from_value(as_number?.into()).ok()).unwrap_or_default())
}

impl Job {
    /// The name of its first container; `None` if it has none, as jobs of one container may.
    pub(super) fn container(&self) -> Option<&str> {
        let first = self.template.template.containers.first()?;
        Some(first.name.as_str()).filter(|name| !name.is_empty())
    }
}

impl Execution {
    /// The last part of the name, which commands take.
    pub(super) fn short_name(&self) -> &str {
        short(&self.name)
    }

    /// Whether a container of it has this environment variable.
    pub(super) fn carries(&self, name: &str, value: &str) -> bool {
        let containers = self.template.containers.iter();
        let mut read = containers.filter_map(|container| Container::deserialize(container).ok());
        read.any(|container| container.env.iter().any(|variable| variable.name == name && variable.value == value))
    }

    /// Whether no task runs any more, and none will.
    pub(super) fn is_finished(&self) -> bool {
        let terminal = |state: &str| matches!(state, "CONDITION_SUCCEEDED" | "CONDITION_FAILED");
        let is_completed = self.completed().is_some_and(|condition| terminal(&condition.state));
        !self.completion_time.is_null() || (is_completed && self.running_count == 0)
    }

    /// Its condition `Completed`.
    pub(super) fn completed(&self) -> Option<&Condition> {
        completed(&self.conditions)
    }

    /// Whether every task has succeeded, as far as the execution itself tells.
    pub(super) fn has_succeeded(&self) -> bool {
        match self.completed() {
            Some(condition) => condition.state == "CONDITION_SUCCEEDED",
            None => self.succeeded_count == self.task_count && self.failed_count + self.cancelled_count == 0,
        }
    }
}

impl Task {
    pub(super) fn completed(&self) -> Option<&Condition> {
        completed(&self.conditions)
    }
}

impl Condition {
    /// The API's word for why; empty if it gives none.
    pub(super) fn word(&self) -> &str {
        if self.execution_reason.is_empty() { &self.reason } else { &self.execution_reason }
    }

    /// Word and sentence; empty if it gives neither.
    pub(super) fn text(&self) -> String {
        let parts = [self.word(), self.message.trim()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

fn completed(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.kind == "Completed")
}

/// The last part of a resource name.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn execution(value: Value) -> Execution {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_missing_or_odd_is_at_its_default() {
        for odd in [
            json!({}),
            json!({"taskCount": null, "conditions": {}, "createTime": "yesterday", "template": 7, "new": [1]}),
            json!({"taskCount": -1, "conditions": null, "logUri": 3, "template": {"containers": [{"env": 1}, 2]}}),
        ] {
            let read = execution(odd.clone());
            assert_eq!((read.task_count, read.create_time, read.log_uri.as_str()), (0, None, ""), "{odd}");
            assert!(!read.is_finished() && !read.carries("A", ""), "{odd}");
        }
        assert_eq!(execution(json!({"taskCount": "7", "failedCount": 2})).task_count, 7);
    }

    #[test]
    fn finished_is_what_has_an_end() {
        let condition = |state: &str| json!([{"type": "Ready"}, {"type": "Completed", "state": state}]);
        let table = [
            (json!({"completionTime": "2026-01-31T23:59:00Z"}), true),
            // A time that we cannot read is a time all the same.
            (json!({"completionTime": {"seconds": 1}}), true),
            (json!({"conditions": condition("CONDITION_RECONCILING")}), false),
            (json!({"conditions": condition("CONDITION_FAILED")}), true),
            (json!({"conditions": condition("CONDITION_SUCCEEDED")}), true),
            // It has failed already, but a task is still stopping.
            (json!({"conditions": condition("CONDITION_FAILED"), "runningCount": 1}), false),
        ];
        for (value, finished) in table {
            assert_eq!(execution(value.clone()).is_finished(), finished, "{value}");
        }
    }

    #[test]
    fn success_is_told_by_the_condition_then_by_the_counts() {
        let table = [
            (json!({"conditions": [{"type": "Completed", "state": "CONDITION_SUCCEEDED"}]}), true),
            (
                json!({"conditions": [{"type": "Completed", "state": "CONDITION_FAILED"}], "taskCount": 1, "succeededCount": 1}),
                false,
            ),
            (json!({"taskCount": 2, "succeededCount": 2}), true),
            (json!({"taskCount": 2, "succeededCount": 1, "failedCount": 1}), false),
        ];
        for (value, succeeded) in table {
            assert_eq!(execution(value.clone()).has_succeeded(), succeeded, "{value}");
        }
    }

    #[test]
    fn the_marker_is_found_in_any_container() {
        let value = json!({"template": {"containers": [{"env": [{"name": "A", "valueSource": {}}]}, {"env": [{"name": "T", "value": "x"}]}]}});
        assert!(execution(value.clone()).carries("T", "x"));
        assert!(!execution(value.clone()).carries("T", "y"));
        assert!(!execution(value).carries("S", "x"));
    }

    #[test]
    fn a_jobs_container_is_named_if_it_has_a_name() {
        let job = |value: Value| serde_json::from_value::<Job>(value).unwrap();
        let named = json!({"template": {"template": {"containers": [{"name": "main-1"}, {"name": "side"}]}}});
        assert_eq!(job(named).container(), Some("main-1"));
        assert_eq!(job(json!({"template": {"template": {"containers": [{"image": "x"}]}}})).container(), None);
        assert_eq!(job(json!({})).container(), None);
    }
}
