//! The routes: log, log in, find the call, strike the fault, answer.
//! A call is carried out to its end even when its client has gone, as BigQuery does.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::header::{AUTHORIZATION, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::fault::{Effect, Operation};
use super::gate::{Gate, TableId};
use super::jobs::{self, Query};
use super::log::Request;
use super::reply::{Answer, JobError};
use super::tables;
use super::wire::Cutter;

const LARGEST_BODY: usize = 64 << 20;
const BASE: &str = "/bigquery/v2/projects/";

pub(crate) fn router(gate: Arc<Gate>) -> Router {
    Router::new().fallback(serve).with_state(gate)
}

async fn serve(
    State(gate): State<Arc<Gate>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: HttpRequest,
) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
    let call = Call::read(&parts);
    let number = {
        let mut log = gate.log();
        log.push(Request {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            operation: call.as_ref().map(|call| call.operation),
            body: body.as_ref().cloned().unwrap_or_default(),
            status: 0,
        });
        log.len() - 1
    };
    let answer = match (call, body) {
        (_, _) if !is_authorised(&gate, &parts) => {
            let message = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
            Some(Answer::Refused(JobError::new("authError", message)))
        }
        (None, _) => Some(Answer::Refused(JobError::new("notFound", format!("Not found: {}", parts.uri.path())))),
        (_, Err(error)) => Some(Answer::Refused(JobError::new("parseError", format!("Parse Error: {error}")))),
        (Some(call), Ok(body)) => {
            let gate = Arc::clone(&gate);
            let done = tokio::spawn(async move { call.struck(&gate, &body).await }).await;
            done.unwrap_or_else(|error| Some(Answer::Refused(JobError::new("internalError", error.to_string()))))
        }
    };
    let Some(answer) = answer else {
        cutter.cut();
        return Answer::Empty.response();
    };
    let response = answer.response();
    if let Some(entry) = gate.log().get_mut(number) {
        entry.status = response.status().as_u16();
    }
    response
}

fn is_authorised(gate: &Gate, parts: &Parts) -> bool {
    let Some(token) = &gate.options.token else { return true };
    let given = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")) == Some(token.as_str())
}

/// A call that the API knows.
struct Call {
    operation: Operation,
    project: String,
    /// The dataset or the job.
    id: String,
    table: String,
    query: Query,
    raw_query: String,
    path: String,
    if_match: Option<String>,
}

impl Call {
    fn read(parts: &Parts) -> Option<Self> {
        let path = parts.uri.path();
        let segments: Vec<&str> = path.strip_prefix(BASE)?.split('/').collect();
        let (project, rest) = segments.split_first()?;
        let (operation, id, table) = route(&parts.method, rest)?;
        let raw_query = parts.uri.query().unwrap_or_default();
        Some(Self {
            operation,
            project: (*project).to_owned(),
            id: id.to_owned(),
            table: table.to_owned(),
            query: url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
            raw_query: raw_query.to_owned(),
            path: path.to_owned(),
            if_match: parts.headers.get(IF_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned),
        })
    }

    /// The answer, or what a fault makes of it; `None`: the connection is to be cut.
    async fn struck(&self, gate: &Gate, body: &Value) -> Option<Answer> {
        let effect = gate.faults().take(self.operation, &self.text(gate, body));
        let status = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match &effect {
            Some(Effect::Refused { status: code, reason, message }) => {
                Some(Answer::Status(status(*code), JobError::new(reason, message.as_str())))
            }
            Some(Effect::Html { status: code }) => Some(Answer::Html(status(*code))),
            Some(Effect::CutBefore) => None,
            Some(Effect::CutAfter) => {
                self.answer(gate, body, None).await;
                None
            }
            Some(Effect::FailedAfter { status: code }) => {
                self.answer(gate, body, None).await;
                let message = "Error encountered during execution. Retrying may solve the problem.";
                Some(Answer::Status(status(*code), JobError::new("backendError", message)))
            }
            Some(Effect::Late(time)) => {
                let answer = self.answer(gate, body, None).await;
                wait(*time).await;
                Some(answer)
            }
            other => Some(self.answer(gate, body, other.as_ref()).await),
        }
    }

