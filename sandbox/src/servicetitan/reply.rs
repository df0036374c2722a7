//! Answers: pages, the API's error object, and the broken ones that the fault script asks for.
//! A cut body promises more than it sends, flushes what there is, and then closes the connection.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;

const JSON: &str = "application/json; charset=utf-8";
/// Lets the part before a cut reach the client.
const FLUSH: Duration = Duration::from_millis(20);

/// A request that is answered with the API's error object.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {title}")]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) title: String,
    field: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, title: &str) -> Self {
        Self { status, title: title.to_owned(), field: None }
    }

    pub(crate) fn parameter(name: &str, value: &str) -> Self {
        let title = format!("The value '{}' is not valid for {name}.", value.escape_default());
        Self { status: StatusCode::BAD_REQUEST, title, field: Some(name.to_owned()) }
    }

    /// What is wrong with a parameter as such.
    pub(crate) fn field(name: &str, what: &str) -> Self {
        let name = name.escape_default().to_string();
        let title = format!("The parameter {name} {what}.");
        Self { status: StatusCode::BAD_REQUEST, title, field: Some(name) }
    }

    pub(crate) fn response(&self) -> Response {
        let title = self.title.replace('\\', "\\\\").replace('"', "\\\"");
        let errors = self.field.as_ref().map(|field| format!("\"{field}\":[\"{title}\"]")).unwrap_or_default();
        let status = self.status.as_u16();
        let body = format!(
            "{{\"type\":\"https://tools.ietf.org/html/rfc7231#section-6.5.1\",\"title\":\"{title}\",\"status\":{status},\
             \"traceId\":\"00-5a4d0b0c-01\",\"errors\":{{{errors}}},\"data\":{{}}}}"
        );
        json(self.status, body)
    }
}

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    typed(status, JSON, body.into())
}

pub(crate) fn html(body: &'static str) -> Response {
    typed(StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

/// An error object of this status; 500 where the number is no status.
pub(crate) fn failure(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Refusal::new(status, status.canonical_reason().unwrap_or("Unknown")).response()
}

pub(crate) fn too_many_requests(retry_after: &str) -> Response {
    let title = format!("Rate limit is exceeded. Try again in {retry_after} seconds");
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, &title);
    with_header(refusal.response(), RETRY_AFTER, retry_after)
}

pub(crate) fn redirect(to: &str) -> Response {
    with_header(typed(StatusCode::FOUND, JSON, Bytes::new()), LOCATION, to)
}

/// The first part of a body whose length promises all of it, or one byte more than there is.
pub(crate) fn cut(body: &Bytes, after: usize) -> Response {
    let sent = after.min(body.len());
    let promised = body.len().max(sent + 1);
    let part = body.slice(..sent);
    let start = futures::stream::once(async move { Ok(part) });
    let end = futures::stream::once(async {
        tokio::time::sleep(FLUSH).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    let mut response = Response::new(Body::from_stream(start.chain(end)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(promised));
    response
}

/// The same text cut in the middle and ended with what no JSON ends with.
pub(crate) fn spoilt(mut body: Vec<u8>) -> Vec<u8> {
    body.truncate(body.len() / 2);
    body.extend_from_slice(b"\x00<!-- proxy -->,,");
    body
}

fn typed(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Adds a header; a value that no header can hold is left out.
fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
