//! What a fault makes of an answer, the same for every API; only the body of an error is the API's own.
//! Faults that bend the content (a page or a link that repeats) are left to the stand-in.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::fault::FaultAction;
use crate::servicetitan::reply;

const HTML: &str = "<!DOCTYPE html><html><head><title>Sorry</title></head><body>Scheduled maintenance</body></html>";

/// The API's error object for a status and a message.
pub(crate) type ErrorBody = fn(StatusCode, &str) -> String;

/// An answer with the API's error object.
pub(crate) fn refuse(status: StatusCode, message: &str, body: ErrorBody) -> Response {
    reply::json(status, body(status, message))
}

pub(crate) fn too_many_requests(retry_after: &str, body: ErrorBody) -> Response {
    let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, "Too many requests", body);
    if let Ok(value) = HeaderValue::from_str(retry_after) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// The answer of a fault that needs no real one. Waiting faults wait here.
pub(crate) async fn instead(fault: &mut Option<FaultAction>, body: ErrorBody) -> Option<Response> {
    let named = |status: StatusCode| refuse(status, status.canonical_reason().unwrap_or("Unknown"), body);
    let status = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match fault.as_ref()? {
        FaultAction::Status(code) => Some(named(status(*code))),
        FaultAction::StatusWithBody(code, body) => Some(reply::json(status(*code), body.clone())),
        FaultAction::TooManyRequests { retry_after } => Some(too_many_requests(retry_after, body)),
        FaultAction::Html => Some(reply::html(HTML)),
        FaultAction::EmptyBody => Some(reply::json(StatusCode::OK, Bytes::new())),
        FaultAction::Unauthorized => Some(named(StatusCode::UNAUTHORIZED)),
        FaultAction::Redirect(to) => Some(reply::redirect(to)),
        FaultAction::Hang(wait) => {
            tokio::time::sleep(*wait).await;
            Some(reply::cut(&Bytes::new(), 0))
        }
        FaultAction::Slow(wait) => {
            tokio::time::sleep(*wait).await;
            *fault = None;
            None
        }
        _ => None,
    }
}

/// The right body, or what a fault leaves of it.
pub(crate) fn damaged(fault: Option<&FaultAction>, body: Vec<u8>) -> Response {
    match fault {
        Some(FaultAction::CutBody { after_bytes }) => reply::cut(&Bytes::from(body), *after_bytes),
        Some(FaultAction::WrongJson) => reply::json(StatusCode::OK, reply::spoilt(body)),
        _ => reply::json(StatusCode::OK, body),
    }
}
