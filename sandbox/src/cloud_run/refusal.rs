//! Google's error body: code, status and message, and which field of the request was wrong.
//! Also the HTML page that Google's front end gives for a path that is no method at all.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

/// A request that is answered with an error.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    status: &'static str,
    pub(crate) message: String,
    details: Vec<Value>,
}

impl Refusal {
    fn new(code: u16, status: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into(), details: Vec::new() }
    }

    /// 400: this field (as `overrides.task_count`) is wrong; an empty field means the request as a whole.
    pub(crate) fn invalid(field: &str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        let mut violation = json!({"description": problem});
        if !field.is_empty() {
            violation["field"] = json!(field);
        }
        let details =
            vec![json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})];
        Self { details, ..Self::new(400, "INVALID_ARGUMENT", problem) }
    }

    /// 400: the request is right, but not in the state that the resource is in.
    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(400, "FAILED_PRECONDITION", message)
    }

    /// 401: no token, or not the right one.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
             authentication credential.",
        )
    }

    /// 403: this permission is missing on this resource.
    pub(crate) fn denied(permission: &str, resource: &str) -> Self {
        let message = format!("Permission '{permission}' denied on resource '{resource}' (or resource may not exist).");
        Self::new(403, "PERMISSION_DENIED", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "NOT_FOUND", message)
    }

    /// 409: the resource is not in the version that the request's etag names.
    pub(crate) fn wrong_etag(resource: &str) -> Self {
        Self::new(409, "ABORTED", format!("Conflict for resource '{resource}': the etag given is not the current one."))
    }

    /// What a service in trouble answers with this status.
    pub(crate) fn of_status(code: u16) -> Self {
        let (status, message) = match code {
            400 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
            401 => return Self::unauthenticated(),
            403 => ("PERMISSION_DENIED", "The caller does not have permission"),
            404 => ("NOT_FOUND", "Requested entity was not found."),
            409 => ("ABORTED", "The operation was aborted."),
            429 => ("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Write requests per minute'."),
            500 => ("INTERNAL", "Internal error encountered."),
            501 => ("UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."),
            503 => ("UNAVAILABLE", "The service is currently unavailable."),
            504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
            _ => ("UNKNOWN", "Unknown error."),
        };
        Self::new(code, status, message)
    }

    pub(crate) fn response(&self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message, "status": self.status});
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        let mut response = answer(self.code, &json!({"error": error}));
        if self.code == 401 {
            let asked = HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, asked);
        }
        response
    }
}

/// A JSON answer.
pub(crate) fn answer(code: u16, body: &Value) -> Response {
    // Laid out over lines, as Google sends it: a client that looks for text instead of reading JSON fails here too.
    typed(code, "application/json; charset=UTF-8", format!("{body:#}\n"))
}

/// A page that is no JSON.
pub(crate) fn html(code: u16, body: String) -> Response {
    typed(code, "text/html; charset=UTF-8", body)
}

/// The front end's answer for a path that is no method.
pub(crate) fn no_such_method(path: &str) -> Response {
    let path = path.replace('&', "&amp;").replace('<', "&lt;");
    html(
        404,
        format!(
            "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n\
             <p>The requested URL <code>{path}</code> was not found on this server.\n"
        ),
    )
}

fn typed(code: u16, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
