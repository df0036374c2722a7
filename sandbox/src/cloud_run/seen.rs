//! Executions as a test asks for them: what was started, with which settings, and what has become of it.
//! A copy of one moment; it does not change when the execution goes on.

use super::execution::{Execution, ExecutionState, Exit, Task, TaskState};
use super::state::State;

/// One execution.
#[derive(Debug, Clone)]
pub struct ExecutionSeen {
    /// The full name.
    pub name: String,
    /// The short name.
    pub id: String,
    /// The job's short name.
    pub job: String,
    /// As run: the job's with the overrides laid over them.
    pub args: Vec<String>,
    /// As run, without the base environment and the platform's variables.
    pub env: Vec<(String, String)>,
    pub state: ExecutionState,
    pub tasks: Vec<TaskSeen>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSeen {
    pub state: TaskState,
    /// How often it was started again.
    pub retried: u32,
    /// Of the last attempt, when it ended with one.
    pub exit_code: Option<i32>,
    /// Of the last attempt, when a signal ended it.
    pub term_signal: Option<i32>,
}

/// What an attempt wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub out: String,
    pub err: String,
}

impl ExecutionSeen {
    pub(crate) fn of(state: &State, execution: &Execution) -> Self {
        let plan = &execution.plan;
        Self {
            name: state.place.execution(&plan.job, &execution.id),
            id: execution.id.clone(),
            job: plan.job.clone(),
            args: plan.args.clone(),
            env: plan.env.clone(),
            state: execution.state(),
            tasks: execution.tasks.iter().map(TaskSeen::of).collect(),
        }
    }

    /// A variable of its environment.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl TaskSeen {
    fn of(task: &Task) -> Self {
        let exit = task.last.as_ref().map(|end| &end.exit);
        Self {
            state: task.state,
            retried: task.retried,
            exit_code: match exit {
                Some(Exit::Code(code)) => Some(*code),
                _ => None,
            },
            term_signal: match exit {
                Some(Exit::Signal(signal)) => Some(*signal),
                _ => None,
            },
        }
    }
}
