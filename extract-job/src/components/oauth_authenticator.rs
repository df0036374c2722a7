//! OAuthAuthenticator: a bearer token from a token endpoint, by client credentials or a refresh token.
//! All streams of an account share one login; one login at a time; a token is renewed before it expires and after a 401.

use super::authenticator::bearer;
use super::expression::{Expression, Scope};
use crate::http::account::Account;
use crate::http::client::{Answer, Body, ExchangeError, Outgoing};
use crate::http::retry::{Tries, retry_after_of};
use crate::http::send::SendError;
use crate::http::tokens::Token;
use crate::manifest::reader::Reader;
use crate::template::Names;
use reqwest::{Method, Url};
use serde_json::Value;
use std::time::Duration;

/// A token whose answer tells no lifetime.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);
const LOGIN_RETRIES: u32 = 5;

#[derive(Debug)]
pub(crate) struct OAuthAuthenticator {
    endpoint: Expression,
    client_id: Option<Expression>,
    client_secret: Option<Expression>,
    refresh_token: Option<Expression>,
    grant_type: Option<Expression>,
    scopes: Vec<Expression>,
    names: FieldNames,
    body: Vec<(Expression, Expression)>,
    headers: Vec<(Expression, Expression)>,
}

/// What the fields are called in the request and in the answer.
#[derive(Debug)]
struct FieldNames {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    grant_type: String,
    access_token: String,
    expires_in: String,
}

impl OAuthAuthenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let name = |key: &str, default: &str| reader.text(key).unwrap_or_else(|| default.to_owned());
        let endpoint = reader.required_expression("token_refresh_endpoint", Names::ANYWHERE);
        let expression = |key: &str| reader.expression(key, Names::ANYWHERE);
        let oauth = Self {
            endpoint: endpoint?,
            client_id: expression("client_id"),
            client_secret: expression("client_secret"),
            refresh_token: expression("refresh_token"),
            grant_type: expression("grant_type"),
            scopes: reader.expression_list("scopes", Names::ANYWHERE),
            names: FieldNames {
                client_id: name("client_id_name", "client_id"),
                client_secret: name("client_secret_name", "client_secret"),
                refresh_token: name("refresh_token_name", "refresh_token"),
                grant_type: name("grant_type_name", "grant_type"),
                access_token: name("access_token_name", "access_token"),
                expires_in: name("expires_in_name", "expires_in"),
            },
            body: reader.expressions("refresh_request_body", Names::ANYWHERE),
            headers: reader.expressions("refresh_request_headers", Names::ANYWHERE),
        };
        reader.refuse(&[
            "access_token_value",
            "token_expiry_date",
            "token_expiry_date_format",
            "send_refresh_request_as_query_params",
            "refresh_token_updater",
            "use_profile_assertion",
            "profile_assertion",
            "refresh_token_error_status_codes",
            "refresh_token_error_key",
            "refresh_token_error_values",
        ]);
        reader.finish();
        Some(oauth)
    }

    /// The token in force, after a login where there is none or it is about to expire.
    pub(crate) async fn token(&self, account: &Account, scope: &Scope) -> Result<String, SendError> {
        let outgoing = self.login_request(scope).map_err(|error| SendError::Request(format!("the login: {error}")))?;
        account.tokens.get(&key(&outgoing), || log_in(account, &outgoing, &self.names)).await
    }

    /// Drops the token that signed a refused request, unless it has been replaced already.
    pub(crate) async fn forget(&self, account: &Account, scope: &Scope, signed: &Value) -> bool {
        let Ok(outgoing) = self.login_request(scope) else { return false };
        account.tokens.forget(&key(&outgoing), |token| bearer(token).value == *signed).await;
        true
    }

    fn login_request(&self, scope: &Scope) -> Result<Outgoing, String> {
        let text = |expression: &Expression| expression.text(scope).map_err(|error| error.to_string());
        let url = Url::parse(&text(&self.endpoint)?).map_err(|_| "`token_refresh_endpoint` is no URL".to_owned())?;
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        for (name, value) in &self.headers {
            headers.push((text(name)?, text(value)?));
        }
        let by_header = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let grant_type = self.grant_type.as_ref().map_or_else(|| Ok("refresh_token".to_owned()), text)?;
        let mut form = vec![(self.names.grant_type.clone(), grant_type)];
        let credentials = [(&self.names.client_id, &self.client_id), (&self.names.client_secret, &self.client_secret)];
        for (name, value) in credentials {
            if let (false, Some(value)) = (by_header, value) {
                form.push((name.clone(), text(value)?));
            }
        }
        if let Some(token) = &self.refresh_token {
            form.push((self.names.refresh_token.clone(), text(token)?));
        }
        if !self.scopes.is_empty() {
            let scopes = self.scopes.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            form.push(("scopes".into(), scopes.join(" ")));
        }
        for (name, value) in &self.body {
            let name = text(name)?;
            if form.iter().all(|(taken, _)| *taken != name) {
                form.push((name, text(value)?));
            }
        }
        Ok(Outgoing { method: Method::POST, home: url.clone(), url, headers, body: Some(Body::Form(form)) })
    }
}

