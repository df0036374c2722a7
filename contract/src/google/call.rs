//! One call of a Google REST API: JSON in, JSON out, credentials only to the endpoint they are for, and errors told apart by what
//! the caller can do: refused, lost on the way (it may have taken effect), or no credentials.

use super::credentials::{Credentials, CredentialsFailure, LazyCredentials};
use super::endpoint::{Endpoint, EndpointError, Service};
use super::retry::Patience;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long one answer may take; long work is polled.
const TIMEOUT: Duration = Duration::from_secs(90);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a call that may be repeated is repeated.
const REPEAT_FOR: Duration = Duration::from_secs(300);
/// Seconds; a server that asks for more is asked again all the same.
const LONGEST_RETRY_AFTER: u64 = 3600;
/// The most characters of an answer that is no JSON that go into a message.
const SHOWN: usize = 300;

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The API said no.
    #[error("{call}: {status} {reason}: {message}")]
    Refused {
        /// Service, method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// The API's word for it (`notFound`, `rateLimitExceeded`, `PERMISSION_DENIED`); empty if it gave none.
        reason: String,
        /// The API's sentence.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// No whole answer came; whether the call took effect is unknown.
    #[error("{call}: no answer: {message}")]
    Lost {
        /// Service, method and path.
        call: String,
        /// What happened to the connection.
        message: String,
    },
    /// There is no access token; nothing was sent.
    #[error("{call}: {message}")]
    Credentials {
        /// Service, method and path.
        call: String,
        /// Why, and what to do.
        message: String,
        /// Whether asking again may help.
        is_transient: bool,
    },
}

impl CallError {
    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The API's word for the refusal; empty if there is none.
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused { reason, .. } => reason,
            _ => "",
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, reason, .. } => {
                matches!(status, 408 | 429 | 500..=599) || (*status == 403 && is_rate_limit(reason))
            }
            Self::Lost { .. } => true,
            Self::Credentials { is_transient, .. } => *is_transient,
        }
    }

    /// How long the API asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// BigQuery tells rate limits as 403 ("Error messages").
fn is_rate_limit(reason: &str) -> bool {
    matches!(reason, "rateLimitExceeded" | "userRateLimitExceeded")
}

/// A Google REST API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rest {
    service: Service,
    endpoint: Endpoint,
    http: reqwest::Client,
    credentials: Arc<LazyCredentials>,
}

impl Rest {
    /// The API of a service at the endpoint that the environment names, with application default credentials.
    ///
    /// # Errors
    /// An endpoint that is no URL.
    pub fn open(service: Service) -> Result<Self, EndpointError> {
        Ok(Self::at(service, Endpoint::of(service)?))
    }

    /// The API of a service at this endpoint.
    pub fn at(service: Service, endpoint: Endpoint) -> Self {
        // A redirect could carry the token elsewhere; no Google API needs one.
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap_or_default();
        Self { service, endpoint, http, credentials: Arc::default() }
    }

    /// Calls once. `path` starts with a slash; `query` is encoded here; an empty answer is `Null`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let call = format!("{} {method} {path}", self.service);
        let request = self.request(method, path).query(query);
        // An empty POST needs its Content-Length too.
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request.body(""),
        };
        let answer = accepted(&call, self.send(&call, request).await?).await?;
        let text = answer.text().await.map_err(|error| lost(&call, error))?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|error| CallError::Lost { call, message: format!("the answer is no JSON: {error}") })
    }

    /// Calls until there is an answer that stands, for five minutes at most. Only for calls that may be repeated.
    ///
    /// # Errors
    /// The last try's.
    pub async fn call_repeatedly(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        self.call_patiently(Patience::new(REPEAT_FOR), method, path, query, body).await
    }

    /// Calls until there is an answer that stands or the patience is at its end. Only for calls that may be repeated.
    ///
    /// # Errors
    /// The last try's.
    pub(crate) async fn call_patiently(
        &self,
        mut patience: Patience,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        loop {
            let error = match self.call(method.clone(), path, query, body).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !error.is_transient() || !patience.wait(error.retry_after(), &error).await {
                return Err(error);
            }
        }
    }

    /// A request to a path of this API, for callers that send or read what is no JSON.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.endpoint.url))
    }

    /// A request to a URL that the API has handed out.
    pub(crate) fn request_to(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends once and returns the answer whatever its status. Credentials go only to the endpoint itself. `call` is for messages.
    pub(crate) async fn send(&self, call: &str, request: RequestBuilder) -> Result<Response, CallError> {
        let mut request = request.build().map_err(|error| lost(call, error))?;
        let own = Url::parse(&self.endpoint.url).is_ok_and(|url| url.origin() == request.url().origin());
        if self.endpoint.takes_credentials && own {
            let headers = self.credentials.headers().await.map_err(|failure| CallError::Credentials {
                call: call.to_owned(),
                message: failure.message,
                is_transient: failure.is_transient,
            })?;
            request.headers_mut().extend(headers);
        }
        self.http.execute(request).await.map_err(|error| lost(call, error))
    }

    /// The credentials of this API's calls; `None` where the endpoint takes none.
    pub(crate) async fn credentials(&self) -> Result<Option<Credentials>, CredentialsFailure> {
        if self.endpoint.takes_credentials { self.credentials.get().await.map(Some) } else { Ok(None) }
    }

    /// Where it is called.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// The answer, if its status says success.
pub(crate) async fn accepted(call: &str, answer: Response) -> Result<Response, CallError> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.map_err(|error| lost(call, error))?;
    Err(refused(call.to_owned(), status, &headers, &text))
}

/// No whole answer came.
pub(crate) fn lost(call: &str, error: reqwest::Error) -> CallError {
    CallError::Lost { call: call.to_owned(), message: describe(error) }
}

/// The cause without the URL, whose query may hold more than a log should.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Reads Google's error body (`error.errors[0].reason` of the older APIs, `error.status` of the newer); proxies answer anything.
fn refused(call: String, status: StatusCode, headers: &HeaderMap, text: &str) -> CallError {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let error = &body["error"];
    let word = error["errors"][0]["reason"].as_str().or(error["status"].as_str());
    let message = match error["message"].as_str() {
        Some(message) => message.to_owned(),
        None => text.trim().chars().take(SHOWN).collect(),
    };
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    CallError::Refused {
        call,
        status: status.as_u16(),
        reason: word.unwrap_or_default().to_owned(),
        message,
        retry_after: retry_after.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let of = |status: u16, text: &str| {
            refused("BigQuery POST /x".into(), StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), text)
        };
        let old = r#"{"error":{"code":403,"message":"slow down","errors":[{"reason":"rateLimitExceeded"}],"status":"PERMISSION_DENIED"}}"#;
        let new = r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#;
        let cases = [
            (of(403, old), "BigQuery POST /x: 403 rateLimitExceeded: slow down", true),
            (of(403, new), "BigQuery POST /x: 403 PERMISSION_DENIED: no", false),
            (of(502, "<html>bad gateway</html>"), "BigQuery POST /x: 502 : <html>bad gateway</html>", true),
            (of(429, ""), "BigQuery POST /x: 429 : ", true),
            (of(404, "{}"), "BigQuery POST /x: 404 : {}", false),
        ];
        for (error, text, transient) in cases {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.is_transient(), transient, "{text}");
        }
    }
}
