//! The routes: log, log in, limit, fault, answer, in this order.
//! A fault strikes only requests that would have been served, so that scripts count exactly.

use std::time::Instant;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::answers::{self, Ask};
use super::refusal::Refusal;
use super::state::Handle;
use crate::fault::{FaultAction, Seen};
use crate::request_log::RequestSeen;
use crate::stand_in::broken_answer::{damaged, instead, with_retry_after};

const LARGEST_BODY: usize = 1024 * 1024;

pub(crate) fn router(handle: Handle) -> Router {
    Router::new().fallback(serve).with_state(handle)
}

async fn serve(State(handle): State<Handle>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let query = parts.uri.query().unwrap_or_default();
    let number = handle.begin(RequestSeen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: if body.is_empty() { query.to_owned() } else { body.clone() },
        tenant: None,
        status: 0,
        at: Instant::now(),
        has_authorization: parts.headers.contains_key(AUTHORIZATION),
    });
    tokio::time::sleep(handle.options().latency).await;
    let response = answer(&handle, &parts, &body).await.unwrap_or_else(|refusal| refusal.response());
    handle.answered(number, response.status().as_u16());
    response
}

async fn answer(handle: &Handle, parts: &Parts, body: &str) -> Result<Response, Refusal> {
    if !is_let_in(handle, parts) {
        return Err(Refusal::of_status(StatusCode::UNAUTHORIZED));
    }
    if let Err(seconds) = handle.admit() {
        return Ok(with_retry_after(Refusal::too_many().response(), &seconds.to_string()));
    }
    let url = parts.uri.path();
    let path = url.strip_prefix("/v2/").ok_or_else(Refusal::not_found)?;
    let posts = answers::takes_body(path);
    if parts.method != if posts { Method::POST } else { Method::GET } {
        return Err(Refusal::of_status(StatusCode::METHOD_NOT_ALLOWED));
    }
    let query = parts.uri.query().unwrap_or_default();
    let fields = if posts { body_fields(body)? } else { query_fields(query) };
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    let decoded = if posts { body.to_owned() } else { pairs.join("&") };
    let seen = Seen { path: url, query: if posts { body } else { query }, decoded_query: &decoded, tenant: None };
    let mut fault = handle.fault(&seen);
    if let Some(response) = instead(&mut fault, |status| Refusal::of_status(status).response()).await {
        return Ok(response);
    }
    let ask = Ask {
        path,
        fields,
        page_size: handle.options().page_size,
        now: handle.clock(),
        cursor_lifetime: handle.options().cursor_lifetime,
        same_cursor: matches!(fault, Some(FaultAction::RepeatToken | FaultAction::RepeatPage)),
    };
    let answer = answers::answer(&handle.world(), &ask)?;
    Ok(damaged(fault.as_ref(), answer.to_string().into_bytes()))
}

fn is_let_in(handle: &Handle, parts: &Parts) -> bool {
    let options = handle.options();
    let expected = STANDARD.encode(format!("{}:{}", options.access_key, options.access_key_secret));
    let sent = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|value| value.strip_prefix("Basic ")) == Some(&expected)
}

fn query_fields(query: &str) -> Map<String, Value> {
    url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into())).collect()
}

fn body_fields(body: &str) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_str(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(Refusal::bad_request("The body must be a JSON object")),
    }
}
