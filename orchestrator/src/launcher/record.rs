//! What a launcher whose tasks outlive it notes in the landing zone before it starts a stage: `runs/<run_id>/launch-<stage>.json`.
//! Whoever goes on with the run finds the tasks by it, so that no stage is started twice.

use super::LaunchError;
use crate::stage::Stage;
use chrono::{DateTime, Utc};
use contract::landing::{Landing, LandingError, PutMode, Version};
use contract::run_id::RunId;
use contract::stored::StoredError;
use serde::{Deserialize, Serialize};

/// How often a write is tried again because someone else wrote in between.
const TRIES: usize = 20;

/// One start of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// Unique for each start; the execution carries it.
    pub(crate) token: String,
    /// The job's short name.
    pub(crate) job: String,
    /// The job's command line.
    pub(crate) arguments: Vec<String>,
    /// Into how many tasks the stage is divided.
    pub(crate) tasks: usize,
    /// When the start was decided on; nothing was sent before.
    pub(crate) requested_at: DateTime<Utc>,
    /// When it was joined by an order of its own, not by the one that it was started for.
    #[serde(default)]
    pub(crate) wanted_at: Option<DateTime<Utc>>,
    /// The execution's full name, once it is known.
    #[serde(default)]
    pub(crate) execution: Option<String>,
    /// When an orchestrator learned that all tasks had ended.
    #[serde(default)]
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

impl Launch {
    /// Whether it was started, or joined, for an order that stands since then.
    pub(crate) fn is_since(&self, since: Option<DateTime<Utc>>) -> bool {
        since.is_none_or(|since| self.requested_at.max(self.wanted_at.unwrap_or(self.requested_at)) >= since)
    }
}

/// A note as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub(crate) launch: Launch,
    version: Version,
}

pub(crate) fn path(run_id: &RunId, stage: Stage) -> String {
    format!("runs/{run_id}/launch-{stage}.json")
}

/// The last start of a stage; `None` if there was none.
pub(crate) async fn read(landing: &dyn Landing, run_id: &RunId, stage: Stage) -> Result<Option<Noted>, StoredError> {
    let path = path(run_id, stage);
    let Some(object) = landing.get(&path).await? else { return Ok(None) };
    let launch = serde_json::from_slice(&object.bytes)
        .map_err(|error| StoredError::Malformed { path, message: error.to_string() })?;
    Ok(Some(Noted { launch, version: object.version }))
}

/// Notes a start in place of the one that was read.
///
/// # Errors
/// Someone else has noted one since, or the landing zone refuses.
pub(crate) async fn begin(
    landing: &dyn Landing,
    run_id: &RunId,
    stage: Stage,
    launch: &Launch,
    before: Option<Noted>,
) -> Result<(), LaunchError> {
    let mode = before.map_or(PutMode::Create, |noted| PutMode::Replace(noted.version));
    match put(landing, &path(run_id, stage), launch, mode).await {
        Err(StoredError::Landing(LandingError::Precondition { .. })) => {
            Err(LaunchError::Overtaken { run_id: run_id.clone(), stage })
        }
        other => Ok(other?),
    }
}

/// Whether this start is still the last one: an orchestrator that slept must not send what another one has sent meanwhile.
pub(crate) async fn still(
    landing: &dyn Landing,
    run_id: &RunId,
    stage: Stage,
    launch: &Launch,
) -> Result<(), LaunchError> {
    match read(landing, run_id, stage).await? {
        Some(noted) if noted.launch.token == launch.token => Ok(()),
        _ => Err(LaunchError::Overtaken { run_id: run_id.clone(), stage }),
    }
}

/// Adds what has become known of a start. A note that cannot be written is missed later only as a short cut: the token finds the execution.
pub(crate) async fn learn(
    landing: &dyn Landing,
    run_id: &RunId,
    stage: Stage,
    token: &str,
    change: impl Fn(&mut Launch) + Send,
) {
    for _ in 0..TRIES {
        let written = match read(landing, run_id, stage).await {
            Ok(Some(Noted { mut launch, version })) if launch.token == token => {
                let before = launch.clone();
                change(&mut launch);
                if launch == before {
                    return;
                }
                put(landing, &path(run_id, stage), &launch, PutMode::Replace(version)).await
            }
            // Another start has been noted since.
            Ok(_) => return,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => return,
            Err(StoredError::Landing(LandingError::Precondition { .. })) => {}
            Err(error) => {
                tracing::warn!(%run_id, %error, "failed to note what has become of the {stage}");
                return;
            }
        }
    }
}

/// Takes a start back that was refused.
pub(crate) async fn forget(landing: &dyn Landing, run_id: &RunId, stage: Stage, launch: &Launch) {
    let removed = match read(landing, run_id, stage).await {
        Ok(Some(noted)) if noted.launch.token == launch.token => {
            landing.delete(&path(run_id, stage), &noted.version).await.map_err(StoredError::from)
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::debug!(%run_id, %error, "failed to remove the note of a start that was refused");
    }
}

async fn put(landing: &dyn Landing, path: &str, launch: &Launch, mode: PutMode) -> Result<(), StoredError> {
    let malformed =
        |error: serde_json::Error| StoredError::Malformed { path: path.to_owned(), message: error.to_string() };
    let text = serde_json::to_vec_pretty(launch).map_err(malformed)?;
    Ok(landing.put(path, text.into(), mode).await?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn launch(token: &str) -> Launch {
        Launch {
            token: token.into(),
            job: "extract-job".into(),
            arguments: vec!["--force".into()],
            tasks: 1,
            requested_at: Utc::now(),
            wanted_at: None,
            execution: None,
            ended_at: None,
        }
    }

    #[tokio::test]
    async fn of_two_that_note_a_start_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let landing = contract::landing::open_folder(folder.path()).unwrap();
        let landing = landing.as_ref();
        let run_id: RunId = "20260131T235900Z-a1b2c3".parse().unwrap();
        let (first, second) = (launch("1"), launch("2"));
        begin(landing, &run_id, Stage::Load, &first, None).await.unwrap();
        let error = begin(landing, &run_id, Stage::Load, &second, None).await.unwrap_err();
        assert!(matches!(error, LaunchError::Overtaken { .. }), "{error}");

        let noted = read(landing, &run_id, Stage::Load).await.unwrap();
        begin(landing, &run_id, Stage::Load, &second, noted.clone()).await.unwrap();
        assert!(begin(landing, &run_id, Stage::Load, &first, noted).await.is_err());
        assert!(still(landing, &run_id, Stage::Load, &first).await.is_err());
        still(landing, &run_id, Stage::Load, &second).await.unwrap();

        // What the first one learns late does not touch the second's note.
        learn(landing, &run_id, Stage::Load, "1", |launch| launch.execution = Some("x".into())).await;
        learn(landing, &run_id, Stage::Load, "2", |launch| launch.execution = Some("y".into())).await;
        let known = read(landing, &run_id, Stage::Load).await.unwrap().unwrap().launch;
        assert_eq!(known, Launch { execution: Some("y".into()), ..second.clone() });
        forget(landing, &run_id, Stage::Load, &first).await;
        assert!(read(landing, &run_id, Stage::Load).await.unwrap().is_some());
        forget(landing, &run_id, Stage::Load, &second).await;
        assert!(read(landing, &run_id, Stage::Load).await.unwrap().is_none());
    }
}
