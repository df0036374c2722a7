//! One run from its pipeline file to its result: what `run`, `serve` and `schedule` have in common.
//! The file is read anew for every run, and a run that loses its lease stops alone: not the program that started it.

use crate::error::RunError;
use crate::run::{RunOptions, begin};
use crate::summary::RunSummary;
use crate::{launcher, notify};
use contract::pipeline::{Pipeline, Problems};
use contract::run_id::RunId;
use contract::secret::{self, Machine, Secret};
use contract::shutdown::Shutdown;
use serde_json::Value;

/// A run that has ended, or that could not begin.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The pipeline, if its file could be read.
    pub(crate) pipeline: Option<Pipeline>,
    /// What came of it.
    pub(crate) result: Result<RunSummary, RunError>,
}

impl Attempt {
    /// Tells the people whom the pipeline names, or whom it named when its file could be read last (`before`).
    pub(crate) async fn tell(&self, before: Option<&Pipeline>, shutdown: &Shutdown) {
        let Some(pipeline) = self.pipeline.as_ref().or(before) else { return };
        match &self.result {
            Ok(summary) => notify::finished(pipeline, summary, shutdown).await,
            Err(error) => notify::not_begun(pipeline, error, shutdown).await,
        }
    }
}

/// Reads a pipeline file.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) async fn read(path: &str) -> Result<Pipeline, Problems> {
    Pipeline::open(path, &Machine).await
}

/// The address of the pipeline's Slack webhook, resolved now.
///
/// # Errors
/// A reference that cannot be resolved.
pub(crate) async fn slack_webhook(pipeline: &Pipeline) -> Result<Option<Secret>, Problems> {
    let Some(text) = &pipeline.notify.slack_webhook else { return Ok(None) };
    let store = secret::fetch(&[&Value::String(text.clone())], &Machine).await;
    pipeline.resolve_slack_webhook(&store)
}

/// Runs a pipeline once. `begun` is told the run as soon as its lease is held.
pub(crate) async fn attempt(
    path: &str,
    options: &RunOptions,
    shutdown: &Shutdown,
    begun: impl FnOnce(&RunId) + Send,
) -> Attempt {
    let pipeline = match read(path).await {
        Ok(pipeline) => pipeline,
        Err(problems) => return Attempt { pipeline: None, result: Err(problems.into()) },
    };
    let result = once(&pipeline, options, shutdown, begun).await;
    Attempt { pipeline: Some(pipeline), result }
}

async fn once(
    pipeline: &Pipeline,
    options: &RunOptions,
    shutdown: &Shutdown,
    begun: impl FnOnce(&RunId) + Send,
) -> Result<RunSummary, RunError> {
    let launcher = launcher::choose(pipeline)?;
    let own = Shutdown::new();
    let run = async {
        let run = begin(pipeline, options, launcher.as_ref(), &own).await?;
        begun(run.run_id());
        run.finish().await
    };
    let mut run = std::pin::pin!(run);
    tokio::select! {
        result = &mut run => return result,
        reason = shutdown.requested() => own.request(&reason),
    }
    run.await
}
