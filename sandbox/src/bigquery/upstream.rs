//! The way from the gate to the emulator: plain REST calls, and queries whose rows come back as text.
//! A fresh connection for each call, since the emulator closes idle ones whenever it likes.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use super::reply::JobError;

const MOST_ROWS: u32 = 1_000_000;

/// A row as text: scalars as BigQuery writes them, arrays and records as the JSON of its answer.
pub type Row = Vec<Option<String>>;

/// A client of one emulator.
#[derive(Debug)]
pub(crate) struct Upstream {
    base: String,
    client: reqwest::Client,
}

impl Upstream {
    pub(crate) fn new(url: String) -> Self {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
        Self { base: url, client: client.unwrap_or_default() }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// One call below `/bigquery/v2/projects/`; an empty body comes back as null.
    ///
    /// # Errors
    /// When the emulator does not answer with JSON.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), JobError> {
        let lost = |error: &dyn std::fmt::Display| {
            JobError::new("internalError", format!("The emulator behind the stand-in failed at {path}: {error}"))
        };
        let mut request = self.client.request(method, format!("{}/bigquery/v2/projects/{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| lost(&error))?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.map_err(|error| lost(&error))?;
        let value = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|error| lost(&error))?
        };
        Ok((status, value))
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// When the statement fails.
    pub(crate) async fn rows(
        &self,
        project: &str,
        sql: &str,
        parameters: Option<&Value>,
    ) -> Result<Vec<Row>, JobError> {
        let mut body = json!({"query": sql, "useLegacySql": false, "maxResults": MOST_ROWS});
        if let (Some(body), Some(parameters)) = (body.as_object_mut(), parameters) {
            body.insert("parameterMode".to_owned(), json!("NAMED"));
            body.insert("queryParameters".to_owned(), parameters.clone());
        }
        let (status, answer) = self.call(Method::POST, &format!("{project}/queries"), Some(&body)).await?;
        if let Some(error) = JobError::of_answer(status, &answer) {
            return Err(error);
        }
        let rows = answer["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(rows
            .iter()
            .map(|row| row["f"].as_array().into_iter().flatten().map(|cell| text(&cell["v"])).collect())
            .collect())
    }

    /// The single number that a statement returns.
    ///
    /// # Errors
    /// When the statement fails or returns something else.
    pub(crate) async fn number(&self, project: &str, sql: &str, parameters: Option<&Value>) -> Result<i64, JobError> {
        let rows = self.rows(project, sql, parameters).await?;
        let number = rows.first().and_then(|row| row.first()).and_then(|cell| cell.as_ref()?.parse().ok());
        number.ok_or_else(|| JobError::new("internalError", format!("The emulator returned no number for: {sql}")))
    }

    /// A job id that the emulator has not seen: it keeps results by job id alone, for all projects together.
    pub(crate) fn fresh_job_id() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        format!("gate_{:08x}_{}", rand::random::<u32>(), NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
