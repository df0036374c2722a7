//! The launcher of production: a stage is an execution of a Cloud Run Job, which outlives this process.
//! A note in the landing zone and a token in the execution's environment tie the two together, so that no stage is started twice.

mod answer;
mod client;
mod end;
mod look;
mod start;
#[cfg(test)]
mod tests;
mod wait;

use super::record::{self, Noted};
use super::{LaunchError, Launcher, OwnExecution, StageEnd, StageOrder, Standing};
use crate::stage::Stage;
use answer::short;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use client::Client;
use contract::google::{CallError, Rest, Service};
use contract::landing::{Landing, paths};
use contract::pipeline::{CloudRunEntry, Pipeline, WarehouseEntry};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use look::Looked;
use start::Started;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Runs the jobs as executions of Cloud Run Jobs.
#[derive(Debug, Clone)]
pub(crate) struct CloudRunLauncher {
    client: Client,
    extract_job: String,
    load_job: String,
    extract_timeout: Option<Duration>,
    load_timeout: Option<Duration>,
    landing: Arc<dyn Landing>,
    own: Option<OwnExecution>,
    /// Between two polls.
    pause: RangeInclusive<Duration>,
}

/// What an earlier start of a stage means for an order.
enum Earlier {
    /// There is none, or it has ended and the stage is wanted anew.
    None,
    /// Its execution is the one to wait for.
    Join(String),
    /// Told to stop while looking.
    Stopped(String),
}

/// What keeps the settings from working, in words; what is doubtful is logged.
pub(crate) fn check(pipeline: &Pipeline, entry: &CloudRunEntry) -> Result<(), String> {
    let names = [("project", &entry.project), ("region", &entry.region)];
    let jobs = [("extract_job", &entry.extract_job), ("load_job", &entry.load_job)];
    for (key, name) in names.into_iter().chain(jobs) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!(
                "{}: orchestrator.launcher.cloud_run.{key}: `{}` is no such name (of a job, not its path)",
                pipeline.name,
                name.escape_default()
            ));
        }
    }
    if matches!(pipeline.warehouse, WarehouseEntry::Duckdb { .. }) {
        if entry.load_tasks.is_some_and(|tasks| tasks > 1) {
            return Err(format!(
                "{}: orchestrator.launcher.cloud_run.load_tasks: a DuckDB file cannot be shared by Cloud Run tasks; \
                 leave load_tasks out, or use `warehouse: {{type: bigquery}}`",
                pipeline.name
            ));
        }
        tracing::warn!("a DuckDB file outlives a Cloud Run job only on a mounted volume; BigQuery needs none");
    }
    Ok(())
}

impl CloudRunLauncher {
    /// A launcher of the pipeline's jobs, by the endpoint and the Cloud Run variables of this process's environment.
    pub(crate) fn from_environment(entry: &CloudRunEntry, landing: Arc<dyn Landing>) -> Result<Self, LaunchError> {
        let rest = Rest::open(Service::Run)?;
        Ok(Self::new(rest, entry, landing, own_execution(|name| std::env::var(name).ok())))
    }

    pub(crate) fn new(rest: Rest, entry: &CloudRunEntry, landing: Arc<dyn Landing>, own: Option<OwnExecution>) -> Self {
        Self {
            client: Client::new(rest, &entry.project, &entry.region),
            extract_job: entry.extract_job.clone(),
            load_job: entry.load_job.clone(),
            extract_timeout: entry.extract_timeout.map(Duration::from_secs),
            load_timeout: entry.load_timeout.map(Duration::from_secs),
            landing,
            own,
            pause: wait::PAUSE,
        }
    }

    fn job(&self, stage: Stage) -> &str {
        match stage {
            Stage::Extract | Stage::ConfirmExtract => &self.extract_job,
            Stage::Load | Stage::ConfirmLoad => &self.load_job,
        }
    }

    fn timeout(&self, stage: Stage) -> Option<Duration> {
        match stage {
            Stage::Extract | Stage::ConfirmExtract => self.extract_timeout,
            Stage::Load | Stage::ConfirmLoad => self.load_timeout,
        }
    }

    /// How to watch and to cancel an execution.
    fn how(&self, execution: &str) -> String {
        let (execution, flags) = (short(execution), self.client.flags());
        let command = |verb: &str| format!("`gcloud run jobs executions {verb} {execution} {flags}`");
        format!("to watch it: {}; to stop it: {}", command("describe"), command("cancel"))
    }

