//! Answers: resources, Google's error object, and connections that end without an answer.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

/// Lets the part before a cut reach the client.
pub(crate) const FLUSH: Duration = Duration::from_millis(20);
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");

/// A request that is answered with Google's error object.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
    headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internalError", message)
    }

    pub(crate) fn no_object(bucket: &str, object: &str) -> Self {
        Self::new(404, "notFound", format!("No such object: {bucket}/{object}"))
    }

    pub(crate) fn no_bucket() -> Self {
        Self::new(404, "notFound", "The specified bucket does not exist.")
    }

    pub(crate) fn precondition() -> Self {
        Self::new(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
    }

    pub(crate) fn not_modified() -> Self {
        Self::new(304, "notModified", "Not Modified")
    }

    /// The error of a fault: the reason and the words that the API uses with this status.
    pub(crate) fn of_status(code: u16, retry_after: Option<u64>) -> Self {
        let (reason, message) = match code {
            401 => ("authError", "Invalid Credentials"),
            403 => ("forbidden", "The caller does not have permission."),
            404 => ("notFound", "Not Found"),
            408 => ("requestTimeout", "Request timed out."),
            412 => return Self::precondition(),
            429 => ("rateLimitExceeded", "The rate of requests exceeds the limit. Please reduce your request rate."),
            500 => ("internalError", "We encountered an internal error. Please try again."),
            502..=504 => ("backendError", "Backend Error"),
            _ => ("invalid", "Scripted fault."),
        };
        let refusal = Self::new(code, reason, message);
        match retry_after {
            Some(seconds) => refusal.with(RETRY_AFTER, seconds.to_string()),
            None => refusal,
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// As JSON; as plain text where the client asked for an object's bytes, as the real service does.
    pub(crate) fn response(&self, as_text: bool) -> Response {
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let bare = status == StatusCode::NOT_MODIFIED || status == StatusCode::NO_CONTENT;
        let mut response = if bare {
            empty(status)
        } else if as_text && self.code != 401 {
            typed(status, TEXT, Body::from(self.message.clone()))
        } else {
            let detail = json!({"message": self.message, "domain": "global", "reason": self.reason});
            json(status, &json!({"error": {"code": self.code, "message": self.message, "errors": [detail]}}))
        };
        for (name, value) in &self.headers {
            set(&mut response, name.clone(), value);
        }
        response
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::internal(format!("The stand-in's folder failed: {error}"))
    }
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    typed(status, JSON, Body::from(value.to_string()))
}

pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The connection closes before a byte of an answer is sent: a body that fails at once takes its head with it.
pub(crate) fn cut() -> Response {
    let failed = futures::stream::once(async { Err::<bytes::Bytes, _>(aborted()) });
    Response::new(Body::from_stream(failed))
}

pub(crate) fn aborted() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionAborted)
}

/// Sets a header; a value that no header can hold is left out.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn typed(status: StatusCode, content_type: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
