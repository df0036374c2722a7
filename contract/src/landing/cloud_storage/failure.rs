//! Why a call of Cloud Storage failed, whichever client made it, and what the user is told.
//! One place decides what is worth another try and what a status asks the user to do.

use super::location::ObjectName;
use crate::google::{CallError, CredentialsFailure};
use crate::landing::LandingError;
use google_cloud_storage::error::ReadError;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The most characters of an answer that is no JSON that go into a message.
const SHOWN: usize = 300;

/// A call that failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    /// HTTP status, if there was an answer.
    pub(super) status: Option<u16>,
    /// What Cloud Storage or the system said.
    pub(super) message: String,
    /// How long it asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// Whether the same call may succeed later.
    pub(super) is_transient: bool,
}

impl Failure {
    /// A failure that another try does not mend.
    pub(super) fn lasting(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// No answer in time.
    pub(super) fn stalled(after: Duration) -> Self {
        let message = format!("nothing came for {} s", after.as_secs());
        Self { message, is_transient: true, ..Self::default() }
    }

    /// How long an answer asks to wait.
    pub(super) fn asked_wait(headers: Option<&http::HeaderMap>) -> Option<Duration> {
        let seconds: u64 = headers?.get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds.min(3600)))
    }

    /// There is no object of this name; a missing bucket is something else.
    pub(super) fn is_no_object(&self) -> bool {
        self.status == Some(404) && !self.is_no_bucket()
    }

    fn is_no_bucket(&self) -> bool {
        self.status == Some(404) && self.message.contains("bucket does not exist")
    }

    /// The error for the landing zone's user.
    pub(super) fn into_error(self, what: &'static str, object: &ObjectName) -> LandingError {
        let ObjectName { bucket, path, .. } = object;
        let message = match self.status {
            Some(412) => return LandingError::Precondition { path: path.clone() },
            Some(404) if self.is_no_bucket() => {
                format!("there is no bucket `{bucket}`: create it, or correct `landing` in the pipeline file")
            }
            Some(404) if what == "read" => return LandingError::NotFound { path: path.clone() },
            Some(401) => format!(
                "the credentials were not accepted ({}): log in with `gcloud auth application-default login`, or check \
                 the key file or the service account of the job",
                self.message
            ),
            Some(403) => format!(
                "permission denied ({}): give the account of the job roles/storage.objectUser on the bucket `{bucket}`",
                self.message
            ),
            Some(status) => format!("Cloud Storage answered {status}: {}", self.message),
            None => self.message,
        };
        LandingError::Remote { what, path: object.uri(), message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl From<CredentialsFailure> for Failure {
    fn from(failure: CredentialsFailure) -> Self {
        Self { message: failure.message, is_transient: failure.is_transient, ..Self::default() }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let (status, retry_after, is_transient) = (error.status(), error.retry_after(), error.is_transient());
        let message = match error {
            CallError::Refused { message, .. } | CallError::Credentials { message, .. } => message,
            CallError::Lost { message, .. } => format!("no answer: {message}"),
        };
        Self { status, message, retry_after, is_transient }
    }
}

impl From<google_cloud_storage::Error> for Failure {
    fn from(error: google_cloud_storage::Error) -> Self {
        // Given up, the client wraps what it gave up on.
        let error = causes(&error).filter_map(|cause| cause.downcast_ref::<google_cloud_storage::Error>()).last();
        error.map_or_else(|| Self::lasting("Cloud Storage's client failed"), Self::of)
    }
}

impl Failure {
    fn of(error: &google_cloud_storage::Error) -> Self {
        let status = error.http_status_code();
        let is_transient = match status {
            Some(status) => matches!(status, 408 | 429 | 500..=599),
            None if error.is_authentication() => error.is_transient_and_before_rpc(),
            None => error.is_io() || error.is_timeout() || error.is_connect() || is_damaged(error),
        };
        let retry_after = Self::asked_wait(error.http_headers());
        let message = match (status, error.status(), error.http_payload()) {
            (Some(_), Some(status), _) => status.message.clone(),
            (Some(_), None, Some(payload)) => said(&String::from_utf8_lossy(payload)),
            _ => whole(error),
        };
        Self { status, message, retry_after, is_transient }
    }
}

/// The bytes that arrived are not those that are stored; a second reading may be better.
fn is_damaged(error: &google_cloud_storage::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<ReadError>());
    matches!(cause, Some(ReadError::ChecksumMismatch(_)))
}

/// The sentence in Google's error body, or the beginning of whatever else was answered.
fn said(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    body["error"]["message"].as_str().map_or_else(|| text.trim().chars().take(SHOWN).collect(), str::to_owned)
}

/// An error and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// An error and its causes in one line; many repeat their cause's text.
fn whole(error: &(dyn Error + 'static)) -> String {
    causes(error).fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            known if known.contains(&cause) => text,
            known => format!("{known}: {cause}"),
        }
    })
}
