//! A request with all its tries: signed anew each time, its answer judged by the error handler, its body decoded.
//! A body that is not what was declared is tried again like a broken connection, and fails the stream in the end; it is never
//! taken for an empty answer.

use super::account::Account;
use super::client::{Answer, ExchangeError, Outgoing};
use super::retry::{Tries, retry_after_of};
use crate::components::backoff::Wait;
use crate::components::expression::Scope;
use crate::components::http_requester::HttpRequester;
use crate::components::http_response_filter::{Action, AnswerView, message_of};
use crate::components::request_option::Injection;
use crate::template::Names;
use contract::telemetry::{self, Event};
use contract::unit::Unit;
use futures::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};
use std::time::Duration;

/// Why a request has failed for good.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SendError {
    /// It could not be put together.
    #[error("{0}")]
    Request(String),
    /// The login was refused: another try would be too.
    #[error("log in: {0}")]
    Login(String),
    /// The token endpoint could not be reached; a later request may try again.
    #[error("log in: {0}")]
    LoginUnavailable(String),
    /// The API's answers.
    #[error("{url}: {why}")]
    Answer {
        /// Without secrets.
        url: String,
        why: String,
    },
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Sent<T> {
    Decoded(T),
    /// The error handler says to pass over this error answer.
    Ignored(u16),
}

/// Makes something of a body; the text says why it is not what was declared.
pub(crate) type Decode<'a, T> = &'a (dyn Fn(Answer) -> BoxFuture<'static, Result<T, String>> + Send + Sync);

/// One request of a stream.
pub(crate) struct Call<'a> {
    pub(crate) account: &'a Account,
    pub(crate) requester: &'a HttpRequester,
    pub(crate) unit: &'a Unit,
    pub(crate) scope: &'a Scope,
    pub(crate) injections: &'a [Injection],
    /// The size that the body will probably have.
    pub(crate) expected: usize,
}

/// What a failed try leads to.
struct Failure {
    why: String,
    told: Option<Wait>,
    retry_after: Option<Duration>,
    limited: bool,
}

impl Failure {
    fn plain(why: String) -> Self {
        Self { why, told: None, retry_after: None, limited: false }
    }
}

enum Judged<T> {
    Done(Sent<T>),
    Again(Failure),
    /// The login was not accepted, in the words of the answer.
    LogInAgain(String),
}

