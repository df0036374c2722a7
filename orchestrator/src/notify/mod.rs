//! Telling people what came of a run. Nothing here ever fails: a message that cannot be sent is a warning in the log.
//! What is told is stripped of every secret that this process can know.

mod known;
mod slack;
mod text;
mod told;

use crate::error::RunError;
use crate::summary::RunSummary;
use crate::trigger::slack_webhook;
use contract::lease::LeaseError;
use contract::pipeline::Pipeline;
use contract::shutdown::Shutdown;
use known::Known;
use slack::Webhook;
use std::time::Duration;
use text::Message;

/// The most that a message may hold up the end of a run.
const LONGEST: Duration = Duration::from_secs(18);
/// The same for a process that was told to stop: Cloud Run kills it soon.
const LONGEST_WHEN_STOPPED: Duration = Duration::from_secs(3);

/// Tells what came of a run, once: a task of Cloud Run that is tried again after a run with failures comes to the same result.
pub(crate) async fn finished(pipeline: &Pipeline, summary: &RunSummary, shutdown: &Shutdown) {
    if pipeline.notify.slack_webhook.is_none() || told::is_told(pipeline, summary).await {
        return;
    }
    if tell(pipeline, shutdown, |known| text::of_summary(&pipeline.name, summary, known)).await {
        told::note(pipeline, summary).await;
    }
}

/// Tells that a run could not begin or go on, also because another one is going on: it is lost. That the process was told to stop, or that
/// another run stands for it, is nobody's trouble.
/// `pipeline` says who is told; it may be an older reading of a file that is broken now.
pub(crate) async fn not_begun(pipeline: &Pipeline, error: &RunError, shutdown: &Shutdown) {
    if is_trouble(error) {
        let _ = tell(pipeline, shutdown, |known| text::of_error(&pipeline.name, error, known)).await;
    }
}

fn is_trouble(error: &RunError) -> bool {
    !matches!(error, RunError::Lease(LeaseError::Stopped(_)) | RunError::Merged { .. })
}

/// Whether the message has arrived.
async fn tell(pipeline: &Pipeline, shutdown: &Shutdown, compose: impl FnOnce(&Known) -> Message) -> bool {
    if pipeline.notify.slack_webhook.is_none() {
        return false;
    }
    let longest = if shutdown.is_requested() { LONGEST_WHEN_STOPPED } else { LONGEST };
    let send = async {
        let Some(secret) = slack_webhook(pipeline).await.map_err(|problems| problems.to_string())? else {
            return Ok(false);
        };
        let webhook = Webhook::new(&secret)?;
        let mut known = Known::of(pipeline);
        known.add(secret);
        webhook.send(&compose(&known).body()).await.map(|()| true).map_err(|error| error.to_string())
    };
    let sent = tokio::time::timeout(longest, send).await;
    let sent: Result<bool, String> = sent.unwrap_or_else(|_| Err(format!("no answer within {} s", longest.as_secs())));
    sent.unwrap_or_else(|error| {
        tracing::warn!(error, "failed to tell Slack what came of the run; the run itself is not affected");
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_refused_is_told_and_one_that_was_stopped_or_merged_is_not() {
        assert!(is_trouble(&RunError::Usage("x".into())));
        assert!(!is_trouble(&LeaseError::Stopped("SIGTERM".into()).into()));
        let held = LeaseError::Held {
            run_id: contract::run_id::RunId::new(chrono::Utc::now()),
            program: "orchestrator".into(),
            pid: 1,
            host: "h".into(),
            age: 3,
        };
        assert!(is_trouble(&held.into()));
        assert!(!is_trouble(&RunError::Merged { run_id: contract::run_id::RunId::new(chrono::Utc::now()) }));
    }
}
