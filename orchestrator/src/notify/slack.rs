//! Slack's incoming webhooks: one POST of JSON, three tries. The address is itself the secret, so it is never shown.
//! A message that was taken but whose answer got lost is sent again: twice is better than never.

use contract::google::retry::Backoff;
use contract::secret::Secret;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::time::Duration;

const TRIES: usize = 3;
const ONE_TRY: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(3);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The most of an answer that is worth a line in the log (`no_service`, `invalid_blocks`).
const SHOWN: usize = 200;

/// Where messages go. Its address is not shown.
pub(super) struct Webhook {
    url: Url,
    http: reqwest::Client,
    first_wait: Duration,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(***)")
    }
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SlackError {
    #[error("Slack answered {status}: {said}")]
    Refused { status: StatusCode, said: String, retry_after: Option<Duration> },
    #[error("no answer from Slack: {0}")]
    Lost(String),
}

impl SlackError {
    fn retry(&self) -> Option<Option<Duration>> {
        match self {
            Self::Refused { status, retry_after, .. } => {
                let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
                passing.then_some(*retry_after)
            }
            Self::Lost(_) => Some(None),
        }
    }
}

impl Webhook {
    /// A webhook at an address that a message may be sent to.
    ///
    /// # Errors
    /// What is wrong with the address, without the address.
    pub(super) fn new(address: &Secret) -> Result<Self, String> {
        let wrong = || "notify.slack_webhook is no https address".to_owned();
        let url = Url::parse(address.expose().trim()).map_err(|_| wrong())?;
        // A stand-in on this machine may speak plain http: nobody can listen in.
        let own = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.host_str().is_none() || !(url.scheme() == "https" || (url.scheme() == "http" && own)) {
            return Err(wrong());
        }
        // A redirect would take the message somewhere else.
        let http = reqwest::Client::builder()
            .timeout(ONE_TRY)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("no HTTP client: {}", error.without_url()))?;
        Ok(Self { url, http, first_wait: FIRST_WAIT })
    }

    /// Sends a message. The caller limits the whole.
    ///
    /// # Errors
    /// The last try's.
    pub(super) async fn send(&self, body: &Value) -> Result<(), SlackError> {
        let mut backoff = Backoff::new(self.first_wait, LONGEST_WAIT);
        let mut tries = 1;
        loop {
            let error = match self.send_once(body).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error.retry() {
                Some(asked) if tries < TRIES => tokio::time::sleep(backoff.next(asked)).await,
                _ => return Err(error),
            }
            tries += 1;
        }
    }

    async fn send_once(&self, body: &Value) -> Result<(), SlackError> {
        let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body.to_string());
        let answer = request.send().await.map_err(|error| SlackError::Lost(describe(error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let said = answer.text().await.unwrap_or_default().trim().chars().take(SHOWN).collect();
        Err(SlackError::Refused {
            status,
            said,
            retry_after: asked.map(|seconds: u64| Duration::from_secs(seconds.min(3600))),
        })
    }
}

/// The cause, without the address.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use sandbox::slack::{FaultAction, Slack};
    use serde_json::json;

    fn webhook(slack: &Slack) -> Webhook {
        Webhook { first_wait: Duration::from_millis(1), ..Webhook::new(&Secret::new(slack.webhook())).unwrap() }
    }

    #[tokio::test]
    async fn what_passes_is_tried_again() {
        let slack = Slack::start().unwrap();
        slack.fault(FaultAction::Status(503, "server_error".into()), 1);
        slack.fault(FaultAction::Cut, 1);
        webhook(&slack).send(&json!({"text": "hello"})).await.unwrap();
        assert_eq!(slack.requests(), 3);
        assert_eq!(slack.messages()[0].body, json!({"text": "hello"}));
    }

    #[tokio::test]
    async fn three_tries_and_no_more() {
        let slack = Slack::start().unwrap();
        slack.fault(FaultAction::Status(500, "server_error".into()), 9);
        let error = webhook(&slack).send(&json!({"text": "hello"})).await.unwrap_err();
        assert_eq!(error.to_string(), "Slack answered 500 Internal Server Error: server_error");
        assert_eq!(slack.requests(), 3);
    }

    #[tokio::test]
    async fn a_definite_no_is_final() {
        let slack = Slack::start().unwrap();
        slack.fault(FaultAction::Status(404, "no_service".into()), 1);
        let error = webhook(&slack).send(&json!({"text": "hello"})).await.unwrap_err();
        assert_eq!(error.to_string(), "Slack answered 404 Not Found: no_service");
        assert_eq!(slack.requests(), 1);
    }

    #[tokio::test]
    async fn errors_do_not_show_the_address() {
        let slack = Slack::start().unwrap();
        let webhook = webhook(&slack);
        let port = slack.url().rsplit(':').next().unwrap().to_owned();
        drop(slack);
        let error = webhook.send(&json!({"text": "hello"})).await.unwrap_err().to_string();
        assert!(error.starts_with("no answer from Slack: "), "{error}");
        for part in ["sandboxsandbox", "services", &format!(":{port}")] {
            assert!(!error.contains(part) && !format!("{webhook:?}").contains(part), "{error}");
        }
    }

    #[test]
    fn how_long_slack_asks_to_wait_is_heard() {
        let refused = |status: u16, retry_after| SlackError::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            said: String::new(),
            retry_after,
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(refused(429, second).retry(), Some(second));
        assert_eq!(refused(502, None).retry(), Some(None));
        assert_eq!(refused(410, second).retry(), None);
        assert_eq!(SlackError::Lost("cut".into()).retry(), Some(None));
    }

    #[test]
    fn only_safe_addresses_are_taken() {
        for (address, taken) in [
            ("https://hooks.slack.com/services/T/B/x", true),
            (" https://hooks.slack.com/services/T/B/x\n", true),
            ("http://127.0.0.1:9/x", true),
            ("http://localhost:9/x", true),
            ("http://hooks.slack.com/services/T/B/x", false),
            ("http://127.0.0.1.example.com/x", false),
            ("ftp://127.0.0.1/x", false),
            ("hooks.slack.com/services/T/B/secret", false),
            ("", false),
        ] {
            let webhook = Webhook::new(&Secret::new(address));
            assert_eq!(webhook.is_ok(), taken, "{address}");
            if let Err(error) = webhook {
                assert!(!error.contains("T/B"), "{error}");
            }
        }
    }
}
