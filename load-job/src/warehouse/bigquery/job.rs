//! A job from its insert to its end. A job id is taken once, so a repeated insert finds the job instead of running it twice.
//! A job that failed for a passing reason is run again under the next attempt's id.

use super::apply_note::Next;
use super::client::{Client, refused};
use crate::warehouse::WarehouseError;
use contract::google::CallError;
use contract::google::retry::{Backoff, scaled};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Attempts of one statement.
const ATTEMPTS: u32 = 8;
/// How long an insert without a clear answer is repeated, and how long a job that cannot be asked about is waited for.
const PATIENCE: Duration = Duration::from_secs(900);
/// How long a job whose id is taken, and that this account may not see, can be its own that is not known everywhere yet.
const UNSEEN: Duration = Duration::from_secs(5);

/// A job that is to run.
#[derive(Debug, Clone)]
pub(super) struct JobOrder {
    /// For messages: "compare with bronze.jobs".
    what: String,
    /// The id without the attempt's number.
    stem: String,
    /// The number of the first attempt.
    first: u32,
    /// An id that is taken by a job that cannot be seen belongs to a statement that has ended: the next one is tried.
    skips_unseen: bool,
    /// Whether another process can have taken the id.
    is_fixed: bool,
    configuration: Value,
}

/// What is known of the jobs that other attempts have started under a fixed stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// All have ended; the number of the next attempt.
    Next(u32),
    /// From this attempt on nobody can tell: BigQuery does not show this account whether there is such a job.
    Unseen(u32),
}

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inserted {
    /// The job is there, and it is this process's.
    Ours,
    /// The id is taken by a job of another account.
    Unseen,
}

impl JobOrder {
    /// A job that only this process can have started: it may be repeated, for it changes nothing that lasts.
    pub(super) fn fresh(what: &str, step: &str, nonce: &str, configuration: Value) -> Self {
        let unique = format!("{:08x}", rand::random::<u32>());
        Self {
            what: what.into(),
            stem: format!("drayage_{step}_{nonce}_{unique}"),
            first: 1,
            skips_unseen: false,
            is_fixed: false,
            configuration,
        }
    }

    /// A job under an id that any process would choose: of several, one runs.
    pub(super) fn fixed(what: &str, stem: &str, next: Next, configuration: Value) -> Self {
        let Next { attempt: first, skips_unseen } = next;
        Self { what: what.into(), stem: stem.into(), first, skips_unseen, is_fixed: true, configuration }
    }
}

/// Why a finished job failed, and whether the same statement may succeed later.
struct Failure {
    text: String,
    is_transient: bool,
}

