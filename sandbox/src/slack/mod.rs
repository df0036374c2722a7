//! A stand-in of Slack's incoming webhooks: takes messages on any path, keeps them, and answers as Slack does.
//! Scripted faults strike the next requests in the order in which they were added.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::cloud_run::serving::{Line, Serving};

const LARGEST_BODY: usize = 1024 * 1024;
/// A message has at least one of these.
const CONTENTS: [&str; 3] = ["text", "blocks", "attachments"];

/// A message that arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub path: String,
    pub body: Value,
}

/// What a fault does to a request.
#[derive(Debug, Clone)]
pub enum FaultAction {
    /// This status and text (`404`, `no_service`); the message is not taken.
    Status(u16, String),
    /// The connection closes without an answer; the message is not taken.
    Cut,
    /// The message is taken at once; the answer comes so much later.
    Slow(Duration),
}

/// A running receiver; dropping it closes its port.
#[derive(Debug)]
pub struct Slack {
    state: Arc<State>,
    serving: Serving,
}

#[derive(Debug, Default)]
struct State {
    messages: Mutex<Vec<Message>>,
    requests: Mutex<usize>,
    faults: Mutex<VecDeque<FaultAction>>,
}

impl Slack {
    /// Starts the receiver on threads of its own.
    ///
    /// # Errors
    /// No port or threads can be had.
    pub fn start() -> io::Result<Self> {
        let state = Arc::new(State::default());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&state));
        Ok(Self { state, serving: Serving::start(router)? })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.serving.url()
    }

    /// A webhook's address as Slack makes them.
    pub fn webhook(&self) -> String {
        format!("{}/services/T0SANDBOX/B0SANDBOX/sandboxsandboxsandbox", self.url())
    }

    /// The messages taken, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.state.messages).clone()
    }

    /// How many requests came, taken or not.
    pub fn requests(&self) -> usize {
        *lock(&self.state.requests)
    }

    /// Lets this happen to so many requests, after the faults that were added before.
    pub fn fault(&self, action: FaultAction, times: usize) {
        lock(&self.state.faults).extend(std::iter::repeat_n(action, times));
    }
}

async fn serve(Shared(state): Shared<Arc<State>>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    *lock(&state.requests) += 1;
    let fault = lock(&state.faults).pop_front();
    match &fault {
        Some(FaultAction::Status(status, text)) => return answer(*status, text.clone()),
        Some(FaultAction::Cut) => {
            line.cut();
            return Response::default();
        }
        _ => {}
    }
    let response = match take(&state, request).await {
        Ok(()) => answer(200, "ok".to_owned()),
        Err((status, problem)) => answer(status, problem.to_owned()),
    };
    if let Some(FaultAction::Slow(wait)) = fault {
        tokio::time::sleep(wait).await;
    }
    response
}

async fn take(state: &State, request: Request) -> Result<(), (u16, &'static str)> {
    if request.method() != Method::POST {
        return Err((405, "method_not_allowed"));
    }
    let path = request.uri().path().to_owned();
    let bytes = to_bytes(request.into_body(), LARGEST_BODY).await.map_err(|_| (413, "invalid_payload"))?;
    let body: Value = serde_json::from_slice(&bytes).map_err(|_| (400, "invalid_payload"))?;
    let Some(fields) = body.as_object() else { return Err((400, "invalid_payload")) };
    if !CONTENTS.iter().any(|name| fields.contains_key(*name)) {
        return Err((400, "no_text"));
    }
    lock(&state.messages).push(Message { path, body });
    Ok(())
}

fn answer(status: u16, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// A lock whose holder panicked still guards usable data here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn post(slack: &Slack, body: &'static str) -> Result<(u16, String), reqwest::Error> {
        let response = reqwest::Client::new().post(slack.webhook()).body(body).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    #[tokio::test]
    async fn messages_are_kept_and_nonsense_is_refused() {
        let slack = Slack::start().unwrap();
        let said = |status: u16, text: &str| (status, text.to_owned());
        assert_eq!(post(&slack, r#"{"text": "hello"}"#).await.unwrap(), said(200, "ok"));
        assert_eq!(post(&slack, "hello").await.unwrap(), said(400, "invalid_payload"));
        assert_eq!(post(&slack, "[]").await.unwrap(), said(400, "invalid_payload"));
        assert_eq!(post(&slack, "{}").await.unwrap(), said(400, "no_text"));
        assert_eq!(reqwest::get(slack.webhook()).await.unwrap().status(), 405);
        let messages = slack.messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].body, json!({"text": "hello"}));
        assert!(messages[0].path.starts_with("/services/T"));
        assert_eq!(slack.requests(), 5);
    }

    #[tokio::test]
    async fn faults_strike_in_turn() {
        let slack = Slack::start().unwrap();
        slack.fault(FaultAction::Status(500, "server_error".to_owned()), 2);
        slack.fault(FaultAction::Status(404, "no_service".to_owned()), 1);
        slack.fault(FaultAction::Cut, 1);
        slack.fault(FaultAction::Slow(Duration::from_millis(20)), 1);
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(post(&slack, r#"{"text": "x"}"#).await.ok());
        }
        let said = |status: u16, text: &str| Some((status, text.to_owned()));
        let expected = [
            said(500, "server_error"),
            said(500, "server_error"),
            said(404, "no_service"),
            None,
            said(200, "ok"),
            said(200, "ok"),
        ];
        assert_eq!(seen, expected);
        assert_eq!((slack.messages().len(), slack.requests()), (2, 6));
    }

    #[tokio::test]
    async fn a_slow_answer_is_of_a_message_that_was_taken() {
        let slack = Slack::start().unwrap();
        slack.fault(FaultAction::Slow(Duration::from_secs(600)), 1);
        let sent = tokio::spawn(reqwest::Client::new().post(slack.webhook()).body(r#"{"text": "x"}"#).send());
        let taken = async {
            while slack.messages().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), taken).await.unwrap();
        assert!(!sent.is_finished(), "the message is there, the answer is not");
        sent.abort();
    }
}
