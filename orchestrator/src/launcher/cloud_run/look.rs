//! Finding the execution that carries a token: what is left to do when the answer to a start was lost, with its sender or on the way.
//! The list need not show at once what has just begun, so it is looked at several times before a start counts as not made.

use super::super::record::Launch;
use super::answer::Execution;
use super::{CloudRunLauncher, told_to_leave};
use chrono::{TimeDelta, Utc};
use contract::google::CallError;
use contract::google::retry::Backoff;
use contract::shutdown::Shutdown;
use std::time::{Duration, Instant};

/// The environment variable that carries the token.
pub(super) const TOKEN: &str = "DRAYAGE_LAUNCH_TOKEN";
/// How many looks must find nothing after a start that may still be on its way: with their waits about a minute.
const LOOKS: usize = 9;
/// After this time a start is not on its way any more.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(5);
/// Clocks differ: executions that are this much older than the start are looked at too.
const MARGIN: TimeDelta = TimeDelta::minutes(10);
const MOST_PAGES: usize = 20;
/// A refusal that stays is no passing trouble.
const REFUSALS: usize = 3;
const TELL_EVERY: Duration = Duration::from_secs(60);

pub(super) enum Looked {
    Found(Box<Execution>),
    /// There is none, and none will come.
    Absent,
    /// Told to stop before that was sure.
    Stopped(String),
}

impl CloudRunLauncher {
    /// Looks for a start's execution until it is found, or certainly not there. Troubles on the way are waited out.
    ///
    /// # Errors
    /// Cloud Run refuses to tell.
    pub(super) async fn look(&self, launch: &Launch, shutdown: &Shutdown) -> Result<Looked, CallError> {
        let looks = if Utc::now() - launch.requested_at < ON_ITS_WAY { LOOKS } else { 1 };
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
        let mut trouble = Trouble::default();
        let (mut absent, mut refusals) = (0, 0);
        loop {
            let pass = tokio::select! {
                pass = self.find(launch) => pass,
                reason = told_to_leave(shutdown) => return Ok(Looked::Stopped(reason)),
            };
            let asked = match pass {
                Ok(Some(execution)) => return Ok(Looked::Found(Box::new(execution))),
                Ok(None) => {
                    absent += 1;
                    if absent >= looks {
                        return Ok(Looked::Absent);
                    }
                    None
                }
                Err(error) => {
                    refusals = if error.is_transient() { 0 } else { refusals + 1 };
                    if refusals >= REFUSALS {
                        return Err(error);
                    }
                    trouble.tell("list the executions", &error);
                    error.retry_after()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(backoff.next(asked)) => {}
                reason = told_to_leave(shutdown) => return Ok(Looked::Stopped(reason)),
            }
        }
    }

    /// One look through the job's executions that are not older than the start.
    async fn find(&self, launch: &Launch) -> Result<Option<Execution>, CallError> {
        let since = launch.requested_at - MARGIN;
        let mut token = String::new();
        for _ in 0..MOST_PAGES {
            let page = self.client.executions(&launch.job, &token).await?;
            // Newest first as a rule, but the rule is not written down: a page counts as too old when all of it is.
            let is_old = |execution: &Execution| execution.create_time.is_some_and(|created| created < since);
            let all_old = !page.executions.is_empty() && page.executions.iter().all(is_old);
            if let Some(found) = page.executions.into_iter().find(|execution| execution.carries(TOKEN, &launch.token)) {
                return Ok(Some(found));
            }
            token = page.next_page_token;
            if all_old || token.is_empty() {
                break;
            }
        }
        Ok(None)
    }
}

/// A trouble that is waited out: told when it begins, and now and then how long it has lasted.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Trouble {
    pub(super) fn tell(&mut self, what: &str, error: &CallError) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if self.told.is_none_or(|told| now - told >= TELL_EVERY) {
            self.told = Some(now);
            let seconds = (now - since).as_secs();
            tracing::warn!(%error, seconds, "failed to {what} for {seconds} s; trying again");
        }
    }

    pub(super) fn over(&mut self) {
        if let (Some(since), Some(_)) = (self.since.take(), self.told.take()) {
            tracing::info!("Cloud Run answers again after {} s", since.elapsed().as_secs());
        }
    }
}