impl Client {
    /// Runs a job to its end; gives the finished job.
    ///
    /// # Errors
    /// It failed for good, or another process has taken its id.
    pub(super) fn run(&self, order: &JobOrder) -> Result<Value, WarehouseError> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let mut attempt = order.first;
        loop {
            let id = format!("{}_a{attempt}", order.stem);
            let last = attempt + 1 >= order.first + ATTEMPTS;
            if self.insert(order, &id)? == Inserted::Unseen {
                if order.skips_unseen && !last {
                    attempt += 1;
                    continue;
                }
                let message = format!(
                    "another account has a load of the same run at work on this table (job {id}), and this one may not see whether it has ended: \
                     grant it bigquery.jobs.get on project {}, and load the run again once the other has ended",
                    self.project
                );
                return Err(WarehouseError::Statement { what: order.what.clone(), message });
            }
            let job = self.wait(&order.what, &id)?;
            let Some(failure) = failure(&job) else { return Ok(job) };
            if !failure.is_transient || last {
                return Err(WarehouseError::Statement {
                    what: order.what.clone(),
                    message: format!("{} (job {id})", failure.text),
                });
            }
            tracing::warn!(job = id, "failed to {}: {}; trying again", order.what, failure.text);
            self.sleep(backoff.next(None), &order.what, &id)?;
            attempt += 1;
        }
    }

    /// Waits for jobs that other attempts have started under a fixed stem.
    pub(super) fn settle(&self, what: &str, stem: &str) -> Result<Settled, WarehouseError> {
        let mut attempt = 1;
        loop {
            let id = format!("{stem}_a{attempt}");
            match self.get(&id) {
                Err(error) if error.status() == Some(404) => return Ok(Settled::Next(attempt)),
                Err(error) if is_unseen(&error) => return Ok(Settled::Unseen(attempt)),
                Err(error) => return Err(refused(&self.project, what, error)),
                Ok(job) => {
                    if job["status"]["state"] != "DONE" {
                        tracing::info!(job = id, "an earlier attempt's job is still running; waiting for it");
                        self.wait(what, &id)?;
                    }
                    attempt += 1;
                }
            }
        }
    }

    fn get(&self, id: &str) -> Result<Value, CallError> {
        self.call(Method::GET, &format!("/jobs/{id}"), &[("location", &self.location)], None)
    }

    /// Starts a job. An answer that got lost is no answer: the same id is sent again until BigQuery says that it has it.
    fn insert(&self, order: &JobOrder, id: &str) -> Result<Inserted, WarehouseError> {
        let mut labels: Map<String, Value> =
            self.labels.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
        labels.insert("attempt".into(), self.nonce.clone().into());
        let mut configuration = order.configuration.clone();
        configuration["labels"] = labels.into();
        let reference = json!({ "projectId": self.project, "jobId": id, "location": self.location });
        let body = json!({ "jobReference": reference, "configuration": configuration });
        let path = format!("/bigquery/v2/projects/{}/jobs", self.project);
        let until = Instant::now() + scaled(PATIENCE).max(Duration::from_secs(10));
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let (mut unseen_until, mut is_unclear) = (None, false);
        loop {
            let error = match self.runtime.block_on(self.rest.call(Method::POST, &path, &[], Some(&body))) {
                Ok(_) => return Ok(Inserted::Ours),
                Err(error) => error,
            };
            if error.status() == Some(409) {
                let job = match self.get(id) {
                    // Just inserted, it may not be known everywhere yet.
                    Err(error) if error.status() == Some(404) && Instant::now() < until => {
                        self.sleep(backoff.next(None), &order.what, id)?;
                        continue;
                    }
                    // An account always sees its own jobs, in a moment.
                    Err(error) if is_unseen(&error) && (is_unclear || !order.is_fixed) && Instant::now() < until => {
                        self.sleep(backoff.next(None), &order.what, id)?;
                        continue;
                    }
                    // It may be its own, whose insert was answered by nobody: then it must not be run a second time.
                    Err(error) if is_unseen(&error) && is_unclear => {
                        return Err(refused(&self.project, &order.what, error));
                    }
                    Err(error) if is_unseen(&error) => {
                        if *unseen_until.get_or_insert_with(|| Instant::now() + scaled(UNSEEN)) > Instant::now() {
                            self.sleep(backoff.next(None), &order.what, id)?;
                            continue;
                        }
                        return Ok(Inserted::Unseen);
                    }
                    got => got.map_err(|error| refused(&self.project, &order.what, error))?,
                };
                if job["configuration"]["labels"]["attempt"] == self.nonce.as_str() {
                    return Ok(Inserted::Ours);
                }
                let message = format!(
                    "another load of the same run is at work on this table (job {id}); let it finish, then load the run again"
                );
                return Err(WarehouseError::Statement { what: order.what.clone(), message });
            }
            let wait = backoff.next(error.retry_after());
            // Some refusals of an insert are the job's own, told at once ("Error messages": jobRateLimitExceeded is a 400).
            let passing = error.is_transient() || is_passing(error.reason()) || is_conflict(&error.to_string());
            if !passing || Instant::now() + wait > until {
                return Err(refused(&self.project, &order.what, error));
            }
            is_unclear = true;
            tracing::debug!(%error, job = id, "the job's insert has no clear answer; sending it again under the same id");
            self.sleep(wait, &order.what, id)?;
        }
    }

    /// Waits until a job is done. A failed poll never ends the wait; only long silence does.
    fn wait(&self, what: &str, id: &str) -> Result<Value, WarehouseError> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let mut heard = Instant::now();
        loop {
            match self.runtime.block_on(self.rest.call(
                Method::GET,
                &format!("/bigquery/v2/projects/{}/jobs/{id}", self.project),
                &[("location", &self.location)],
                None,
            )) {
                Ok(job) if job["status"]["state"] == "DONE" => return Ok(job),
                Ok(_) => heard = Instant::now(),
                // Right after its insert a job may not be known everywhere yet.
                Err(error) if error.is_transient() || error.status() == Some(404) || is_unseen(&error) => {
                    if heard.elapsed() > scaled(PATIENCE).max(Duration::from_secs(10)) {
                        let location = format!("BigQuery in project {}", self.project);
                        return Err(WarehouseError::Unreachable {
                            location,
                            message: format!("{what}: {error}; job {id} may still be running"),
                        });
                    }
                    tracing::debug!(%error, job = id, "failed to ask for the job; asking again");
                }
                Err(error) => return Err(refused(&self.project, what, error)),
            }
            self.sleep(backoff.next(None), what, id)?;
        }
    }

    /// Waits, unless the program is told to stop.
    pub(super) fn sleep(&self, wait: Duration, what: &str, id: &str) -> Result<(), WarehouseError> {
        let reason = self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(wait) => None,
                reason = self.shutdown.requested() => Some(reason),
            }
        });
        match reason {
            None => Ok(()),
            Some(reason) => Err(WarehouseError::Statement {
                what: what.into(),
                message: format!(
                    "stopped by {reason} while job {id} was running; it may still finish: load the run again, which waits for it"
                ),
            }),
        }
    }
}

