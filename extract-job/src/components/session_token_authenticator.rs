//! SessionTokenAuthenticator: a request of its own logs in, and the token that comes back signs all others.
//! All streams of an account share one login; one login at a time; a token is renewed before its duration is over and after a 401.
//!
//! `login_requester` is a whole requester, with its own authenticator and error handler. Without `expiration_duration` every request
//! logs in anew, once (the reference engine does so twice). An answer without the token is a refusal, not an empty token, and a
//! refused login is not tried again within the run: an account that is locked by our tries helps nobody.

use super::authenticator::bearer;
use super::expression::{Expression, Scope};
use super::http_requester::{HttpRequester, settings_alone};
use super::request_option::{Injection, RequestOption};
use crate::http::account::Account;
use crate::http::client::Answer;
use crate::http::login::error_words;
use crate::http::send::{Call, SendError, Undecoded};
use crate::http::tokens::{Forgot, Token};
use crate::manifest::reader::Reader;
use crate::template::Names;
use crate::template::duration::IsoDuration;
use chrono::Utc;
use contract::unit::Unit;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Url;
use serde_json::Value;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct SessionTokenAuthenticator {
    requester: HttpRequester,
    path: Vec<Expression>,
    duration: Option<IsoDuration>,
    request: RequestAuthentication,
}

/// How the token signs a request.
#[derive(Debug)]
enum RequestAuthentication {
    Bearer,
    ApiKey { at: RequestOption, token: Option<Expression> },
}

impl SessionTokenAuthenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let requester = reader.required_child("login_requester").and_then(|child| HttpRequester::read(&child));
        reader.required("session_token_path");
        let path = reader.expression_list("session_token_path", Names::ANYWHERE);
        if reader.has("session_token_path") && path.is_empty() {
            reader.error_at("session_token_path", "must name at least one field");
        }
        let duration = reader.text("expiration_duration").and_then(|text| match IsoDuration::parse(&text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                reader.error_at("expiration_duration", format!("cannot be read: {error}"));
                None
            }
        });
        let request = reader.required_child("request_authentication").and_then(|c| RequestAuthentication::read(&c));
        if reader.get("decoder").and_then(|node| node.get("type")?.as_str()) != Some("JsonDecoder") {
            reader.refuse(&["decoder"]);
        }
        reader.finish();
        Some(Self { requester: requester?, path, duration, request: request? })
    }

    /// What signs a request, after a login where there is none in force.
    pub(crate) async fn sign(&self, account: &Account, unit: &Unit, scope: &Scope) -> Result<Injection, SendError> {
        let scope = settings_alone(scope);
        let key = self.key(account, &scope).map_err(SendError::Request)?;
        let token = account.tokens.get(&key, || self.log_in(account, unit, &scope)).await?;
        self.request.inject(&token, &scope).map_err(|why| SendError::Request(format!("the authenticator: {why}")))
    }

    /// The hosts that it logs in at.
    pub(crate) fn homes(&self, scope: &Scope) -> Vec<Url> {
        let logins = self.requester.authenticator.homes(scope);
        self.requester.home(scope).into_iter().chain(logins).collect()
    }

    /// Drops the token that signed a refused request, unless it has been replaced already.
    pub(crate) async fn forget(&self, account: &Account, scope: &Scope, signed: &Injection) -> Forgot {
        let scope = settings_alone(scope);
        let Ok(key) = self.key(account, &scope) else { return Forgot::Fixed };
        account.tokens.forget(&key, |token| self.request.inject(token, &scope).is_ok_and(|i| i == *signed)).await
    }

    /// Two streams share a login when they would log in with the same request and take the same field of its answer.
    pub(crate) fn key(&self, account: &Account, scope: &Scope) -> Result<String, String> {
        let scope = settings_alone(scope);
        let path = self.path(&scope)?;
        Ok(format!("session {path:?} {:?} {}", self.duration, self.requester.key(account, &scope)?))
    }

    fn path(&self, scope: &Scope) -> Result<Vec<String>, String> {
        let path = self.path.iter().map(|segment| segment.text(scope)).collect::<Result<_, _>>();
        path.map_err(|error| format!("`session_token_path`: {error}"))
    }

    fn lifetime(&self) -> Result<Duration, String> {
        let Some(duration) = &self.duration else { return Ok(Duration::ZERO) };
        let now = Utc::now().fixed_offset();
        let end = duration.add_to(now).map_err(|error| format!("`expiration_duration`: {error}"))?;
        Ok((end - now).to_std().unwrap_or_default())
    }

    /// Boxed, because the requester of a login may have to log in itself.
    fn log_in<'a>(
        &'a self,
        account: &'a Account,
        unit: &'a Unit,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<Token, SendError>> {
        async move {
            let lifetime = self.lifetime().map_err(SendError::Request)?;
            let path = self.path(scope).map_err(SendError::Request)?;
            let (requester, injections) = (&self.requester, &[]);
            let call = Call {
                account,
                requester,
                unit,
                scope,
                injections,
                expected: 0,
                cached: None,
                is_probe: false,
                gone: &[],
            };
            let decode = |answer: Answer| {
                let found = token_of(&answer.body, &path).map_err(Undecoded::from);
                async move { found }.boxed()
            };
            let text = call.log_in(&decode).await?;
            account.redactor.add(&text);
            tracing::debug!(account = %account.label, "logged in");
            Ok(Token::new(text, lifetime))
        }
        .boxed()
    }
}

