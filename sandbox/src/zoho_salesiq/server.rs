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
use bytes::Bytes;
use serde_json::json;

use super::answers::{self, Bend};
use super::query::Query;
use super::refusal::Refusal;
use super::state::Handle;
use crate::fault::{FaultAction, Seen};
use crate::request_log::RequestSeen;
use crate::servicetitan::reply;
use crate::stand_in::broken_answer::{damaged, instead, with_retry_after};

const TOKEN_PATH: &str = "/oauth/v2/token";
const LARGEST_FORM: usize = 64 * 1024;

pub(crate) fn router(handle: Handle) -> Router {
    Router::new().fallback(serve).with_state(handle)
}

async fn serve(State(handle): State<Handle>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let logs_in = path == TOKEN_PATH;
    let query = parts.uri.query().unwrap_or_default();
    let number = handle.begin(RequestSeen {
        method: parts.method.to_string(),
        path: path.to_owned(),
        // The login's parameters hold secrets.
        query: if logs_in { String::new() } else { query.to_owned() },
        tenant: None,
        status: 0,
        at: Instant::now(),
        has_authorization: parts.headers.contains_key(AUTHORIZATION),
    });
    tokio::time::sleep(handle.options().latency).await;
    let answer = if logs_in {
        let form = to_bytes(body, LARGEST_FORM).await.unwrap_or_default();
        log_in(&handle, &parts, &form).await
    } else {
        answer(&handle, &parts).await
    };
    let response = answer.unwrap_or_else(|refusal| refusal.response(path));
    handle.answered(number, response.status().as_u16());
    response
}

/// Takes its parameters from the query or from a form. Whatever is wrong comes with HTTP 200.
async fn log_in(handle: &Handle, parts: &Parts, form: &Bytes) -> Result<Response, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::wrong_method());
    }
    let form = std::str::from_utf8(form).unwrap_or_default();
    let given = Query::parse(&format!("{}&{form}", parts.uri.query().unwrap_or_default()));
    let wrong = |error: &str| Ok(reply::json(StatusCode::OK, json!({"error": error}).to_string()));
    let options = handle.options();
    if given.get("grant_type") != Some("refresh_token") {
        return wrong("invalid_grant_type");
    }
    if given.get("client_id") != Some(&options.client_id) || given.get("client_secret") != Some(&options.client_secret)
    {
        return wrong("invalid_client");
    }
    if given.get("refresh_token") != Some(&options.refresh_token) {
        return wrong("invalid_code");
    }
    let mut fault = handle.fault(&Seen { path: TOKEN_PATH, query: "", decoded_query: "", tenant: None });
    if let Some(response) = broken(&mut fault, TOKEN_PATH).await {
        return Ok(response);
    }
    let (token, lifetime) = {
        let mut tokens = handle.tokens();
        (tokens.issue(Instant::now()), tokens.lifetime().as_secs())
    };
    let Some(token) = token else {
        let text = "You have made too many requests continuously. Please try again after some time.";
        let body = json!({"error_description": text, "error": "Access Denied", "status": "failure"});
        return Ok(reply::json(StatusCode::OK, body.to_string()));
    };
    let body = json!({"access_token": token, "expires_in": lifetime, "api_domain": "https://www.zohoapis.com",
        "token_type": "Bearer"});
    Ok(damaged(fault.as_ref(), body.to_string().into_bytes()))
}

async fn answer(handle: &Handle, parts: &Parts) -> Result<Response, Refusal> {
    let url = parts.uri.path();
    let (portal, path) =
        url.strip_prefix("/api/v2/").and_then(|rest| rest.split_once('/')).ok_or_else(Refusal::bad_url)?;
    let token = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Zoho-oauthtoken "))
        .ok_or_else(Refusal::bad_header)?;
    if !handle.tokens().is_good(token, Instant::now()) {
        return Err(Refusal::expired());
    }
    if portal != handle.options().screen_name {
        return Err(Refusal::wrong_portal());
    }
    if let Err(seconds) = handle.admit() {
        let refusal = Refusal::of_status(StatusCode::TOO_MANY_REQUESTS);
        return Ok(with_retry_after(refusal.response(url), &seconds.to_string()));
    }
    if parts.method != Method::GET {
        return Err(Refusal::wrong_method());
    }
    let raw_query = parts.uri.query().unwrap_or_default();
    let query = Query::parse(raw_query);
    let decoded_query = query.decoded();
    let seen = Seen { path: url, query: raw_query, decoded_query: &decoded_query, tenant: None };
    let mut fault = handle.fault(&seen);
    if let Some(FaultAction::Unauthorized) = fault {
        handle.tokens().drop_token(token);
    }
    if let Some(response) = broken(&mut fault, url).await {
        return Ok(response);
    }
    let bend = Bend {
        inclusive: handle.options().inclusive_bounds,
        first_page_again: matches!(fault, Some(FaultAction::RepeatPage | FaultAction::RepeatToken)),
    };
    let body = answers::answer(&handle.world(), url, path, &query, bend)?;
    Ok(damaged(fault.as_ref(), body.to_string().into_bytes()))
}

async fn broken(fault: &mut Option<FaultAction>, path: &str) -> Option<Response> {
    instead(fault, |status| match status {
        StatusCode::UNAUTHORIZED => Refusal::expired().response(path),
        _ => Refusal::of_status(status).response(path),
    })
    .await
}
