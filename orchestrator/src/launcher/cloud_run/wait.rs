//! Waiting for an execution: nothing but its end, the wish to stop, a lost lease or the stage's deadline ends the wait.
//! The job goes on whatever a poll answers, so a poll that fails is only told.

use super::super::StageEnd;
use super::super::record::Launch;
use super::answer::{Execution, short};
use super::look::Trouble;
use super::{CloudRunLauncher, deadline, is_lost_lease, told_to_leave};
use crate::stage::Stage;
use chrono::Utc;
use contract::google::retry::scaled;
use contract::shutdown::Shutdown;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Between two polls, from the shortest to the longest; by chance, so that many orchestrators do not ask in step.
pub(super) const PAUSE: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(15);
/// An execution that has just begun may not be known everywhere yet.
const MISSES: usize = 3;

/// Why an execution is cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// The lease is lost, for this reason.
    Lease(String),
    /// The stage has had its time.
    Deadline(Duration),
}

impl CloudRunLauncher {
    pub(super) async fn wait(&self, stage: Stage, name: &str, launch: &Launch, shutdown: &Shutdown) -> StageEnd {
        let mut trouble = Trouble::default();
        let mut cancel_trouble = Trouble::default();
        let mut progress = Progress::default();
        let mut created = launch.requested_at;
        let mut cancelled: Option<Cancelled> = None;
        let (mut is_told, mut misses) = (false, 0);
        loop {
            let poll = tokio::select! {
                poll = self.client.execution(name) => poll,
                reason = told_to_leave(shutdown) => return self.left(stage, Some(name), reason),
            };
            match poll {
                Ok(execution) => {
                    trouble.over();
                    misses = 0;
                    created = execution.create_time.unwrap_or(created);
                    progress.tell(stage, &execution);
                    if execution.is_finished() {
                        return self.ended(stage, &execution, launch, cancelled.as_ref()).await;
                    }
                }
                Err(error) if error.status() == Some(404) => {
                    misses += 1;
                    if misses >= MISSES {
                        return Self::gone(name, launch, cancelled.as_ref());
                    }
                }
                Err(error) => {
                    misses = 0;
                    trouble.tell(&format!("see how the {stage} is going"), &error);
                }
            }
            let until = deadline(created, self.timeout(stage));
            if cancelled.is_none() {
                cancelled = self.reason_to_cancel(stage, shutdown, until.is_some_and(|until| Utc::now() >= until));
            }
            if cancelled.is_some() && !is_told {
                match self.client.cancel(name).await {
                    Ok(()) => is_told = true,
                    // It has ended already: the next poll shows it.
                    Err(error) if matches!(error.status(), Some(400 | 404 | 409)) => {}
                    Err(error) => cancel_trouble.tell(&format!("cancel the {stage} ({})", short(name)), &error),
                }
            }
            let mut pause = scaled(rand::random_range(self.pause.clone()));
            if let Some(left) = until.filter(|_| cancelled.is_none()).map(|until| until - Utc::now()) {
                pause = pause.min(left.to_std().unwrap_or_default());
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                reason = told_to_leave(shutdown) => return self.left(stage, Some(name), reason),
                // A lost lease is dealt with at once, but only once.
                _ = shutdown.requested(), if cancelled.is_none() => {}
            }
        }
    }

    fn reason_to_cancel(&self, stage: Stage, shutdown: &Shutdown, is_over: bool) -> Option<Cancelled> {
        let lost = shutdown.reason().filter(|reason| is_lost_lease(reason)).map(Cancelled::Lease);
        let cancelled = lost.or_else(|| self.timeout(stage).filter(|_| is_over).map(Cancelled::Deadline));
        match &cancelled {
            Some(Cancelled::Lease(reason)) => tracing::error!("cancelling the {stage} after {reason}"),
            Some(Cancelled::Deadline(time)) => {
                tracing::error!("cancelling the {stage}: its {} s are over", time.as_secs())
            }
            None => {}
        }
        cancelled
    }
}

/// How many tasks stand where, told when it changes.
#[derive(Debug, Default)]
struct Progress {
    last: Option<[usize; 5]>,
}

impl Progress {
    fn tell(&mut self, stage: Stage, execution: &Execution) {
        let counts = [
            execution.running_count,
            execution.succeeded_count,
            execution.failed_count,
            execution.cancelled_count,
            execution.retried_count,
        ];
        if self.last.replace(counts) == Some(counts) {
            return;
        }
        let words = ["running", "succeeded", "failed", "cancelled", "retried"];
        let some: Vec<String> = words
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let text = if some.is_empty() { "waiting to start".to_owned() } else { some.join(", ") };
        let [running, succeeded, failed, cancelled, retried] = counts;
        tracing::info!(
            execution = execution.short_name(),
            running,
            succeeded,
            failed,
            cancelled,
            retried,
            "{stage} in Cloud Run: of {} tasks {text}",
            execution.task_count
        );
    }
}
