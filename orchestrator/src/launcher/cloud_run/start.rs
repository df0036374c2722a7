//! Starting an execution exactly once, though `jobs.run` knows no request id: the start is noted before it is sent, and after an
//! answer that leaves open whether it took effect, the execution is looked for before the call is made again.

use super::super::record::{self, Launch, Noted};
use super::super::{LaunchError, StageOrder};
use super::answer::short;
use super::look::{Looked, TOKEN};
use super::{CloudRunLauncher, EXECUTOR, VIEWER, told_to_leave};
use chrono::Utc;
use contract::google::CallError;
use contract::google::retry::{Backoff, scaled};
use contract::shutdown::Shutdown;
use rand::Rng;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a start that is put off (a quota, an outage) is tried again.
const TRY_FOR: Duration = Duration::from_secs(900);

/// How long the answer to a start is waited for when this process is told to stop; it is killed after 10 s.
const LAST_WORD: Duration = Duration::from_secs(3);

pub(super) enum Started {
    /// Its full name, and the note of the start.
    Execution(String, Launch),
    /// Told to stop before anything was sent.
    Withheld(String),
    /// Told to stop while it was open whether the start took effect.
    Unknown(String),
}

impl CloudRunLauncher {
    pub(super) async fn start(
        &self,
        order: &StageOrder,
        before: Option<Noted>,
        shutdown: &Shutdown,
    ) -> Result<Started, LaunchError> {
        let (stage, run_id, landing) = (order.stage, &order.run_id, self.landing.as_ref());
        let job = self.job(stage);
        let settings =
            self.client.job_repeatedly(job).await.map_err(|error| self.refused("see", job, VIEWER, error))?;
        let launch = Launch {
            token: format!("{:032x}", rand::rng().random::<u128>()),
            job: job.to_owned(),
            arguments: order.arguments.clone(),
            tasks: order.tasks,
            requested_at: Utc::now(),
            wanted_at: None,
            execution: None,
            ended_at: None,
        };
        record::begin(landing, run_id, stage, &launch, before).await?;
        let body = body(order, settings.container(), &launch.token, self.timeout(stage));
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));
        let until = Instant::now() + scaled(TRY_FOR).max(Duration::from_secs(5));
        loop {
            if let Some(reason) = shutdown.reason() {
                record::forget(landing, run_id, stage, &launch).await;
                return Ok(Started::Withheld(reason));
            }
            record::still(landing, run_id, stage, &launch).await?;
            let mut call = std::pin::pin!(self.client.run(job, &body));
            let sent = tokio::select! {
                sent = &mut call => sent,
                // It has been sent, so its answer is worth a moment: it says what is left running.
                reason = told_to_leave(shutdown) => match timeout(scaled(LAST_WORD), call).await {
                    Ok(sent) => sent,
                    Err(_) => return Ok(Started::Unknown(reason)),
                },
            };
            let error = match sent {
                Ok(Some(name)) => return Ok(self.started(order, name, launch).await),
                Ok(None) => None,
                Err(error) if is_definite(&error) => {
                    record::forget(landing, run_id, stage, &launch).await;
                    return Err(self.refused("start", job, EXECUTOR, error));
                }
                Err(error) => {
                    tracing::warn!(%run_id, %error, "the answer to the start of {stage} leaves open whether it runs; looking for it");
                    Some(error)
                }
            };
            match self.look(&launch, shutdown).await {
                Ok(Looked::Found(execution)) => return Ok(self.started(order, execution.name, launch).await),
                Ok(Looked::Stopped(reason)) => return Ok(Started::Unknown(reason)),
                // It was accepted, without a name: were it sent again, there would be two.
                Ok(Looked::Absent) if error.is_none() => {
                    return Ok(Started::Unknown("an answer of Cloud Run without the execution's name".into()));
                }
                Ok(Looked::Absent) => {}
                Err(source) => {
                    let (run_id, job) = (run_id.clone(), job.to_owned());
                    return Err(LaunchError::Unknown { run_id, stage, job, source: Box::new(source) });
                }
            }
            let wait = backoff.next(error.as_ref().and_then(CallError::retry_after));
            if let Some(error) = error.filter(|_| Instant::now() + wait > until) {
                record::forget(landing, run_id, stage, &launch).await;
                return Err(self.refused("start", job, EXECUTOR, error));
            }
            tracing::info!(%run_id, "{stage} has not started; trying again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = shutdown.requested() => {}
            }
        }
    }

    async fn started(&self, order: &StageOrder, name: String, launch: Launch) -> Started {
        let (run_id, stage) = (&order.run_id, order.stage);
        tracing::info!(%run_id, tasks = order.tasks, "{stage} runs as execution {}", short(&name));
        self.learn_name(run_id, stage, &launch.token, &name).await;
        Started::Execution(name, launch)
    }
}

/// Whether the call certainly had no effect, and would have none another time.
fn is_definite(error: &CallError) -> bool {
    match error {
        // A conflict passes.
        CallError::Refused { status, .. } => *status != 409 && !error.is_transient(),
        CallError::Credentials { is_transient, .. } => !is_transient,
        CallError::Lost { .. } => false,
    }
}

fn body(order: &StageOrder, container: Option<&str>, token: &str, timeout: Option<Duration>) -> Value {
    let variable = |name: &str, value: &str| json!({ "name": name, "value": value });
    let mut container_override = json!({
        "args": order.arguments,
        "env": [variable("DRAYAGE_RUN_ID", order.run_id.as_str()), variable(TOKEN, token)],
    });
    if let Some(name) = container {
        container_override["name"] = name.into();
    }
    let mut overrides = json!({ "containerOverrides": [container_override], "taskCount": order.tasks });
    if let Some(timeout) = timeout {
        overrides["timeout"] = format!("{}s", timeout.as_secs()).into();
    }
    json!({ "overrides": overrides })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    #[test]
    fn the_body_overrides_what_a_run_needs_and_no_more() {
        let order = StageOrder {
            stage: Stage::Load,
            run_id: "20260131T235900Z-a1b2c3".parse().unwrap(),
            tasks: 3,
            arguments: vec!["--pipeline".into(), "gs://b/p.yaml".into()],
            since: None,
        };
        let env =
            json!([{"name": "DRAYAGE_RUN_ID", "value": "20260131T235900Z-a1b2c3"}, {"name": TOKEN, "value": "t"}]);
        let container = json!({"args": ["--pipeline", "gs://b/p.yaml"], "env": env});
        let expected = json!({"overrides": {"containerOverrides": [container], "taskCount": 3}});
        assert_eq!(body(&order, None, "t", None), expected);
        let named = body(&order, Some("load-1"), "t", Some(Duration::from_secs(7200)));
        assert_eq!(named["overrides"]["containerOverrides"][0]["name"], "load-1");
        assert_eq!(named["overrides"]["timeout"], "7200s");
    }

    #[test]
    fn only_a_clear_no_ends_a_start() {
        let refused = |status: u16| CallError::Refused {
            call: String::new(),
            status,
            reason: String::new(),
            message: String::new(),
            retry_after: None,
        };
        for (status, definite) in
            [(400, true), (401, true), (403, true), (404, true), (408, false), (409, false), (429, false), (503, false)]
        {
            assert_eq!(is_definite(&refused(status)), definite, "{status}");
        }
        assert!(!is_definite(&CallError::Lost { call: String::new(), message: String::new() }));
    }
}
