//! Small JSON files of the landing zone read and written: batches, checkpoints, plans, reports, the newest run.
//! A file that is no such JSON, or of a newer version, is refused; it is never taken for absent.

use crate::batch::{BATCH_VERSION, Batch};
use crate::evidence::ReadingScope;
use crate::landing::{Landing, LandingError, PutMode, paths};
use crate::report::{Plan, RunReport};
use crate::round::RunFolder;
use crate::run_id::RunId;
use crate::unit::{Task, Unit};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a stored file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The landing zone refused.
    #[error(transparent)]
    Landing(#[from] LandingError),
    /// The content is not what it should be.
    #[error("{path} cannot be read: {message}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

impl StoredError {
    /// A file of a landing zone that cannot be read, named in full with the command that removes it.
    pub fn malformed(landing: &dyn Landing, path: &str, why: impl std::fmt::Display) -> Self {
        let file = format!("{}/{path}", landing.location().trim_end_matches('/'));
        let message = match cure(path) {
            Some(cure) => format!("{why}; {cure}: {}", remove(&file)),
            None => why.to_string(),
        };
        Self::Malformed { path: file, message }
    }
}

/// What comes of removing a file that is broken, where no run mends it by itself.
fn cure(path: &str) -> Option<&'static str> {
    let kinds = [
        (
            paths::LEASE,
            "a lease that nobody renews is taken over after a minute; if no run is going on, it can be removed at once",
        ),
        (
            paths::LATEST,
            "remove it: the next run whose extract finishes writes it anew, and until then a load needs --run-id",
        ),
        (
            "checkpoints/",
            "remove it: the next run then reads this stream from its start, and no row is lost or doubled",
        ),
        (
            "suspects/",
            "remove it: rows that are missing are then looked for anew, and marked as deleted a reading later",
        ),
    ];
    kinds.into_iter().find(|(of, _)| path.starts_with(of)).map(|(_, cure)| cure)
}

/// The command that removes a file, as the user would type it.
fn remove(file: &str) -> String {
    let program = if file.starts_with("gs://") { "gcloud storage rm" } else { "rm" };
    format!("{program} '{}'", file.replace('\'', r"'\''"))
}

/// `checkpoints/…json`: where the next extract of a unit goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The run whose batch was applied last.
    pub run_id: RunId,
    /// The stream's state after it; null where it has none.
    pub state: Value,
    /// When the load moved it.
    pub updated_at: DateTime<Utc>,
    /// How far back the rows reach that were loaded; none in checkpoints of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered: Option<ReadingScope>,
    /// The identity of the table that the rows went into; `None` if there was none to write into yet, or the load was one that knew none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// `runs/latest.json`: the newest run whose extract has finished, with the durations that balance the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// The run.
    pub run_id: RunId,
    /// When its last extract task ended.
    pub finished_at: DateTime<Utc>,
    /// Milliseconds that each unit's extract took, by `source/account/stream`.
    pub durations_ms: BTreeMap<String, u64>,
}

/// Reads a JSON file; `None` if there is none.
///
/// # Errors
/// The zone refuses, or the content does not fit `T`.
pub async fn read<T: DeserializeOwned>(landing: &dyn Landing, path: &str) -> Result<Option<T>, StoredError> {
    let Some(object) = landing.get(path).await? else { return Ok(None) };
    serde_json::from_slice(&object.bytes).map(Some).map_err(|error| StoredError::malformed(landing, path, error))
}

/// Writes a JSON file, replacing an older one.
///
/// # Errors
/// The zone refuses.
pub async fn write<T: Serialize>(landing: &dyn Landing, path: &str, value: &T) -> Result<(), StoredError> {
    Ok(landing.put(path, encode(path, value)?, PutMode::Overwrite).await?)
}

pub(crate) fn encode<T: Serialize>(path: &str, value: &T) -> Result<Bytes, StoredError> {
    let malformed = |error: serde_json::Error| StoredError::Malformed { path: path.into(), message: error.to_string() };
    let mut text = serde_json::to_vec_pretty(value).map_err(malformed)?;
    text.push(b'\n');
    Ok(text.into())
}

/// More records than this no batch has; sums of smaller numbers are numbers still.
const MOST_RECORDS: u64 = 1 << 53;

/// The complete batch of a unit in a run; `None` if its extract has not finished.
///
/// # Errors
/// The zone refuses, the file is broken, of a newer version, or describes another unit.
pub async fn read_batch(
    landing: &dyn Landing,
    unit: &Unit,
    run: &impl RunFolder,
) -> Result<Option<Batch>, StoredError> {
    let path = paths::batch(unit, run);
    let Some(raw) = read::<Value>(landing, &path).await? else { return Ok(None) };
    let malformed = |message: String| StoredError::Malformed { path: path.clone(), message };
    let version = raw.get("version").and_then(Value::as_u64).unwrap_or(0);
    if version != u64::from(BATCH_VERSION) {
        return Err(malformed(format!("its version is {version}; this program reads version {BATCH_VERSION}")));
    }
    let batch: Batch = serde_json::from_value(raw).map_err(|error| malformed(error.to_string()))?;
    if batch.unit() != *unit || batch.run_id != *run.run() {
        return Err(malformed(format!("it describes {} of run {}", batch.unit(), batch.run_id)));
    }
    let counted = batch.parts.iter().try_fold(0, |sum: u64, part| sum.checked_add(part.records));
    let Some(counted) = counted.filter(|counted| *counted <= MOST_RECORDS) else {
        return Err(malformed("its parts hold more records than there can be".into()));
    };
    if counted != batch.records {
        return Err(malformed(format!("its parts hold {counted} records, but it says {}", batch.records)));
    }
    Ok(Some(batch))
}

/// The checkpoint of a unit; `None` if nothing was ever loaded.
///
/// # Errors
/// The zone refuses or the file is broken.
pub async fn read_checkpoint(landing: &dyn Landing, unit: &Unit) -> Result<Option<Checkpoint>, StoredError> {
    read(landing, &paths::checkpoint(unit)).await
}

/// The report of one task of a stage; `None` if it has not begun.
///
/// # Errors
/// The zone refuses or the file is broken.
pub async fn read_report(
    landing: &dyn Landing,
    run: &impl RunFolder,
    stage: &str,
    task: Task,
) -> Result<Option<RunReport>, StoredError> {
    read(landing, &paths::report(run, stage, task)).await
}

/// Adds units to the run's plan (creating it) and returns the whole plan. Tasks of one run do so side by side.
///
/// # Errors
/// The zone refuses, or the file is broken.
pub async fn extend_plan(landing: &dyn Landing, run: &impl RunFolder, add: &Plan) -> Result<Plan, StoredError> {
    let path = paths::plan(run);
    for _ in 0..50 {
        let found = landing.get(&path).await?;
        let (mut plan, mode) = match &found {
            None => (Plan { units: Vec::new(), ..add.clone() }, PutMode::Create),
            Some(object) => {
                let plan: Plan = serde_json::from_slice(&object.bytes)
                    .map_err(|error| StoredError::Malformed { path: path.clone(), message: error.to_string() })?;
                (plan, PutMode::Replace(object.version.clone()))
            }
        };
        let before = plan.clone();
        plan.tasks = add.tasks;
        for unit in &add.units {
            if !plan.units.contains(unit) {
                plan.units.push(unit.clone());
            }
        }
        if found.is_some() && plan == before {
            return Ok(plan);
        }
        match landing.put(&path, encode(&path, &plan)?, mode).await {
            Ok(()) => return Ok(plan),
            Err(LandingError::Precondition { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoredError::Malformed { path, message: "other tasks keep on changing it".into() })
}