    /// What a fault's `contains` looks at.
    fn text(&self, gate: &Gate, body: &Value) -> String {
        let mut texts = vec![self.path.clone(), self.raw_query.clone(), body.to_string()];
        let mut configurations = vec![body["configuration"].clone()];
        if matches!(self.operation, Operation::JobGet | Operation::JobCancel | Operation::QueryResults) {
            let mut jobs = gate.jobs();
            let job = jobs.find(&self.project, self.query.get("location").map(String::as_str), &self.id);
            configurations.extend(job.map(|job| job.configuration.clone()));
        }
        for configuration in configurations {
            // Once as it is, once as JSON writes it.
            texts.extend(configuration["query"]["query"].as_str().map(str::to_owned));
            texts.push(configuration.to_string());
        }
        texts.extend(body["query"].as_str().map(str::to_owned));
        texts.join("\n")
    }

    async fn answer(&self, gate: &Gate, body: &Value, effect: Option<&Effect>) -> Answer {
        let Self { project, id, query, raw_query, .. } = self;
        let known = &gate.options.projects;
        if !known.is_empty() && !known.contains(project) {
            return Answer::Refused(JobError::new("notFound", format!("Not found: Project {project}")));
        }
        let table = TableId { project: project.clone(), dataset: id.clone(), table: self.table.clone() };
        match self.operation {
            Operation::JobInsert => jobs::insert(gate, project, body, effect).await.into(),
            Operation::JobGet => jobs::get(gate, project, id, query).into(),
            Operation::JobList => Answer::Json(jobs::list(gate, project, query)),
            Operation::JobCancel => jobs::cancel(gate, project, id, query).into(),
            Operation::Query => jobs::query(gate, project, body, effect).await.into(),
            Operation::QueryResults => jobs::results(gate, project, id, query).await.into(),
            Operation::DatasetInsert => tables::insert_dataset(gate, project, body).await.into(),
            Operation::DatasetGet => tables::get_dataset(gate, project, id).await.into(),
            Operation::DatasetList => tables::list_datasets(gate, project, raw_query).await.into(),
            Operation::DatasetPatch => tables::patch_dataset(gate, project, id, body).await.into(),
            Operation::DatasetDelete => {
                let with_tables = query.get("deleteContents").is_some_and(|value| value == "true");
                tables::delete_dataset(gate, project, id, with_tables).await
            }
            Operation::TableInsert => tables::insert_table(gate, project, id, body).await.into(),
            Operation::TableGet => tables::get_table(gate, &table).await.into(),
            Operation::TableList => tables::list_tables(gate, project, id, raw_query).await.into(),
            Operation::TablePatch => tables::patch_table(gate, &table, body, self.if_match.as_deref()).await.into(),
            Operation::TableDelete => tables::delete_table(gate, &table).await,
        }
    }
}

async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The call, and the ids in its path: of a job or dataset, and of a table.
fn route<'a>(method: &Method, path: &[&'a str]) -> Option<(Operation, &'a str, &'a str)> {
    use Operation::*;
    Some(match (method.as_str(), path) {
        ("POST", ["jobs"]) => (JobInsert, "", ""),
        ("GET", ["jobs"]) => (JobList, "", ""),
        ("GET", ["jobs", id]) => (JobGet, id, ""),
        ("POST", ["jobs", id, "cancel"]) => (JobCancel, id, ""),
        ("POST", ["queries"]) => (Query, "", ""),
        ("GET", ["queries", id]) => (QueryResults, id, ""),
        ("POST", ["datasets"]) => (DatasetInsert, "", ""),
        ("GET", ["datasets"]) => (DatasetList, "", ""),
        ("GET", ["datasets", id]) => (DatasetGet, id, ""),
        ("PATCH" | "PUT", ["datasets", id]) => (DatasetPatch, id, ""),
        ("DELETE", ["datasets", id]) => (DatasetDelete, id, ""),
        ("POST", ["datasets", id, "tables"]) => (TableInsert, id, ""),
        ("GET", ["datasets", id, "tables"]) => (TableList, id, ""),
        ("GET", ["datasets", id, "tables", table]) => (TableGet, id, table),
        ("PATCH" | "PUT", ["datasets", id, "tables", table]) => (TablePatch, id, table),
        ("DELETE", ["datasets", id, "tables", table]) => (TableDelete, id, table),
        _ => return None,
    })
}
