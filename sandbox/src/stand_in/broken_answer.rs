//! What a fault of the script makes of an answer, for stand-ins whose API has an error body of its own.
//! A fault either replaces the answer or damages the right one, never both.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::fault::FaultAction;
use crate::servicetitan::reply;

const HTML: &str = "<!DOCTYPE html><html><head><title>Sorry</title></head><body>Scheduled maintenance</body></html>";

/// The answer of a fault that needs no real one; `failure` makes the API's own error of a status. Waiting faults wait here.
pub(crate) async fn instead(
    fault: &mut Option<FaultAction>,
    failure: impl Fn(StatusCode) -> Response,
) -> Option<Response> {
    match fault.as_ref()? {
        FaultAction::Status(status) => Some(failure(status_of(*status))),
        FaultAction::StatusWithBody(status, body) => Some(reply::json(status_of(*status), body.clone())),
        FaultAction::TooManyRequests { retry_after } => {
            Some(with_retry_after(failure(StatusCode::TOO_MANY_REQUESTS), retry_after))
        }
        FaultAction::Html => Some(reply::html(HTML)),
        FaultAction::EmptyBody => Some(reply::json(StatusCode::OK, Bytes::new())),
        FaultAction::Unauthorized => Some(failure(StatusCode::UNAUTHORIZED)),
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

/// Adds the header; a value that no header can hold is left out.
pub(crate) fn with_retry_after(mut response: Response, seconds: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(seconds) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
