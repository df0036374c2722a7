//! A request with all its tries: signed anew each time, its answer judged by the error handler, its body decoded.
//! A body that is not what was declared is tried again like a broken connection, and fails the stream in the end; it is never
//! taken for an empty answer.

use super::account::Account;
use super::client::{Answer, ExchangeError, LARGEST_ERROR, Outgoing};
use super::packed::Packed;
use super::response_cache::{Asker, Found};
use super::retry::{Failed, Tries, retry_after_of};
use super::tokens::Forgot;
use crate::components::backoff::Wait;
use crate::components::default_error_handler::DefaultErrorHandler;
use crate::components::expression::Scope;
use crate::components::http_requester::HttpRequester;
use crate::components::http_response_filter::{Action, AnswerView, PagingAction};
use crate::components::request_option::{Injection, Place};
use contract::telemetry::{self, Event};
use contract::unit::Unit;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

mod look;

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
    /// The error handler wants the slice's pages or window to be read otherwise; the text is for people.
    Paging(PagingAction, String),
}

/// Why a body cannot be used.
#[derive(Debug)]
pub(crate) enum Undecoded {
    /// It is not what was declared: tried again like a broken connection.
    Malformed(String),
    /// It tells nothing: asked for once more, whatever the number of tries.
    Vague(String),
    /// It is beyond what can be read: another try would bring the same.
    Unreadable(String),
}

impl From<String> for Undecoded {
    fn from(why: String) -> Self {
        Self::Malformed(why)
    }
}

impl Undecoded {
    fn why(self) -> String {
        match self {
            Self::Malformed(why) | Self::Vague(why) | Self::Unreadable(why) => why,
        }
    }
}

/// Makes something of a body.
pub(crate) type Decode<'a, T> = &'a (dyn Fn(Answer) -> BoxFuture<'a, Result<T, Undecoded>> + Send + Sync);

/// One request of a stream.
pub(crate) struct Call<'a> {
    pub(crate) account: &'a Account,
    pub(crate) requester: &'a HttpRequester,
    pub(crate) unit: &'a Unit,
    pub(crate) scope: &'a Scope,
    pub(crate) injections: &'a [Injection],
    /// The size that the body will probably have.
    pub(crate) expected: usize,
    /// Other streams ask for the same: a successful answer is kept for them, and taken from there.
    pub(crate) cached: Option<&'a Asker>,
    /// Whether there is anything to be had is not known: it is worth no more than one other try.
    pub(crate) is_probe: bool,
    /// Statuses that say that there is no such thing, whatever the error handler says of them.
    pub(crate) gone: &'a [u16],
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Records,
    Login,
}

/// What a failed try leads to.
struct Failure {
    why: String,
    told: Option<Wait>,
    retry_after: Option<Duration>,
    kind: Failed,
}

impl Failure {
    fn plain(why: String) -> Self {
        Self { why, told: None, retry_after: None, kind: Failed::Retry }
    }
}

enum Judged<T> {
    Done(Sent<T>),
    Again(Failure),
    /// The answer tells nothing.
    Vague(String),
    /// Another try would end in the same way.
    Refused(String),
    /// The login was not accepted; if there is no other to be had, this is what stays.
    LogInAgain(Fallback),
}

/// What becomes of an answer that refuses a login which cannot be renewed.
enum Fallback {
    Fail(String),
    Retry(Failure),
}

/// Before an answer that tells nothing is asked for once more.
const VAGUE_WAIT: Duration = Duration::from_secs(1);
/// The longest message of a manifest or of what is wrong with a body, which may hold much of the answer.
const LONGEST: usize = 1000;
/// So often may a request find that its token has been replaced meanwhile.
const MOST_OUTDATED: u32 = 3;

/// How often a request has been answered by a refusal of its login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    NotRefused,
    Renewed,
    CannotBeRenewed,
}

