//! An execution and its tasks: what has happened so far, and the counts that follow from it.
//! Nothing is stored twice: every count and state that the API shows is computed from the tasks.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::job::Plan;
use super::name::uuid;

/// The state of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionState {
    /// No task has started.
    Pending,
    Running,
    /// Asked to stop; tasks are still stopping.
    Cancelling,
    Succeeded,
    /// A task failed for good.
    Failed,
    /// A task was stopped, or never started, because the execution was cancelled.
    Cancelled,
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    Pending,
    /// Started; also between two attempts.
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

/// How an attempt of a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptEnd {
    pub(crate) exit: Exit,
    pub(crate) cause: Cause,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// It could not be started, for this reason.
    NotStarted(String),
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// By itself.
    Own,
    /// It was stopped when its time was over.
    Timeout,
    /// It was stopped because the execution was cancelled.
    Cancel,
}

impl AttemptEnd {
    pub(crate) fn is_success(&self) -> bool {
        self.exit == Exit::Code(0) && self.cause == Cause::Own
    }
}

/// One task.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) uid: String,
    pub(crate) state: TaskState,
    pub(crate) retried: u32,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
    pub(crate) last: Option<AttemptEnd>,
}

/// One execution.
#[derive(Debug)]
pub(crate) struct Execution {
    /// The short name.
    pub(crate) id: String,
    pub(crate) uid: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) created: DateTime<Utc>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
    pub(crate) updated: DateTime<Utc>,
    /// How often it has changed.
    pub(crate) changes: u64,
    pub(crate) tasks: Vec<Task>,
    /// True from the moment that the execution is to stop.
    pub(crate) cancel: watch::Sender<bool>,
    /// True from the moment that it has ended.
    pub(crate) done: watch::Sender<bool>,
}

impl Execution {
    pub(crate) fn new(id: String, plan: Plan, now: DateTime<Utc>) -> Self {
        let task =
            || Task { uid: uuid(), state: TaskState::Pending, retried: 0, started: None, completed: None, last: None };
        Self {
            id,
            uid: uuid(),
            tasks: (0..plan.task_count).map(|_| task()).collect(),
            plan: Arc::new(plan),
            created: now,
            started: None,
            completed: None,
            updated: now,
            changes: 1,
            cancel: watch::Sender::new(false),
            done: watch::Sender::new(false),
        }
    }

    pub(crate) fn state(&self) -> ExecutionState {
        if self.completed.is_none() {
            return match (*self.cancel.borrow(), self.started) {
                (true, _) => ExecutionState::Cancelling,
                (false, Some(_)) => ExecutionState::Running,
                (false, None) => ExecutionState::Pending,
            };
        }
        if self.count(TaskState::Cancelled) > 0 {
            ExecutionState::Cancelled
        } else if self.count(TaskState::Failed) > 0 {
            ExecutionState::Failed
        } else {
            ExecutionState::Succeeded
        }
    }

    pub(crate) fn count(&self, state: TaskState) -> usize {
        self.tasks.iter().filter(|task| task.state == state).count()
    }

    /// Tasks that were started more than once.
    pub(crate) fn retried(&self) -> usize {
        self.tasks.iter().filter(|task| task.retried > 0).count()
    }

    pub(crate) fn etag(&self) -> String {
        format!("\"{}-{}\"", self.id, self.changes)
    }

    /// A task's short name.
    pub(crate) fn task_id(&self, index: usize) -> String {
        format!("{}-task{index}", self.id)
    }

    /// The first task that failed.
    pub(crate) fn first_failure(&self) -> Option<(usize, &AttemptEnd)> {
        let failed = |(index, task): (usize, &'_ Task)| match task {
            Task { state: TaskState::Failed, last: Some(_), .. } => Some(index),
            _ => None,
        };
        let index = self.tasks.iter().enumerate().find_map(failed)?;
        Some((index, self.tasks.get(index)?.last.as_ref()?))
    }
}