    fn refused(&self, verb: &str, job: &str, role: &str, source: CallError) -> LaunchError {
        let what = format!("{verb} job {job} in {}", self.client.place());
        let hint = match source.status() {
            Some(403)
                if source.to_string().contains("SERVICE_DISABLED")
                    || source.to_string().contains("has not been used") =>
            {
                Some("turn the API on: `gcloud services enable run.googleapis.com`".to_owned())
            }
            Some(403) => Some(format!("the account of the orchestrator needs {role} on the job or its project")),
            Some(404) => {
                Some("compare orchestrator.launcher.cloud_run in the pipeline file with what is deployed".to_owned())
            }
            Some(401) => {
                Some("the credentials are not accepted; on Cloud Run, check the job's service account".to_owned())
            }
            _ => None,
        };
        LaunchError::CloudRun { what, source: Box::new(source), hint }
    }

    /// A stage that nobody waits for any more. Without a name, it is not even known whether it was started.
    fn left(&self, stage: Stage, execution: Option<&str>, reason: String) -> StageEnd {
        let text = match execution {
            Some(name) => {
                format!("the {stage} is still running in Cloud Run as execution {}; {}", short(name), self.how(name))
            }
            None => format!(
                "whether the {stage} was started in Cloud Run is not known; to see: `gcloud run jobs executions list --job {} {}`",
                self.job(stage),
                self.client.flags()
            ),
        };
        tracing::warn!("stopped by {reason}: {text}");
        StageEnd { interrupted: Some(reason), left_running: Some(text), ..StageEnd::default() }
    }

    async fn earlier(
        &self,
        order: &StageOrder,
        noted: Option<&Noted>,
        shutdown: &Shutdown,
    ) -> Result<Earlier, LaunchError> {
        let Some(Noted { launch, .. }) = noted else { return Ok(Earlier::None) };
        let is_own = order.since.is_some() && launch.is_since(order.since);
        if launch.ended_at.is_some() && !is_own {
            return Ok(Earlier::None);
        }
        let name = match &launch.execution {
            Some(name) if is_own => return Ok(Earlier::Join(name.clone())),
            Some(name) => name.clone(),
            None => match self.look(launch, shutdown).await {
                Ok(Looked::Found(execution)) => {
                    self.learn_name(&order.run_id, order.stage, &launch.token, &execution.name).await;
                    execution.name
                }
                Ok(Looked::Absent) => return Ok(Earlier::None),
                Ok(Looked::Stopped(reason)) => return Ok(Earlier::Stopped(reason)),
                Err(error) => return Err(self.refused("look for executions of", &launch.job, VIEWER, error)),
            },
        };
        if is_own {
            return Ok(Earlier::Join(name));
        }
        match self.client.execution_repeatedly(&name).await {
            Ok(execution) if execution.is_finished() => Ok(Earlier::None),
            Ok(_) if launch.arguments == order.arguments => Ok(Earlier::Join(name)),
            Ok(_) => Err(LaunchError::StillRunning {
                run_id: order.run_id.clone(),
                stage: order.stage,
                execution: short(&name).to_owned(),
                how: self.how(&name),
            }),
            Err(error) if error.status() == Some(404) => Ok(Earlier::None),
            Err(error) => Err(self.refused("see the executions of", &launch.job, VIEWER, error)),
        }
    }

    async fn learn_name(&self, run_id: &RunId, stage: Stage, token: &str, name: &str) {
        record::learn(self.landing.as_ref(), run_id, stage, token, |launch| launch.execution = Some(name.to_owned()))
            .await;
    }
}

/// What the orchestrator's account needs, by what is refused.
const VIEWER: &str = "roles/run.viewer";
const EXECUTOR: &str = "roles/run.jobsExecutorWithOverrides";

#[async_trait]
impl Launcher for CloudRunLauncher {
    async fn prepare(&self, stages: &[Stage]) -> Result<(), LaunchError> {
        for stage in stages {
            let job = self.job(*stage);
            self.client.job_repeatedly(job).await.map_err(|error| self.refused("see", job, VIEWER, error))?;
            // Without it, a start whose answer is lost could not be found again.
            let listed = self.client.may_list_repeatedly(job).await;
            listed.map_err(|error| self.refused("list the executions of", job, VIEWER, error))?;
        }
        Ok(())
    }