impl RequestAuthentication {
    fn read(reader: &Reader<'_>) -> Option<Self> {
        let read = match reader.kind() {
            "Bearer" => Some(Self::Bearer),
            "ApiKey" => {
                let at = reader.required_child("inject_into").and_then(|child| RequestOption::read(&child));
                let token = reader.expression("api_token", Names::ANYWHERE | Names::SESSION_TOKEN);
                at.map(|at| Self::ApiKey { at, token })
            }
            _ => {
                reader.unsupported("Bearer, ApiKey");
                return None;
            }
        };
        reader.finish();
        read
    }

    fn inject(&self, token: &str, scope: &Scope) -> Result<Injection, String> {
        let Self::ApiKey { at, token: template } = self else { return Ok(bearer(token)) };
        let scope = scope.clone().with(Names::SESSION_TOKEN, token);
        let text = template.as_ref().map_or_else(|| Ok(token.to_owned()), |template| template.text(&scope));
        let text = text.map_err(|error| error.to_string())?;
        at.inject(Value::String(text), &scope).map_err(|error| error.to_string())
    }
}

/// The outer error is worth another try; the inner one says what a complete answer lacks.
fn token_of(text: &[u8], path: &[String]) -> Result<Result<String, String>, String> {
    let body: Value = serde_json::from_slice(text).map_err(|_| "the answer to the login is not JSON".to_owned())?;
    let body = match &body {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        other => other,
    };
    let found = path.iter().try_fold(body, |value, segment| match value {
        Value::Object(map) => map.get(segment),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    });
    Ok(match found {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => {
            let words = error_words(text);
            let words = if words.is_empty() { words } else { format!(": {words}") };
            Err(format!("the answer to the login holds no token at `{}`{words}", path.join(".")))
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_in_a_200_says_why() {
        let why =
            token_of(br#"{"error": "invalid_code", "sent": "s3cret"}"#, &["access_token".into()]).unwrap().unwrap_err();
        assert_eq!(why, "the answer to the login holds no token at `access_token`: invalid_code");
    }

    #[test]
    fn the_token_is_where_the_path_says_and_nothing_else_of_the_answer_shows() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let find = |body: &str, at: &str| token_of(body.as_bytes(), &path(at));
        assert_eq!(find(r#"{"data": {"token": "t1"}}"#, "data.token"), Ok(Ok("t1".into())));
        assert_eq!(find(r#"[{"tokens": [{"id": 7}]}]"#, "tokens.0.id"), Ok(Ok("7".into())));
        assert!(find("<html>", "token").is_err());
        for body in
            [r#"{"tokn": "s3cret"}"#, r#"{"token": ""}"#, r#"{"token": null}"#, "[]", r#"{"token": {"a": "s3cret"}}"#]
        {
            let why = find(body, "token").unwrap().unwrap_err();
            assert!(why.contains("no token at `token`") && !why.contains("s3cret"), "{why}");
        }
    }
}
