//! What can be asked: `POST /run`, `GET /runs/<id>`, `GET /healthz`, and the page at `/`.
//! `GET /health` is the same as `/healthz`, which Cloud Run keeps for itself.

use super::answer::Answer;
use super::page::{self, Page};
use super::seats::Activity;
use super::{ANSWER_WITHIN, Server, report, request, runs};
use crate::{preflight, trigger};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use contract::landing::{Landing, paths};
use contract::lease::{self, LeaseError, LeaseFile};
use contract::run_id::RunId;
use contract::stored::{self, Latest};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Far more than the options of any run.
const LARGEST_BODY: usize = 64 * 1024;
const BODY_WITHIN: Duration = Duration::from_secs(10);

type Shared = State<Arc<Server>>;

pub(super) fn router(server: Arc<Server>) -> Router {
    let known = Router::new()
        .route("/run", post(run))
        .route("/runs/{run_id}", get(run_report))
        .route_layer(from_fn_with_state(server.clone(), only_known));
    Router::new()
        .route("/", get(look))
        .route("/healthz", get(health))
        .route("/health", get(health))
        .merge(known)
        .fallback(async || Answer::message(StatusCode::NOT_FOUND, "there is no such place"))
        .method_not_allowed_fallback(async || {
            Answer::message(StatusCode::METHOD_NOT_ALLOWED, "this place takes another method")
        })
        .layer(from_fn_with_state(server.clone(), in_time))
        .with_state(server)
}

/// Gives every answer in time, and only to callers of this site.
async fn in_time(
    State(server): Shared,
    ConnectInfo(activity): ConnectInfo<Activity>,
    request: Request,
    next: Next,
) -> Response {
    let _answering = activity.answering();
    if let Err((status, message)) = server.guard.own_site(request.headers()) {
        return Answer::message(status, message).into_response();
    }
    let mut response = match timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Answer::message(StatusCode::GATEWAY_TIMEOUT, "the answer takes too long; what was asked for may go on")
                .into_response()
        }
    };
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn only_known(State(server): Shared, request: Request, next: Next) -> Response {
    if server.guard.is_known(request.headers()) {
        return next.run(request).await;
    }
    let refused = Answer::message(StatusCode::UNAUTHORIZED, "a token is needed: `Authorization: Bearer <token>`");
    refused.with(WWW_AUTHENTICATE, "Bearer").into_response()
}

async fn run(State(server): Shared, body: Body) -> Answer {
    let body = match timeout(BODY_WITHIN, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return Answer::message(StatusCode::PAYLOAD_TOO_LARGE, "the body is cut off, or larger than 64 KiB");
        }
        Err(_) => return Answer::message(StatusCode::REQUEST_TIMEOUT, "the body takes too long"),
    };
    let options = match request::parse(&body) {
        Ok(options) => options,
        Err(message) => return Answer::message(StatusCode::BAD_REQUEST, message),
    };
    // A file that cannot be read is the run's to tell.
    if let Ok(pipeline) = trigger::read(&server.path).await
        && let Some(message) = preflight::unknown_name(&server.path, &pipeline, &options).await
    {
        return Answer::message(StatusCode::BAD_REQUEST, message);
    }
    match runs::start(&server, options).await.await {
        Ok(Ok(run_id)) => {
            let status_url = format!("/runs/{run_id}");
            let body = json!({ "run_id": run_id, "status_url": status_url });
            Answer::json(StatusCode::ACCEPTED, body).with(LOCATION, &status_url)
        }
        Ok(Err(refusal)) => refusal,
        Err(_) => Answer::message(StatusCode::INTERNAL_SERVER_ERROR, "the run has ended by a bug; see the log"),
    }
}

async fn run_report(State(server): Shared, Path(run_id): Path<String>) -> Answer {
    let run_id: RunId = match run_id.parse() {
        Ok(run_id) => run_id,
        Err(error) => return Answer::message(StatusCode::BAD_REQUEST, format!("{error}")),
    };
    let remembered = || server.book.report(&run_id).map(|report| Answer::json(StatusCode::OK, (*report).clone()));
    if let Some(answer) = remembered() {
        return answer;
    }
    let (view, running) = (server.view(), server.book.running());
    let report = report::of_run(view.landing.as_ref(), &view.pipeline, &run_id, running.as_ref()).await;
    // It may have ended while its reports were read.
    if let Some(answer) = remembered() {
        return answer;
    }
    match report {
        Ok(Some(report)) => Answer::json(StatusCode::OK, report),
        Ok(None) => Answer::message(StatusCode::NOT_FOUND, format!("nothing is known of run {run_id}")),
        Err(error) => {
            Answer::message(StatusCode::SERVICE_UNAVAILABLE, format!("the landing zone cannot be used: {error}"))
        }
    }
}

/// That the server lives; what it is and does only to those who may see runs.
async fn health(State(server): Shared, headers: HeaderMap) -> Answer {
    if !server.guard.is_known(&headers) {
        return Answer::json(StatusCode::OK, json!({ "status": "ok" }));
    }
    let running = server.book.running().map(|running| running.run_id);
    let body = json!({ "status": "ok", "version": contract::TOOL_VERSION, "run": running });
    Answer::json(StatusCode::OK, body)
}

async fn look(State(server): Shared, headers: HeaderMap) -> Response {
    let (running, ended, view) = (server.book.running(), server.book.ended(), server.view());
    let shows_runs = server.guard.is_known(&headers);
    let (latest, lease) = if shows_runs { of_landing(view.landing.as_ref()).await } else { (None, None) };
    let nonce = format!("{:032x}", rand::random::<u128>());
    let page = Page {
        pipeline: &view.pipeline.name,
        running: running.as_ref(),
        lease: lease.as_ref(),
        ended: &ended,
        latest: latest.as_ref(),
        asks_for_token: server.guard.token.is_some(),
        shows_runs,
        nonce: &nonce,
    };
    let policy = page::policy(&nonce);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, page.html()).into_response()
}

/// What the landing zone knows of runs. A page without it is better than none.
async fn of_landing(landing: &dyn Landing) -> (Option<Latest>, Option<LeaseFile>) {
    let latest = stored::read::<Latest>(landing, paths::LATEST).await.map_err(LeaseError::from);
    let lease = lease::current(landing).await;
    for error in [latest.as_ref().err(), lease.as_ref().err()].into_iter().flatten() {
        tracing::warn!(%error, "failed to read what the landing zone knows of runs");
    }
    (latest.unwrap_or_default(), lease.unwrap_or_default())
}
