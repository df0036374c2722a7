//! Answers and errors in BigQuery's words: an error has a reason, and the reason decides the HTTP status.
//! The same error is an HTTP error body when it is answered at once, and `status.errorResult` when a job ends with it.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

const HTML: &str = "<!DOCTYPE html><html><head><title>Error 502 (Server Error)</title></head>\
                    <body><p><b>502.</b> That's an error.<p>Please try again in 30 seconds.</body></html>";

/// An error with one of BigQuery's reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct JobError {
    /// BigQuery's name for the kind of error: `invalidQuery`, `notFound`, `backendError`, …
    pub reason: String,
    /// The text for a person.
    pub message: String,
}

impl JobError {
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }

    /// What the program under test may do on BigQuery but the emulator cannot.
    pub(crate) fn limit(message: impl std::fmt::Display) -> Self {
        Self::new("invalid", format!("Limit of the stand-in, not of BigQuery: {message}"))
    }

    /// The error in an answer of the emulator, whichever of its three forms it has.
    pub(crate) fn of_answer(status: u16, answer: &Value) -> Option<Self> {
        let inside = [&answer["status"]["errorResult"], &answer["errors"][0], &answer["error"]["errors"][0]];
        match inside.into_iter().find(|error| error.is_object()) {
            Some(error) => {
                let field = |name: &str| error[name].as_str().unwrap_or_default();
                Some(Self::new(field("reason"), without_colours(field("message"))))
            }
            None if status >= 400 => {
                Some(Self::new("internalError", format!("The emulator answered {status}: {answer}")))
            }
            None => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"reason": self.reason, "message": self.message})
    }

    /// The HTTP status that BigQuery documents for the reason.
    pub(crate) fn status(&self) -> StatusCode {
        match self.reason.as_str() {
            "notFound" => StatusCode::NOT_FOUND,
            "duplicate" => StatusCode::CONFLICT,
            "accessDenied" | "rateLimitExceeded" | "quotaExceeded" | "billingNotEnabled" => StatusCode::FORBIDDEN,
            "backendError" => StatusCode::SERVICE_UNAVAILABLE,
            "internalError" => StatusCode::INTERNAL_SERVER_ERROR,
            "conditionNotMet" => StatusCode::PRECONDITION_FAILED,
            "authError" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// An answer before it is put on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Json(Value),
    Empty,
    Refused(JobError),
    /// An error under another status than its reason's own.
    Status(StatusCode, JobError),
    /// What a proxy on the way says.
    Html(StatusCode),
}

impl From<Result<Value, JobError>> for Answer {
    fn from(result: Result<Value, JobError>) -> Self {
        result.map_or_else(Answer::Refused, Answer::Json)
    }
}

impl Answer {
    pub(crate) fn response(&self) -> Response {
        match self {
            Answer::Json(body) => written(StatusCode::OK, "application/json; charset=UTF-8", body.to_string()),
            Answer::Empty => written(StatusCode::NO_CONTENT, "application/json; charset=UTF-8", String::new()),
            Answer::Refused(error) => refusal(error.status(), error),
            Answer::Status(status, error) => refusal(*status, error),
            Answer::Html(status) => written(*status, "text/html; charset=UTF-8", HTML.to_owned()),
        }
    }
}

fn refusal(status: StatusCode, error: &JobError) -> Response {
    let detail = json!({"message": error.message, "domain": "global", "reason": error.reason});
    let body = json!({"error": {
        "code": status.as_u16(), "message": error.message, "errors": [detail], "status": canonical(status),
    }});
    written(status, "application/json; charset=UTF-8", body.to_string())
}

fn canonical(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ALREADY_EXISTS",
        412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        502..=504 => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

fn written(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The emulator's parser underlines with terminal codes.
fn without_colours(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        clean.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_in_every_form_of_the_emulator() {
        let inner = json!({"reason": "notFound", "message": "a \u{1b}[4mb\u{1b}[0m c"});
        let expected = Some(JobError::new("notFound", "a b c"));
        for (status, answer) in [
            (200, json!({"status": {"state": "DONE", "errorResult": inner}})),
            (200, json!({"errors": [inner], "rows": []})),
            (404, json!({"error": {"code": 404, "errors": [inner]}})),
        ] {
            assert_eq!(JobError::of_answer(status, &answer), expected, "{answer}");
        }
        assert_eq!(JobError::of_answer(200, &json!({"status": {"state": "DONE"}})), None);
        assert!(JobError::of_answer(500, &Value::Null).is_some());
    }
}
