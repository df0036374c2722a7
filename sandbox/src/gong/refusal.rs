//! Refused requests: a status and a list of texts under `errors`.
//! An empty window is one of them, and tells itself from other 404s by its text alone.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::records::request_id;
use crate::servicetitan::reply;

/// A request that is answered with the API's error body.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub(crate) fn nothing_found() -> Self {
        let message = "No calls found corresponding to the provided filters".to_owned();
        Self { status: StatusCode::NOT_FOUND, message }
    }

    pub(crate) fn not_found() -> Self {
        Self::of_status(StatusCode::NOT_FOUND)
    }

    pub(crate) fn too_many() -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, message: "API limit exceeded".to_owned() }
    }

    pub(crate) fn of_status(status: StatusCode) -> Self {
        let message = status.canonical_reason().unwrap_or("Unknown").to_owned();
        Self { status, message }
    }

    pub(crate) fn response(&self) -> Response {
        reply::json(self.status, json!({"requestId": request_id(), "errors": [self.message]}).to_string())
    }
}