/// Two streams share a login when they would log in with the same request.
fn key(outgoing: &Outgoing) -> String {
    format!("{} {:?} {:?}", outgoing.url, outgoing.headers, outgoing.body)
}

async fn log_in(account: &Account, outgoing: &Outgoing, names: &FieldNames) -> Result<Token, SendError> {
    let mut tries = Tries::new(account.waits, LOGIN_RETRIES);
    loop {
        let (why, retry_after) = match account.client.exchange(outgoing, 0, &account.redactor).await {
            Ok(answer) if (200..300).contains(&answer.status) => match read_token(&answer, names) {
                Some(token) => {
                    account.redactor.add(&token.text);
                    tracing::debug!(account = %account.label, "logged in");
                    return Ok(token);
                }
                None => (format!("the answer holds no `{}`", names.access_token), None),
            },
            Ok(answer) if matches!(answer.status, 408 | 429 | 500..) => {
                (format!("the token endpoint answered {}", answer.status), retry_after_of(&answer.headers))
            }
            Ok(answer) => return Err(SendError::Login(refusal(account, &answer))),
            Err(ExchangeError::Refused(why)) => return Err(SendError::Login(account.redactor.clean(&why))),
            Err(ExchangeError::Transport(why)) => (why, None),
        };
        let why = account.redactor.clean(&format!("{}: {why}", outgoing.url));
        tries.again(None, retry_after, &why).await.map_err(SendError::LoginUnavailable)?;
        tracing::warn!(account = %account.label, reason = %why, "login failed, trying again");
    }
}

/// Only the two fields that the standard gives errors: the rest of the body may repeat what was sent.
fn refusal(account: &Account, answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words: Vec<&str> =
        ["error", "error_description"].iter().filter_map(|field| body.get(field)?.as_str()).collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    account.redactor.clean(&format!("the token endpoint refused the credentials ({}{words})", answer.status))
}

fn read_token(answer: &Answer, names: &FieldNames) -> Option<Token> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let text = find(&body, &names.access_token, 0)?.as_str().filter(|text| !text.is_empty())?.to_owned();
    let lifetime = find(&body, &names.expires_in, 0).and_then(|value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    });
    let lifetime = lifetime.filter(|seconds| (0.0..1e9).contains(seconds)).map(Duration::from_secs_f64);
    Some(Token::new(text, lifetime.unwrap_or(DEFAULT_LIFETIME)))
}

/// A field of the answer, up to five levels down.
fn find<'a>(value: &'a Value, name: &str, depth: usize) -> Option<&'a Value> {
    if depth > 5 {
        return None;
    }
    match value {
        Value::Object(map) => map.get(name).or_else(|| map.values().find_map(|inner| find(inner, name, depth + 1))),
        Value::Array(items) => items.iter().find_map(|inner| find(inner, name, depth + 1)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_token_is_found_in_depth() {
        let body = json!({"data": [{"auth": {"access_token": "t", "expires_in": "900"}}]});
        assert_eq!(find(&body, "access_token", 0), Some(&json!("t")));
        assert_eq!(find(&body, "none", 0), None);
        let mut deep = json!({"access_token": "t"});
        for _ in 0..7 {
            deep = json!({ "a": deep });
        }
        assert_eq!(find(&deep, "access_token", 0), None);
    }
}
