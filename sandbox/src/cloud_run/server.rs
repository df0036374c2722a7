//! The way of a request: log, log in, place, fault, method, in this order.
//! What a method changes is changed before its handler waits for anything, so a client that leaves undoes nothing.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request as HttpRequest, State as Shared};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::fault::FaultAction;
use super::job::has_overrides;
use super::method;
use super::refusal::{self, Refusal};
use super::request::Request;
use super::route::{Route, Target};
use super::serving::Line;
use super::state::State;

const LARGEST_BODY: usize = 8 * 1024 * 1024;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(serve).with_state(state)
}

async fn serve(Shared(state): Shared<Arc<State>>, ConnectInfo(line): ConnectInfo<Line>, http: HttpRequest) -> Response {
    let (parts, body) = http.into_parts();
    let at = Instant::now();
    let body = to_bytes(body, LARGEST_BODY).await;
    let route = Route::of(&parts.method, parts.uri.path());
    let number = note(&state, &parts, route.as_ref(), body.as_ref().map_or(&[], |body| body), at);
    let Ok(body) = body else {
        return finish(
            &state,
            number,
            refusal::html(413, "<title>Error 413 (Request Entity Too Large)!!1</title>".into()),
        );
    };
    let Some(route) = route else {
        return finish(&state, number, refusal::no_such_method(parts.uri.path()));
    };
    match answer(&state, &parts, &route, &body).await {
        Some(response) => finish(&state, number, response),
        None => {
            line.cut();
            Response::default()
        }
    }
}

fn note(state: &State, parts: &Parts, route: Option<&Route<'_>>, body: &[u8], at: Instant) -> usize {
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        call: route.map(|route| route.target.call()),
        body: String::from_utf8_lossy(body).into_owned(),
        has_authorization: parts.headers.contains_key(AUTHORIZATION),
        status: 0,
        at,
    };
    let mut log = state.log();
    log.push(request);
    log.len() - 1
}

fn finish(state: &State, number: usize, response: Response) -> Response {
    if let Some(request) = state.log().get_mut(number) {
        request.status = response.status().as_u16();
    }
    response
}

/// `None` when the connection is to be cut.
async fn answer(state: &Arc<State>, parts: &Parts, route: &Route<'_>, body: &Bytes) -> Option<Response> {
    if let Err(refusal) = admit(state, parts, route) {
        return Some(refusal.response());
    }
    let fault = state.script().take(route.target.call(), Instant::now());
    match &fault {
        Some(FaultAction::Status(code)) => return Some(Refusal::of_status(*code).response()),
        Some(FaultAction::StatusWithBody(code, body)) => return Some(refusal::html(*code, body.clone())),
        Some(FaultAction::PermissionDenied) => return Some(denied(state, route, body).response()),
        Some(FaultAction::Cut) => return None,
        _ => {}
    }
    let result = perform(state, parts, route, body).await;
    match fault {
        Some(FaultAction::StatusAfter(code)) => return Some(Refusal::of_status(code).response()),
        Some(FaultAction::CutAfter) => return None,
        Some(FaultAction::Slow(wait)) => tokio::time::sleep(wait).await,
        _ => {}
    }
    Some(result.map_or_else(|refusal| refusal.response(), |body| refusal::answer(200, &body)))
}

/// Whether the caller may ask at all, and whether this is the place that is served.
fn admit(state: &State, parts: &Parts, route: &Route<'_>) -> Result<(), Refusal> {
    if let Some(token) = state.token().as_deref() {
        let sent = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if sent.and_then(|sent| sent.strip_prefix("Bearer ")) != Some(token) {
            return Err(Refusal::unauthenticated());
        }
    }
    let options = &state.options;
    let known = route.project == options.project || route.project == options.project_number.to_string();
    if known && route.region == options.region { Ok(()) } else { Err(denied(state, route, b"")) }
}

fn denied(state: &State, route: &Route<'_>, body: &[u8]) -> Refusal {
    let permission = match route.target {
        Target::Run { .. } if has_overrides(body) => "run.jobs.runWithOverrides",
        target => target.permission(),
    };
    let resource = route.target.resource();
    let resource = if route.project == state.options.project_number.to_string() {
        state.place.name(&resource)
    } else {
        format!("projects/{}/locations/{}/{resource}", route.project, route.region)
    };
    Refusal::denied(permission, &resource)
}

async fn perform(state: &Arc<State>, parts: &Parts, route: &Route<'_>, body: &[u8]) -> Result<Value, Refusal> {
    let query = parts.uri.query().unwrap_or_default();
    if !matches!(route.target, Target::Executions { .. } | Target::Tasks { .. }) {
        super::list::check_plain(query)?;
    }
    match route.target {
        Target::Job { job } => method::get_job(state, job),
        Target::Run { job } => method::run(state, job, body),
        Target::Executions { job } => method::list_executions(state, job, query),
        Target::Execution { job, execution } => method::get_execution(state, job, execution),
        Target::Cancel { job, execution } => method::cancel(state, job, execution, body),
        Target::Tasks { job, execution } => method::list_tasks(state, job, execution, query),
        Target::Operation { id } => method::get_operation(state, id),
        Target::Wait { id } => method::wait(state, id, body).await,
    }
}