impl Call<'_> {
    /// Sends until it succeeds or is not worth another try.
    pub(crate) async fn send<T>(&self, decode: Decode<'_, T>) -> Result<Sent<T>, SendError> {
        let mut tries = Tries::new(self.account.waits, self.requester.error_handler.retries(self.scope));
        let mut logged_in_again = false;
        loop {
            let signed = self.requester.authenticator.sign(self.account, self.scope).await?;
            let outgoing = self.build(&signed)?;
            self.account.take_slot(&outgoing.method, &outgoing.url).await;
            let url = self.visible_url(&outgoing);
            tracing::debug!(account = %self.account.label, stream = %self.unit.stream, url = %url, "request");
            let judged = match self.account.client.exchange(&outgoing, self.expected, &self.account.redactor).await {
                Ok(answer) => self.judge(answer, &url, tries.failing(), !logged_in_again, decode).await?,
                Err(ExchangeError::Refused(why)) => return Err(self.failed(&url, &why)),
                Err(ExchangeError::Transport(why)) => {
                    let told = self.requester.error_handler.wait(tries.failing(), None, self.scope);
                    Judged::Again(Failure { told, ..Failure::plain(why) })
                }
            };
            let failure = match judged {
                Judged::Done(sent) => return Ok(sent),
                Judged::LogInAgain(why) => {
                    logged_in_again = true;
                    if self.requester.authenticator.forget(self.account, self.scope, &signed).await {
                        tracing::debug!(account = %self.account.label, stream = %self.unit.stream, "token refused, logging in again");
                        continue;
                    }
                    return Err(self.failed(&url, &why));
                }
                Judged::Again(failure) => failure,
            };
            let wait =
                tries.next(failure.told, failure.retry_after, &failure.why).map_err(|why| self.failed(&url, &why))?;
            if failure.limited {
                self.account.pause.extend(wait);
            }
            telemetry::emit(&Event::RetryScheduled {
                stage: "extract".into(),
                unit: self.unit.clone(),
                attempt: tries.failing() - 1,
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                reason: self.account.redactor.clean(&format!("{url}: {}", failure.why)),
            });
            tokio::time::sleep(wait).await;
        }
    }

    fn build(&self, signed: &[Injection]) -> Result<Outgoing, SendError> {
        let mut injections = self.injections.to_vec();
        injections.extend_from_slice(signed);
        let built = self.requester.build(self.scope, &injections);
        built.map_err(|why| SendError::Request(self.account.redactor.clean(&why)))
    }

    fn visible_url(&self, outgoing: &Outgoing) -> String {
        self.account.redactor.clean(outgoing.url.as_str())
    }

    fn failed(&self, url: &str, why: &str) -> SendError {
        SendError::Answer { url: url.to_owned(), why: self.account.redactor.clean(why) }
    }

    async fn judge<T>(
        &self,
        answer: Answer,
        url: &str,
        failing: u32,
        may_log_in: bool,
        decode: Decode<'_, T>,
    ) -> Result<Judged<T>, SendError> {
        let handler = &self.requester.error_handler;
        let scope = if handler.needs_body(answer.status) { self.error_scope(&answer) } else { self.scope.clone() };
        let view = AnswerView { status: answer.status, body: &answer.body };
        let verdict = handler.verdict(&view, &scope);
        let status = answer.status;
        let why = || verdict.message.clone().unwrap_or_else(|| describe(&answer));
        let again = |headers: &HeaderMap, why: String, limited: bool| Failure {
            why,
            told: handler.wait(failing, Some(headers), &scope),
            retry_after: retry_after_of(headers),
            limited,
        };
        match verdict.action {
            Action::Fail if answer.foreign && matches!(status, 401 | 403) => Err(self.failed(
                url,
                "the redirect or link leads to another host, which asks for credentials; they are not sent there",
            )),
            Action::Fail if status == 401 && may_log_in => Ok(Judged::LogInAgain(why())),
            Action::RefreshTokenThenRetry if may_log_in => Ok(Judged::LogInAgain(why())),
            Action::Fail => Err(self.failed(url, &why())),
            Action::Retry | Action::RefreshTokenThenRetry => Ok(Judged::Again(again(&answer.headers, why(), false))),
            Action::RateLimited => Ok(Judged::Again(again(&answer.headers, why(), true))),
            Action::Ignore if status >= 400 => Ok(Judged::Done(Sent::Ignored(status))),
            Action::Success | Action::Ignore => {
                let headers = answer.headers.clone();
                match decode(answer).await {
                    Ok(decoded) => Ok(Judged::Done(Sent::Decoded(decoded))),
                    Err(why) => Ok(Judged::Again(again(&headers, why, false))),
                }
            }
        }
    }

    /// What filters see of an answer: its decoded body and its headers.
    fn error_scope(&self, answer: &Answer) -> Scope {
        let body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::Object(Map::new()));
        let first = match body {
            Value::Array(items) => items.into_iter().next().unwrap_or_else(|| Value::Object(Map::new())),
            other => other,
        };
        self.scope.clone().with(Names::RESPONSE, first).with(Names::HEADERS, headers_value(&answer.headers))
    }
}

/// Headers as templates see them.
pub(crate) fn headers_value(headers: &HeaderMap) -> Value {
    let pairs = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    Value::Object(pairs.collect())
}

/// Status and the API's own short message.
fn describe(answer: &Answer) -> String {
    const LONGEST: usize = 200;
    let message = match answer.body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => message_of(&answer.body),
        _ => String::new(),
    };
    let message: String = message.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let message = if message.is_empty() { message } else { format!(": {message}") };
    format!("the API answered {}{message}", answer.status)
}
