//! Refused requests: the API answers most of them with HTTP 200 and an `error` object.
//! Only a token that is no longer good, and too many requests, have a status of their own.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::servicetitan::reply;

/// A request that is answered with an error object.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
    param: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: u32, message: &str) -> Self {
        Self { status: StatusCode::OK, code, message: message.to_owned(), param: None }
    }

    /// The header is not of the form `Zoho-oauthtoken <token>`.
    pub(crate) fn bad_header() -> Self {
        Self::new(1002, "Invalid authorization header")
    }

    pub(crate) fn expired() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::new(1001, "Invalid OAuth token") }
    }

    pub(crate) fn wrong_method() -> Self {
        Self::new(1004, "Invalid request method")
    }

    pub(crate) fn bad_url() -> Self {
        Self::new(1006, "Invalid URL")
    }

    /// The number is our own: the real one is not known.
    pub(crate) fn wrong_portal() -> Self {
        Self::new(1008, "Invalid portal name")
    }

    /// The number is our own: the real one is not known.
    pub(crate) fn parameter(name: &str) -> Self {
        Self { param: Some(name.to_owned()), ..Self::new(1019, "Invalid parameter value") }
    }

    /// An error of this status, as gateways in front of the API make them.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let message = status.canonical_reason().unwrap_or("Unknown");
        Self { status, ..Self::new(u32::from(status.as_u16()), message) }
    }

    pub(crate) fn response(&self, path: &str) -> Response {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(param), Some(fields)) = (&self.param, error.as_object_mut()) {
            fields.insert("param".to_owned(), Value::from(param.as_str()));
        }
        reply::json(self.status, json!({"url": path, "error": error}).to_string())
    }
}
