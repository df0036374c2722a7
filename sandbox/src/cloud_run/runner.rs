//! Runs an execution: its tasks, so many at a time, each again until it succeeds or has no retry left.
//! A task that fails for good does not stop the others; a cancelled execution starts nothing more.

use std::sync::Arc;

use chrono::Utc;
use futures::StreamExt;
use tokio::sync::watch;

use super::execution::{AttemptEnd, Cause, Execution, Task, TaskState};
use super::job::Plan;
use super::process::Attempt;
use super::state::State;

/// An execution that is being run.
struct Runner {
    state: Arc<State>,
    /// Its position in the book.
    position: usize,
    id: String,
    plan: Arc<Plan>,
    cancel: watch::Receiver<bool>,
}

/// Starts an execution in the background.
pub(crate) fn launch(state: &Arc<State>, position: usize) {
    let runner = state.book().executions.get(position).map(|execution| Runner {
        state: Arc::clone(state),
        position,
        id: execution.id.clone(),
        plan: Arc::clone(&execution.plan),
        cancel: execution.cancel.subscribe(),
    });
    if let Some(runner) = runner {
        tokio::spawn(runner.run());
    }
}

impl Runner {
    async fn run(self) {
        let tasks = futures::stream::iter(0..self.plan.task_count);
        tasks.for_each_concurrent(self.plan.parallelism, |index| self.task(index)).await;
        self.state.change(self.position, |execution| {
            execution.completed = Some(Utc::now());
            execution.done.send_replace(true);
        });
    }

    async fn task(&self, index: usize) {
        let mut cancel = self.cancel.clone();
        for number in 0..=self.plan.max_retries {
            if !self.begin(index, number) {
                return;
            }
            let attempt = Attempt { execution: &self.id, index, number };
            let end = attempt.run(&self.state, &self.plan, &mut cancel).await;
            if self.end(index, end, number == self.plan.max_retries) {
                return;
            }
        }
    }

    /// Notes that an attempt starts; false when the execution has been cancelled, and with it the task.
    fn begin(&self, index: usize, number: u32) -> bool {
        let mut goes_on = false;
        self.change(index, |execution, index| {
            goes_on = !*execution.cancel.borrow();
            let now = Utc::now();
            if goes_on {
                execution.started.get_or_insert(now);
            }
            let Some(task) = execution.tasks.get_mut(index) else { return };
            if goes_on {
                task.state = TaskState::Running;
                task.started.get_or_insert(now);
                task.retried = number;
            } else {
                finish(task, TaskState::Cancelled);
            }
        });
        goes_on
    }

    /// Notes how an attempt ended; true when the task has ended with it.
    fn end(&self, index: usize, end: AttemptEnd, last: bool) -> bool {
        let outcome = match end.cause {
            _ if end.is_success() => Some(TaskState::Succeeded),
            Cause::Cancel => Some(TaskState::Cancelled),
            Cause::Own | Cause::Timeout => last.then_some(TaskState::Failed),
        };
        self.change(index, |execution, index| {
            let Some(task) = execution.tasks.get_mut(index) else { return };
            task.last = Some(end);
            if let Some(outcome) = outcome {
                finish(task, outcome);
            }
        });
        outcome.is_some()
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Execution, usize)) {
        self.state.change(self.position, |execution| change(execution, index));
    }
}

fn finish(task: &mut Task, outcome: TaskState) {
    task.state = outcome;
    task.completed = Some(Utc::now());
}
