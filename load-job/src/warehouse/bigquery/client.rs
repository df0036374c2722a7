//! The calls of BigQuery's REST API that the load needs, blocking on the runtime's handle: datasets, tables, and queries as jobs.
//! Request bodies use the models of `gcp-bigquery-client` where they hold all that is sent; answers are read leniently.

use super::cost::{self, number};
use super::job::JobOrder;
use super::sql;
use crate::warehouse::{Spent, WarehouseError};
use chrono::{DateTime, Utc};
use contract::google::{CallError, Rest};
use contract::shutdown::Shutdown;
use gcp_bigquery_client::model::dataset::Dataset;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Handle;

/// A project's BigQuery in one location.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) rest: Rest,
    pub(super) runtime: Handle,
    pub(super) shutdown: Shutdown,
    pub(super) project: String,
    /// Of the datasets; jobs run there.
    pub(super) location: String,
    pub(super) maximum_bytes_billed: Option<u64>,
    /// Tells this process's jobs from those of another: it is part of their ids, or a label of those whose id must be foreseeable.
    pub(super) nonce: String,
    /// Labels of every job: run, source, stream.
    pub(super) labels: Vec<(String, String)>,
    pub(super) spent: Spent,
}

/// A value that is bound.
#[derive(Debug, Clone)]
pub(super) enum Param<'a> {
    Text(&'a str),
    Texts(&'a [String]),
    Instant(DateTime<Utc>),
}

impl Param<'_> {
    fn to_json(&self, name: &str) -> Value {
        let (ty, value) = match self {
            Self::Text(text) => (json!({ "type": "STRING" }), json!({ "value": text })),
            Self::Texts(texts) => {
                let values: Vec<Value> = texts.iter().map(|text| json!({ "value": text })).collect();
                (json!({ "type": "ARRAY", "arrayType": { "type": "STRING" } }), json!({ "arrayValues": values }))
            }
            Self::Instant(at) => (json!({ "type": "TIMESTAMP" }), json!({ "value": sql::timestamp(*at) })),
        };
        json!({ "name": name, "parameterType": ty, "parameterValue": value })
    }
}

/// A row of a result; `None` is NULL.
pub(super) type Row = Vec<Option<String>>;

impl Client {
    /// A client with nothing spent and labels of its own.
    pub(super) fn labelled(&self, labels: Vec<(String, String)>) -> Self {
        Self { labels, spent: Spent::default(), ..self.clone() }
    }

