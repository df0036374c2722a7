//! Faults for stand-ins whose errors all have one body, made of a status and a message. What a fault does is told in `broken_answer`;
//! faults that bend the content (a page or a link that repeats) are left to the stand-in.

use axum::http::StatusCode;
use axum::response::Response;

use super::broken_answer::{self, with_retry_after};
use crate::fault::FaultAction;
use crate::servicetitan::reply;

pub(crate) use super::broken_answer::damaged;

/// The API's error object for a status and a message.
pub(crate) type ErrorBody = fn(StatusCode, &str) -> String;

/// An answer with the API's error object.
pub(crate) fn refuse(status: StatusCode, message: &str, body: ErrorBody) -> Response {
    reply::json(status, body(status, message))
}

pub(crate) fn too_many_requests(retry_after: &str, body: ErrorBody) -> Response {
    with_retry_after(refuse(StatusCode::TOO_MANY_REQUESTS, "Too many requests", body), retry_after)
}

/// The answer of a fault that needs no real one. Waiting faults wait here.
pub(crate) async fn instead(fault: &mut Option<FaultAction>, body: ErrorBody) -> Option<Response> {
    let named = |status: StatusCode| refuse(status, status.canonical_reason().unwrap_or("Unknown"), body);
    if let Some(FaultAction::TooManyRequests { retry_after }) = fault {
        return Some(too_many_requests(retry_after, body));
    }
    broken_answer::instead(fault, named).await
}
