//! The state of the gate: the emulator behind it, the tables' shapes, the jobs, the faults to come and the log.
//! Shared by every handler; locks are held for moments only, but for the emulator's turn.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Method;
use serde_json::json;

use super::Options;
use super::emulator::Emulator;
use super::fault::Script;
use super::job::Jobs;
use super::log::Request;
use super::reply::JobError;
use super::shape::Shape;
use super::upstream::Upstream;

/// A table's full name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TableId {
    pub(crate) project: String,
    pub(crate) dataset: String,
    pub(crate) table: String,
}

impl TableId {
    /// From a path in SQL; `None` where it has no dataset.
    pub(crate) fn of_path(path: &[String], project: &str) -> Option<Self> {
        let (project, dataset, table) = match path {
            [dataset, table] => (project, dataset, table),
            [project, dataset, table] => (project.as_str(), dataset, table),
            _ => return None,
        };
        Some(Self { project: project.to_owned(), dataset: dataset.clone(), table: table.clone() })
    }

    /// As in SQL.
    pub(crate) fn sql(&self) -> String {
        format!("`{}.{}.{}`", self.project, self.dataset, self.table)
    }

    /// Its place in the REST API.
    pub(crate) fn rest(&self) -> String {
        format!("{}/datasets/{}/tables/{}", self.project, self.dataset, self.table)
    }

    pub(crate) fn not_found(&self) -> JobError {
        JobError::new("notFound", format!("Not found: Table {self}"))
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}.{}", self.project, self.dataset, self.table)
    }
}

/// The gate.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) upstream: Upstream,
    pub(crate) options: Options,
    shapes: Mutex<HashMap<TableId, Shape>>,
    /// By project and dataset: asked for with every statement, and a dataset never moves.
    locations: Mutex<HashMap<(String, String), String>>,
    jobs: Mutex<Jobs>,
    faults: Mutex<Script>,
    log: Mutex<Vec<Request>>,
}

/// A panic elsewhere leaves the data as usable as it was.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    pub(crate) fn new(emulator: Arc<Emulator>, options: Options) -> Self {
        Self {
            upstream: Upstream::new(emulator.url()),
            emulator,
            options,
            shapes: Mutex::default(),
            locations: Mutex::default(),
            jobs: Mutex::default(),
            faults: Mutex::default(),
            log: Mutex::default(),
        }
    }

    pub(crate) fn jobs(&self) -> MutexGuard<'_, Jobs> {
        locked(&self.jobs)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Script> {
        locked(&self.faults)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Vec<Request>> {
        locked(&self.log)
    }

    /// Waits for the emulator; tables that have expired by then are gone.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        let turn = self.emulator.turn.lock().await;
        let now = now_ms();
        let expired: Vec<TableId> = {
            let shapes = locked(&self.shapes);
            let is_over = |shape: &Shape| shape.expiration.is_some_and(|time| time <= now);
            shapes.iter().filter(|(_, shape)| is_over(shape)).map(|(id, _)| id.clone()).collect()
        };
        for table in expired {
            // One that is gone already is forgotten just the same.
            let _ = self.upstream.call(Method::DELETE, &table.rest(), None).await;
            self.forget(&table);
        }
        turn
    }

    /// The location of a dataset.
    ///
    /// # Errors
    /// `notFound` in BigQuery's words.
    pub(crate) async fn location_of(&self, project: &str, dataset: &str) -> Result<String, JobError> {
        let key = (project.to_owned(), dataset.to_owned());
        if let Some(known) = locked(&self.locations).get(&key) {
            return Ok(known.clone());
        }
        let (status, answer) = self.upstream.call(Method::GET, &format!("{project}/datasets/{dataset}"), None).await?;
        if status == 404 {
            return Err(JobError::new("notFound", format!("Not found: Dataset {project}:{dataset}")));
        }
        let location = answer["location"].as_str().unwrap_or("US").to_owned();
        locked(&self.locations).insert(key, location.clone());
        Ok(location)
    }

    /// What a table looks like; `None` where there is none. A table that the gate has not seen made is asked for.
    ///
    /// # Errors
    /// When the emulator fails.
    pub(crate) async fn shape(&self, table: &TableId) -> Result<Option<Shape>, JobError> {
        let known = locked(&self.shapes).get(table).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let (status, answer) = self.upstream.call(Method::GET, &table.rest(), None).await?;
        if status == 404 {
            return Ok(None);
        }
        Shape::of_resource(&answer).map(Some)
    }

    /// Keeps a table's shape, and tells the emulator as much as it understands (for INFORMATION_SCHEMA).
    ///
    /// # Errors
    /// When the emulator fails.
    pub(crate) async fn settle(&self, table: &TableId, shape: Shape) -> Result<(), JobError> {
        let mut body = json!({"labels": shape.labels, "schema": {"fields": shape.fields}});
        for (name, value) in [
            ("description", shape.texts.get("description").cloned().unwrap_or_default()),
            ("timePartitioning", shape.time_partitioning.clone()),
        ] {
            if !value.is_null() {
                body[name] = value;
            }
        }
        locked(&self.shapes).insert(table.clone(), shape);
        let (status, answer) = self.upstream.call(Method::PATCH, &table.rest(), Some(&body)).await?;
        JobError::of_answer(status, &answer).map_or(Ok(()), Err)
    }

    pub(crate) fn forget(&self, table: &TableId) {
        locked(&self.shapes).remove(table);
    }

    pub(crate) fn forget_dataset(&self, project: &str, dataset: &str) {
        locked(&self.locations).remove(&(project.to_owned(), dataset.to_owned()));
        locked(&self.shapes).retain(|table, _| table.project != project || table.dataset != dataset);
    }

    /// When a new table in this dataset expires that says nothing of it itself.
    ///
    /// # Errors
    /// When the emulator fails.
    pub(crate) async fn default_expiration(&self, table: &TableId) -> Result<Option<i64>, JobError> {
        let path = format!("{}/datasets/{}", table.project, table.dataset);
        let (_, answer) = self.upstream.call(Method::GET, &path, None).await?;
        let lifetime = answer["defaultTableExpirationMs"].as_str().and_then(|text| text.parse::<i64>().ok());
        Ok(lifetime.map(|lifetime| now_ms() + lifetime))
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