    async fn run_stage(&self, order: &StageOrder, shutdown: &Shutdown) -> Result<StageEnd, LaunchError> {
        let noted = record::read(self.landing.as_ref(), &order.run_id, order.stage).await?;
        let (name, launch, is_joined) = match (self.earlier(order, noted.as_ref(), shutdown).await?, noted) {
            (Earlier::Join(name), Some(noted)) => {
                if order.since.is_none() {
                    let now = Utc::now();
                    let want = |launch: &mut record::Launch| launch.wanted_at = Some(now);
                    record::learn(self.landing.as_ref(), &order.run_id, order.stage, &noted.launch.token, want).await;
                }
                tracing::info!(run_id = %order.run_id, "{} goes on as execution {}", order.stage, short(&name));
                (name, noted.launch, true)
            }
            (Earlier::Stopped(reason), _) => return Ok(self.left(order.stage, None, reason)),
            (_, noted) => match self.start(order, noted, shutdown).await? {
                Started::Execution(name, launch) => (name, launch, false),
                Started::Withheld(reason) => {
                    return Ok(StageEnd { interrupted: Some(reason), ..StageEnd::default() });
                }
                Started::Unknown(reason) => return Ok(self.left(order.stage, None, reason)),
            },
        };
        let mut end = self.wait(order.stage, &name, &launch, shutdown).await;
        if is_joined {
            end.joined = end.joined.or(Some(launch.requested_at));
        } else {
            end.joined = None;
        }
        if end.left_running.is_none() {
            let now = Utc::now();
            let ended = |launch: &mut record::Launch| launch.ended_at = launch.ended_at.or(Some(now));
            record::learn(self.landing.as_ref(), &order.run_id, order.stage, &launch.token, ended).await;
        }
        Ok(end)
    }

    fn outlives(&self) -> bool {
        true
    }

    async fn standing(
        &self,
        run_id: &RunId,
        stage: Stage,
        since: Option<DateTime<Utc>>,
    ) -> Result<Standing, LaunchError> {
        let Some(noted) = record::read(self.landing.as_ref(), run_id, stage).await? else {
            return Ok(Standing::NotStarted);
        };
        let launch = noted.launch;
        let ended = if launch.is_since(since) { Standing::Ended } else { Standing::NotStarted };
        if launch.ended_at.is_some() {
            return Ok(ended);
        }
        let found = match &launch.execution {
            Some(name) => {
                self.client.execution_repeatedly(name).await.map(|execution| Looked::Found(Box::new(execution)))
            }
            // The caller stops waiting by itself.
            None => self.look(&launch, &Shutdown::new()).await,
        };
        match found {
            Ok(Looked::Found(execution)) => {
                if launch.execution.is_none() {
                    self.learn_name(run_id, stage, &launch.token, &execution.name).await;
                }
                let name = execution.short_name().to_owned();
                Ok(if execution.is_finished() { ended } else { Standing::Running(name) })
            }
            Ok(_) => Ok(Standing::NotStarted),
            Err(error) if error.status() == Some(404) => Ok(ended),
            Err(error) => Err(self.refused("see the executions of", &launch.job, VIEWER, error)),
        }
    }

    fn own_execution(&self) -> Option<&OwnExecution> {
        self.own.as_ref()
    }
}

/// This process's own execution, from the variables that Cloud Run sets.
fn own_execution(variable: impl Fn(&str) -> Option<String>) -> Option<OwnExecution> {
    let number = |name: &str| variable(name).and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(0);
    let name = variable("CLOUD_RUN_EXECUTION").filter(|name| paths::is_safe_segment(name))?;
    // Of several tasks that somebody gave the orchestrator, only one goes on with an earlier attempt's run; the lease stops the others.
    let is_first = number("CLOUD_RUN_TASK_INDEX") == 0;
    is_first.then(|| OwnExecution { name, attempt: number("CLOUD_RUN_TASK_ATTEMPT") })
}

/// The moment after which an execution has had its time.
fn deadline(created: DateTime<Utc>, timeout: Option<Duration>) -> Option<DateTime<Utc>> {
    timeout
        .and_then(|timeout| chrono::TimeDelta::from_std(timeout).ok())
        .and_then(|span| created.checked_add_signed(span))
}

/// Whether this reason to stop means that another run may begin any moment: then the tasks must stop too.
fn is_lost_lease(reason: &str) -> bool {
    reason.contains(contract::lease::LOST_TO_ANOTHER)
}

/// Waits until this process is to stop and leave its tasks alone.
async fn told_to_leave(shutdown: &Shutdown) -> String {
    let reason = shutdown.requested().await;
    if is_lost_lease(&reason) {
        std::future::pending::<()>().await;
    }
    reason
}
