//! The routes: log, token, limit, fault, answer, in this order.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::list::Query;
use super::records::KINDS;
use super::{End, Handle};
use crate::fault::FaultAction;
use crate::stand_in::damage::{damaged, instead, refuse, too_many_requests};

pub(crate) fn router(handle: Handle) -> Router {
    Router::new().fallback(serve).with_state(handle)
}

fn error(_: StatusCode, message: &str) -> String {
    json!({"detail": message}).to_string()
}

type Answer = Result<Response, (StatusCode, String)>;

async fn serve(State(handle): State<Handle>, request: Request) -> Response {
    let parts = request.into_parts().0;
    let number = handle.begin(&parts, parts.headers.contains_key(handle.options().auth_header.as_str()));
    tokio::time::sleep(handle.options().latency).await;
    let answer = answer(&handle, number, &parts).await;
    let response = answer.unwrap_or_else(|(status, message)| refuse(status, &message, error));
    handle.note(number, |entry| entry.status = response.status().as_u16());
    response
}

async fn answer(handle: &Handle, number: u64, parts: &Parts) -> Answer {
    let options = handle.options();
    let sent = parts.headers.get(options.auth_header.as_str()).and_then(|value| value.to_str().ok());
    let token = sent.and_then(|value| value.strip_prefix(options.auth_prefix.as_str())).unwrap_or_default();
    let Some(account) = options.accounts.iter().position(|account| account.token == token) else {
        return Err((StatusCode::UNAUTHORIZED, "Invalid token".to_owned()));
    };
    let id = options.accounts.get(account).map(|account| account.id.as_str()).unwrap_or_default();
    handle.note(number, |entry| entry.tenant = Some(id.to_owned()));
    if let Err(seconds) = handle.admit(id) {
        return Ok(too_many_requests(&seconds.to_string(), error));
    }
    let kind = kind(&options.prefix, parts.uri.path()).filter(|_| parts.method == Method::GET);
    let Some(kind) = kind else {
        return Err((StatusCode::NOT_FOUND, "Not found".to_owned()));
    };
    let mut fault = handle.fault(parts, id);
    if let Some(response) = instead(&mut fault, error).await {
        return Ok(response);
    }
    let raw_query = parts.uri.query().unwrap_or_default();
    let query = Query::parse(options, raw_query).map_err(|message| (StatusCode::BAD_REQUEST, message))?;
    let world = handle.world(account, handle.generation());
    let (rows, next) = query.page(options, world.list(kind).unwrap_or_default());
    let address = format!("{}{}", handle.url(), parts.uri.path());
    let next = match &fault {
        Some(FaultAction::RepeatToken) => Some(format!("{address}?{raw_query}")),
        Some(FaultAction::NextElsewhere(host)) => Some(format!("{host}{}?{raw_query}", parts.uri.path())),
        _ => next.map(|place| query.link(options, &address, place)),
    };
    Ok(damaged(fault.as_ref(), body(&rows.iter().map(|row| row.json.as_str()).collect::<Vec<_>>(), next, options.end)))
}

/// The list that a path names.
fn kind(prefix: &str, path: &str) -> Option<&'static str> {
    let path = path.trim_matches('/');
    let prefix = prefix.trim_matches('/');
    let name = if prefix.is_empty() { path } else { path.strip_prefix(prefix)?.strip_prefix('/')? };
    KINDS.into_iter().find(|kind| *kind == name)
}

fn body(rows: &[&str], next: Option<String>, end: End) -> Vec<u8> {
    let next = match (next, end) {
        (Some(link), _) => format!(",\"next\":{}", Value::from(link)),
        (None, End::Absent) => String::new(),
        (None, End::Both) if rows.len().is_multiple_of(2) => String::new(),
        (None, _) => ",\"next\":null".to_owned(),
    };
    format!("{{\"results\":[{}]{next}}}", rows.join(",")).into_bytes()
}