/// A job of another account, or none: BigQuery answers 403 to an account that may only run jobs ("jobs.get": required permissions).
fn is_unseen(error: &CallError) -> bool {
    error.status() == Some(403) && error.reason() == "accessDenied"
}

/// The reasons after which the same statement may be run again ("Error messages"). Statements are atomic: a failed one has changed nothing.
fn is_passing(reason: &str) -> bool {
    matches!(
        reason,
        "backendError"
            | "internalError"
            | "rateLimitExceeded"
            | "jobRateLimitExceeded"
            | "jobBackendError"
            | "jobInternalError"
            | "tableUnavailable"
    )
}

/// Two statements on one table, or too many waiting for it: BigQuery gives up after a few tries of its own.
fn is_conflict(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("concurrent update") || message.contains("too many dml statements outstanding")
}

/// Why a finished job failed; `None` if it did not.
fn failure(job: &Value) -> Option<Failure> {
    let error = &job["status"]["errorResult"];
    if !error.is_object() {
        return None;
    }
    let (reason, message) =
        (error["reason"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default());
    Some(Failure { text: format!("{reason}: {message}"), is_transient: is_passing(reason) || is_conflict(message) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart() {
        let job = |reason: &str, message: &str| json!({"status": {"state": "DONE", "errorResult": {"reason": reason, "message": message}}});
        assert!(failure(&json!({"status": {"state": "DONE"}})).is_none());
        for (reason, message, transient) in [
            ("backendError", "try again", true),
            ("jobRateLimitExceeded", "", true),
            ("invalidQuery", "Could not serialize access to table t due to concurrent update", true),
            ("resourcesExceeded", "Resources exceeded: Too many DML statements outstanding against table t", true),
            ("invalidQuery", "Syntax error", false),
            ("quotaExceeded", "daily", false),
            ("bytesBilledLimitExceeded", "Query exceeded limit for bytes billed", false),
        ] {
            let failure = failure(&job(reason, message)).unwrap();
            assert_eq!(failure.is_transient, transient, "{reason}");
            assert!(failure.text.contains(reason));
        }
    }
}