    /// A call that may be repeated.
    pub(super) fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let path = format!("/bigquery/v2/projects/{}{path}", self.project);
        let call = format!("BigQuery {method} {path}");
        self.runtime.block_on(async {
            tokio::select! {
                answer = self.rest.call_repeatedly(method, &path, query, body) => answer,
                reason = self.shutdown.requested() => Err(CallError::Lost { call, message: format!("stopped by {reason}") }),
            }
        })
    }

    /// The location of a dataset; it is made if it is missing, in the location that is given or in BigQuery's default.
    pub(super) fn dataset(&self, dataset: &str, location: Option<&str>) -> Result<String, WarehouseError> {
        let failed = |error: CallError| refused(&self.project, &format!("prepare dataset {dataset}"), error);
        let path = format!("/datasets/{dataset}");
        let found = match self.call(Method::GET, &path, &[], None) {
            Err(error) if error.status() == Some(404) => {
                let mut wanted = Dataset::new(&self.project, dataset).label("managed_by", "drayage");
                if let Some(location) = location {
                    wanted = wanted.location(location);
                }
                let body = serde_json::to_value(&wanted).unwrap_or_default();
                tracing::info!(project = self.project, dataset, "creating the dataset");
                match self.call(Method::POST, "/datasets", &[], Some(&body)) {
                    // Another task was faster, or this was our own call whose answer got lost.
                    Err(error) if error.status() == Some(409) => {
                        self.call(Method::GET, &path, &[], None).map_err(failed)?
                    }
                    other => other.map_err(failed)?,
                }
            }
            other => other.map_err(failed)?,
        };
        let there = found["location"].as_str().unwrap_or("US").to_owned();
        match location {
            Some(asked) if !asked.eq_ignore_ascii_case(&there) => Err(WarehouseError::Table {
                table: format!("{}.{dataset}", self.project),
                message: format!(
                    "the dataset lies in {there}, but the pipeline file says location {asked}; a dataset cannot be moved: correct the file, or name another dataset"
                ),
            }),
            _ => Ok(there),
        }
    }

    /// The location of a dataset; `None` if there is no such dataset.
    pub(super) fn location_of(&self, dataset: &str) -> Result<Option<String>, WarehouseError> {
        match self.call(Method::GET, &format!("/datasets/{dataset}"), &[], None) {
            Ok(found) => Ok(found["location"].as_str().map(str::to_owned)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(refused(&self.project, &format!("read dataset {dataset}"), error)),
        }
    }

    /// `tables.get`; `None` if there is no such table.
    pub(super) fn table(&self, dataset: &str, table: &str) -> Result<Option<Value>, WarehouseError> {
        match self.call(Method::GET, &format!("/datasets/{dataset}/tables/{table}"), &[], None) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(refused(&self.project, &format!("read table {dataset}.{table}"), error)),
        }
    }

    /// `tables.insert`; one that is there already is left as it is.
    pub(super) fn create_table(&self, dataset: &str, table: &str, mut body: Value) -> Result<(), WarehouseError> {
        body["tableReference"] = json!({ "projectId": self.project, "datasetId": dataset, "tableId": table });
        match self.call(Method::POST, &format!("/datasets/{dataset}/tables"), &[], Some(&body)) {
            Err(error) if error.status() != Some(409) => {
                Err(refused(&self.project, &format!("create table {dataset}.{table}"), error))
            }
            _ => Ok(()),
        }
    }

    /// Drops a table of ours; a missing one is no error.
    pub(super) fn drop_table(&self, dataset: &str, table: &str) -> Result<(), WarehouseError> {
        match self.call(Method::DELETE, &format!("/datasets/{dataset}/tables/{table}"), &[], None) {
            Err(error) if error.status() != Some(404) => {
                Err(refused(&self.project, &format!("drop table {dataset}.{table}"), error))
            }
            _ => Ok(()),
        }
    }

    /// Runs a statement as a job of its own; gives the finished job.
    pub(super) fn statement(
        &mut self,
        what: &str,
        step: &str,
        text: &str,
        params: &[(&str, Param<'_>)],
    ) -> Result<Value, WarehouseError> {
        let order = JobOrder::fresh(what, step, &self.nonce, self.query_configuration(step, text, params));
        let job = self.run(&order)?;
        cost::add(&mut self.spent, &job);
        Ok(job)
    }

    /// The configuration of a query job.
    pub(super) fn query_configuration(&self, step: &str, text: &str, params: &[(&str, Param<'_>)]) -> Value {
        let params: Vec<Value> = params.iter().map(|(name, param)| param.to_json(name)).collect();
        let mut query =
            json!({ "query": text, "useLegacySql": false, "parameterMode": "NAMED", "queryParameters": params });
        // The limit guards the tables; the log is small, and its row about a refusal must be written.
        if let Some(most) = self.maximum_bytes_billed.filter(|_| step != "log") {
            query["maximumBytesBilled"] = most.to_string().into();
        }
        json!({ "query": query })
    }

    /// Runs a query and reads its rows.
    pub(super) fn rows(
        &mut self,
        what: &str,
        step: &str,
        text: &str,
        params: &[(&str, Param<'_>)],
    ) -> Result<Vec<Row>, WarehouseError> {
        let job = self.statement(what, step, text, params)?;
        let id = job["jobReference"]["jobId"].as_str().unwrap_or_default().to_owned();
        let mut rows = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut query = vec![("location", self.location.as_str()), ("maxResults", "10000")];
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let page = self
                .call(Method::GET, &format!("/queries/{id}"), &query, None)
                .map_err(|error| refused(&self.project, what, error))?;
            for row in page["rows"].as_array().into_iter().flatten() {
                let cells = row["f"].as_array().into_iter().flatten();
                rows.push(cells.map(|cell| cell["v"].as_str().map(str::to_owned)).collect());
            }
            token = page["pageToken"].as_str().map(str::to_owned);
            if token.is_none() {
                let told = number(&page["totalRows"]);
                if told.is_some_and(|told| told != rows.len() as u64) {
                    let message = format!("the result has {} rows of {} (job {id})", rows.len(), told.unwrap_or(0));
                    return Err(WarehouseError::Statement { what: what.into(), message });
                }
                return Ok(rows);
            }
        }
    }
}

/// An error of a call as the load tells it. Without an answer, or without permission, the warehouse is out of reach.
pub(super) fn refused(project: &str, what: &str, error: CallError) -> WarehouseError {
    let hint = match error.status() {
        Some(401 | 403) if !error.is_transient() => {
            "; the load job's account needs roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on the datasets"
        }
        _ => "",
    };
    let message = format!("{error}{hint}");
    if error.is_transient()
        || matches!(error, CallError::Credentials { .. })
        || matches!(error.status(), Some(401 | 403))
    {
        return WarehouseError::Unreachable {
            location: format!("BigQuery in project {project}"),
            message: format!("{what}: {message}"),
        };
    }
    WarehouseError::Statement { what: what.into(), message }
}