impl Call<'_> {
    /// Sends until it succeeds or is not worth another try.
    pub(crate) async fn send<T: 'static>(&self, decode: Decode<'_, T>) -> Result<Sent<T>, SendError> {
        let Some(asker) = self.cached.filter(|asker| asker.keeps()) else {
            return self.repeat(Purpose::Records, decode).await;
        };
        let unsigned = self.build(&[])?;
        if unsigned.method != Method::GET {
            return self.repeat(Purpose::Records, decode).await;
        }
        let keeping = |answer: Answer| {
            let cpu = self.account.client.cpu.clone();
            async move {
                if answer.status >= 300 {
                    return decode(answer).await.map(|decoded| (None, decoded));
                }
                let pack = move || {
                    let packed = Packed::of(&answer).ok();
                    (answer, packed)
                };
                let (answer, packed) = cpu.run(pack).await?;
                decode(answer).await.map(|decoded| (packed, decoded))
            }
            .boxed()
        };
        let fetch = || async {
            Ok(match self.repeat(Purpose::Records, &keeping).await? {
                Sent::Decoded((packed, decoded)) => (packed, Sent::Decoded(decoded)),
                Sent::Ignored(status) => (None, Sent::Ignored(status)),
                Sent::Paging(action, why) => (None, Sent::Paging(action, why)),
            })
        };
        match asker.get_or_fetch(&self.cache_key(&unsigned)?, fetch).await? {
            Found::Fresh(sent) => Ok(sent),
            Found::Kept(answer) => {
                let failed = |why: Undecoded| self.failed(&self.visible_url(&unsigned), &why.why());
                let decoded = decode(answer).await.map_err(failed);
                decoded.map(Sent::Decoded)
            }
        }
    }

    /// Sends a request for a token. `decode` gives the token, or why a complete answer holds none.
    ///
    /// # Errors
    /// [`SendError::Login`] if the credentials are refused, [`SendError::LoginUnavailable`] if no try has come to an answer.
    pub(crate) async fn log_in<T>(&self, decode: Decode<'_, Result<T, String>>) -> Result<T, SendError> {
        match self.repeat(Purpose::Login, decode).await? {
            Sent::Decoded(token) => token.map_err(|why| SendError::Login(self.account.redactor.clean(&why))),
            Sent::Ignored(status) => Err(SendError::Login(format!("the error handler ignores the answer ({status})"))),
            Sent::Paging(..) => Err(SendError::Login("a login has no pages that could be read otherwise".into())),
        }
    }

    /// What the answer depends on. Logins that change from one request to the next do not count; whose they are does.
    fn cache_key(&self, unsigned: &Outgoing) -> Result<String, SendError> {
        let signer = self.requester.authenticator.key(self.account, self.scope).map_err(SendError::Request)?;
        Ok(format!("{} {} {:?} {:?} {signer}", unsigned.method, unsigned.url, unsigned.headers, unsigned.body))
    }

    async fn repeat<T>(&self, purpose: Purpose, decode: Decode<'_, T>) -> Result<Sent<T>, SendError> {
        let retries = self.requester.error_handler.retries(self.scope).map_err(|why| self.unsent(&why))?;
        let retries = if self.is_probe { retries.min(1) } else { retries };
        let mut tries = Tries::new(self.account.waits, retries);
        let (mut login, mut outdated, mut vague) = (Login::NotRefused, 0, false);
        loop {
            let signed = self.requester.authenticator.sign(self.account, self.unit, self.scope).await?;
            let outgoing = Outgoing { login: purpose == Purpose::Login, ..self.build(&signed)? };
            let queued = Instant::now();
            match purpose {
                Purpose::Records => self.account.take_slot(&outgoing).await.map_err(|why| self.unsent(&why))?,
                // Logins are few, and the budget is the API's, which often is another host.
                Purpose::Login => self.account.pause.wait().await,
            }
            tries.excuse(queued.elapsed());
            let url = self.visible_url(&outgoing);
            tracing::debug!(account = %self.account.label, stream = %self.unit.stream, url = %url, "request");
            let judged = match self.account.exchange(&outgoing, self.expected).await {
                Ok(answer) => {
                    if !answer.foreign {
                        self.account.heed(&outgoing, answer.status, &answer.headers);
                    }
                    self.judge(answer, purpose, tries.failing(), login, decode).await?
                }
                Err(ExchangeError::Refused(why)) => Judged::Refused(why),
                Err(ExchangeError::Transport(why)) => {
                    let told = self.requester.error_handler.wait(tries.failing(), None, self.scope);
                    Judged::Again(Failure { told, ..Failure::plain(why) })
                }
            };
            let failure = match judged {
                Judged::Done(sent) => return Ok(sent),
                Judged::LogInAgain(fallback) => {
                    let forgot = self.requester.authenticator.forget(self.account, self.scope, &signed).await;
                    if forgot != Forgot::Fixed {
                        // A token that another request has renewed meanwhile is no new login of this one's; but not for ever.
                        outdated += u32::from(forgot == Forgot::Replaced);
                        if forgot == Forgot::Dropped || outdated > MOST_OUTDATED {
                            login = Login::Renewed;
                        }
                        tracing::debug!(account = %self.account.label, stream = %self.unit.stream, "token refused, logging in again");
                        continue;
                    }
                    login = Login::CannotBeRenewed;
                    match fallback {
                        Fallback::Fail(why) => return Err(self.refused(purpose, &url, &why)),
                        Fallback::Retry(failure) => failure,
                    }
                }
                Judged::Refused(why) => return Err(self.refused(purpose, &url, &why)),
                Judged::Vague(why) if vague => return Err(self.exhausted(purpose, &url, &why)),
                Judged::Vague(why) => {
                    vague = true;
                    self.tell_retry(tries.failing(), VAGUE_WAIT, &url, &why);
                    tokio::time::sleep(self.account.waits.scale(VAGUE_WAIT)).await;
                    continue;
                }
                Judged::Again(failure) => failure,
            };
            let Failure { why, told, retry_after, kind } = failure;
            let wait = tries.next(kind, told, retry_after, &why).map_err(|why| self.exhausted(purpose, &url, &why))?;
            if kind == Failed::Limited {
                self.account.pause.extend(wait);
            }
            self.tell_retry(tries.failing() - 1, wait, &url, &why);
            tokio::time::sleep(wait).await;
        }
    }

    fn tell_retry(&self, attempt: u32, wait: Duration, url: &str, why: &str) {
        telemetry::emit(&Event::RetryScheduled {
            stage: "extract".into(),
            unit: self.unit.clone(),
            attempt,
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            reason: self.account.redactor.clean(&format!("{url}: {why}")),
        });
    }

    fn build(&self, signed: &[Injection]) -> Result<Outgoing, SendError> {
        let mut injections = self.injections.to_vec();
        injections.extend_from_slice(signed);
        for Injection { place, value, .. } in signed {
            // An answer that repeats it must not carry it elsewhere, whether or not the connector's spec marks it as a secret.
            match (place, value) {
                (Place::Header, Value::String(value)) => self.account.redactor.add_header(value),
                (_, Value::String(value)) => self.account.redactor.add(value),
                (_, value) => self.account.redactor.add(&value.to_string()),
            }
        }
        let built = self.requester.build(self.scope, &injections, &self.account.homes);
        built.map_err(|why| self.unsent(&why))
    }

    fn unsent(&self, why: &str) -> SendError {
        SendError::Request(self.account.redactor.clean(why))
    }

    fn visible_url(&self, outgoing: &Outgoing) -> String {
        self.account.redactor.clean(outgoing.url.as_str())
    }

    fn failed(&self, url: &str, why: &str) -> SendError {
        SendError::Answer { url: url.to_owned(), why: self.account.redactor.clean(why) }
    }

    fn refused(&self, purpose: Purpose, url: &str, why: &str) -> SendError {
        match purpose {
            Purpose::Records => self.failed(url, why),
            Purpose::Login => SendError::Login(self.account.redactor.clean(&format!("{url}: {why}"))),
        }
    }

    fn exhausted(&self, purpose: Purpose, url: &str, why: &str) -> SendError {
        match purpose {
            Purpose::Records => self.failed(url, why),
            Purpose::Login => SendError::LoginUnavailable(self.account.redactor.clean(&format!("{url}: {why}"))),
        }
    }

    async fn judge<T>(
        &self,
        answer: Answer,
        purpose: Purpose,
        failing: u32,
        login: Login,
        decode: Decode<'_, T>,
    ) -> Result<Judged<T>, SendError> {
        if purpose == Purpose::Records && self.gone.contains(&answer.status) {
            return Ok(Judged::Done(Sent::Ignored(answer.status)));
        }
        let mut answer = answer;
        let handler = &self.requester.error_handler;
        let sight = handler.sight(answer.status);
        let verdict = self.verdict(&mut answer, sight).await?;
        let is_refused_login =
            purpose == Purpose::Login && verdict.action == Action::Retry && is_refusal(answer.status);
        let status = answer.status;
        let again = |headers: &HeaderMap, why: String, kind: Failed| Failure {
            why,
            told: handler.wait(failing, Some(headers), self.scope),
            retry_after: retry_after_of(headers),
            kind,
        };
        let why = match verdict.action {
            Action::Success | Action::Ignore => String::new(),
            _ => self.words(verdict.message.as_deref(), &mut answer).await?,
        };
        match verdict.action {
            Action::Fail if answer.foreign && matches!(status, 401 | 403) => {
                let why = "the request leads to another host, which asks for credentials; they are not sent there";
                Ok(Judged::Refused(why.to_owned()))
            }
            Action::Fail if status == 401 && login == Login::NotRefused => Ok(Judged::LogInAgain(Fallback::Fail(why))),
            Action::RefreshTokenThenRetry if login == Login::NotRefused => {
                Ok(Judged::LogInAgain(Fallback::Retry(again(&answer.headers, why, Failed::Retry))))
            }
            // A new token that is refused as well will not be helped by a third.
            Action::RefreshTokenThenRetry if login == Login::Renewed => Ok(Judged::Refused(why)),
            Action::Fail => Ok(Judged::Refused(why)),
            _ if is_refused_login => Ok(Judged::Refused(why)),
            Action::Retry | Action::RefreshTokenThenRetry => {
                Ok(Judged::Again(again(&answer.headers, why, Failed::Retry)))
            }
            Action::RateLimited => Ok(Judged::Again(again(&answer.headers, why, Failed::Limited))),
            Action::Paging(action) => Ok(Judged::Done(Sent::Paging(action, self.account.redactor.clean(&why)))),
            Action::Ignore if status >= 400 => Ok(Judged::Done(Sent::Ignored(status))),
            Action::Success if matches!(status, 202 | 206) && !verdict.named && purpose == Purpose::Records => {
                let why = format!("the API answered {status}, which is no whole answer");
                Ok(Judged::Again(again(&answer.headers, why, Failed::Retry)))
            }
            Action::Success | Action::Ignore if answer.cut => {
                let bound = LARGEST_ERROR >> 20;
                Ok(Judged::Refused(format!(
                    "the API answered {status} with more than {bound} MiB, and of an error no more is read, or its body is not what its `content-encoding` says"
                )))
            }
            Action::Success | Action::Ignore => {
                let headers = answer.headers.clone();
                let answer = Answer { named: verdict.named, ..answer };
                match decode(answer).await {
                    Ok(decoded) => Ok(Judged::Done(Sent::Decoded(decoded))),
                    Err(Undecoded::Malformed(why)) => {
                        let why = self.account.redactor.for_people(&why, LONGEST);
                        Ok(Judged::Again(again(&headers, why, Failed::Retry)))
                    }
                    Err(Undecoded::Vague(why)) => Ok(Judged::Vague(self.account.redactor.for_people(&why, LONGEST))),
                    Err(Undecoded::Unreadable(why)) => {
                        Ok(Judged::Refused(self.account.redactor.for_people(&why, LONGEST)))
                    }
                }
            }
        }
    }
}

/// Whether an answer to a login means that the credentials are wrong, where the manifest's own filters do not say otherwise:
/// statuses that are worth another try elsewhere only lock an account the sooner here.
fn is_refusal(status: u16) -> bool {
    let answer = AnswerView { status, message: "" };
    let by_default = DefaultErrorHandler::default().verdict(&answer, &Scope::new(chrono::Utc::now())).action;
    by_default == Action::Retry && (400..500).contains(&status) && status != 408
}

/// Headers as templates see them.
pub(crate) fn headers_value(headers: &HeaderMap) -> Value {
    let pairs = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    Value::Object(pairs.collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
