//! OAuthAuthenticator: a bearer token from a token endpoint, by client credentials or a refresh token, or a token that the settings hold.
//! All streams of an account share one login; one login at a time; a token is renewed before it expires and after a 401.
//!
//! `refresh_token_updater` (refresh tokens that can be used once) and profile assertions are refused by name: the first needs a store
//! that outlives a failed run, the second signs with private keys. Without `token_refresh_endpoint` the token of `access_token_value`
//! signs everything. The names of fields are templates. `scopes` is repeated in the form, as the reference engine sends it.

use super::authenticator::bearer;
use super::expression::{Expression, Scope};
use crate::http::account::Account;
use crate::http::client::{Answer, Body, Outgoing};
use crate::http::homes::home_of;
use crate::http::login::log_in;
use crate::http::send::SendError;
use crate::http::tokens::{Forgot, Token};
use crate::manifest::reader::Reader;
use crate::template::{Names, datetime};
use chrono::{DateTime, FixedOffset, Utc};
use reqwest::{Method, Url};
use serde_json::Value;
use std::time::Duration;

/// A token whose answer tells no lifetime.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct OAuthAuthenticator {
    endpoint: Option<Expression>,
    client_id: Option<Expression>,
    client_secret: Option<Expression>,
    refresh_token: Option<Expression>,
    grant_type: Option<Expression>,
    scopes: Vec<Expression>,
    /// What the fields are called in the request and in the answer, where they have other names than the usual ones.
    names: Vec<(&'static str, Expression)>,
    body: Vec<(Expression, Expression)>,
    headers: Vec<(Expression, Expression)>,
    by_query: bool,
    token: Option<Expression>,
    expiry: Option<Expression>,
    /// With it the expiry in an answer is a point in time.
    expiry_format: Option<String>,
}

impl OAuthAuthenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        const FIELDS: [(&str, &str); 6] = [
            ("client_id", "client_id_name"),
            ("client_secret", "client_secret_name"),
            ("refresh_token", "refresh_token_name"),
            ("grant_type", "grant_type_name"),
            ("access_token", "access_token_name"),
            ("expires_in", "expires_in_name"),
        ];
        let expression = |key: &str| reader.expression(key, Names::ANYWHERE);
        let names = FIELDS.iter().filter_map(|(field, key)| Some((*field, expression(key)?)));
        let oauth = Self {
            endpoint: expression("token_refresh_endpoint"),
            client_id: expression("client_id"),
            client_secret: expression("client_secret"),
            refresh_token: expression("refresh_token"),
            grant_type: expression("grant_type"),
            scopes: reader.expression_list("scopes", Names::ANYWHERE),
            names: names.collect(),
            body: reader.expressions("refresh_request_body", Names::ANYWHERE),
            headers: reader.expressions("refresh_request_headers", Names::ANYWHERE),
            by_query: reader.boolean("send_refresh_request_as_query_params", false),
            token: expression("access_token_value"),
            expiry: expression("token_expiry_date"),
            expiry_format: reader.text("token_expiry_date_format"),
        };
        let grant_type = reader.text("grant_type");
        if oauth.endpoint.is_none() && oauth.token.is_none() {
            reader.error("OAuthAuthenticator needs `token_refresh_endpoint` (or `access_token_value`)");
        } else if oauth.endpoint.is_some()
            && oauth.refresh_token.is_none()
            && grant_type.is_none_or(|grant_type| grant_type == "refresh_token")
        {
            reader.error("OAuthAuthenticator needs `refresh_token`, unless `grant_type` is another than refresh_token");
        }
        reader.refuse(&["refresh_token_updater", "use_profile_assertion", "profile_assertion"]);
        // By these the reference engine words the message of a refused login; every refusal is told as such here.
        reader.accept(&["refresh_token_error_status_codes", "refresh_token_error_key", "refresh_token_error_values"]);
        reader.finish();
        Some(oauth)
    }

    /// The token in force, after a login where there is none or it is about to expire.
    pub(crate) async fn token(&self, account: &Account, scope: &Scope) -> Result<String, SendError> {
        let failed = |error: String| SendError::Request(format!("the login: {error}"));
        let Some(endpoint) = &self.endpoint else { return self.own_token(scope).map_err(failed) };
        let outgoing = self.login_request(endpoint, scope).map_err(failed)?;
        let key = self.key_of(&outgoing, scope).map_err(failed)?;
        if let Some(token) = self.first_token(scope).map_err(failed)? {
            account.tokens.seed(&key, token).await;
        }
        let name = self.name("access_token", scope).map_err(failed)?;
        let expiry_name = self.name("expires_in", scope).map_err(failed)?;
        let read = |answer: &Answer| self.read_token(answer, &name, &expiry_name);
        account.tokens.get(&key, || log_in(account, &outgoing, &name, read)).await
    }

    /// The host of its token endpoint.
    pub(crate) fn home(&self, scope: &Scope) -> Option<Url> {
        self.endpoint.as_ref()?.text(scope).ok().as_deref().and_then(home_of)
    }

    /// Drops the token that signed a refused request, unless it has been replaced already.
    pub(crate) async fn forget(&self, account: &Account, scope: &Scope, signed: &Value) -> Forgot {
        if self.endpoint.is_none() {
            return Forgot::Fixed;
        }
        let Ok(key) = self.key(scope) else { return Forgot::Fixed };
        account.tokens.forget(&key, |token| bearer(token).value == *signed).await
    }

    /// Two streams share a login when they would log in with the same request and take the same field of its answer.
    pub(crate) fn key(&self, scope: &Scope) -> Result<String, String> {
        match &self.endpoint {
            Some(endpoint) => self.key_of(&self.login_request(endpoint, scope)?, scope),
            None => Ok(format!("oauth {}", self.own_token(scope)?)),
        }
    }

    fn key_of(&self, outgoing: &Outgoing, scope: &Scope) -> Result<String, String> {
        let name = self.name("access_token", scope)?;
        Ok(format!("oauth {name} {} {:?} {:?}", outgoing.url, outgoing.headers, outgoing.body))
    }

    fn name(&self, field: &str, scope: &Scope) -> Result<String, String> {
        let own = self.names.iter().find(|(name, _)| *name == field);
        own.map_or_else(|| Ok(field.to_owned()), |(_, name)| text(name, scope))
    }

    /// The token that the settings hold.
    fn own_token(&self, scope: &Scope) -> Result<String, String> {
        let token = self.token.as_ref().map(|token| text(token, scope)).transpose()?.unwrap_or_default();
        if token.is_empty() { Err("`access_token_value` is empty".into()) } else { Ok(token) }
    }

    /// The token that the settings hold, if they also tell that it is still good.
    fn first_token(&self, scope: &Scope) -> Result<Option<Token>, String> {
        let (Some(_), Some(expiry)) = (&self.token, &self.expiry) else { return Ok(None) };
        let (Ok(token), expiry) = (self.own_token(scope), text(expiry, scope)?) else { return Ok(None) };
        if expiry.is_empty() {
            return Ok(None);
        }
        let end = self.instant(&expiry).ok_or("`token_expiry_date` is no date-time")?;
        Ok(left_until(end).map(|left| Token::new(token, left)))
    }

    fn login_request(&self, endpoint: &Expression, scope: &Scope) -> Result<Outgoing, String> {
        let text = |expression: &Expression| text(expression, scope);
        let mut url = Url::parse(&text(endpoint)?).map_err(|_| "`token_refresh_endpoint` is no URL".to_owned())?;
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            headers.push((text(name)?, text(value)?));
        }
        let has = |header: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header));
        let by_header = has("authorization");
        if !has("accept") {
            headers.insert(0, ("accept".to_owned(), "application/json".to_owned()));
        }
        let grant_type = self.grant_type.as_ref().map_or_else(|| Ok("refresh_token".to_owned()), text)?;
        let mut form = vec![(self.name("grant_type", scope)?, grant_type)];
        for (field, value) in [("client_id", &self.client_id), ("client_secret", &self.client_secret)] {
            if let (false, Some(value)) = (by_header, value) {
                form.push((self.name(field, scope)?, text(value)?));
            }
        }
        if let Some(token) = &self.refresh_token {
            form.push((self.name("refresh_token", scope)?, text(token)?));
        }
        for one in &self.scopes {
            form.push(("scopes".into(), text(one)?));
        }
        for (name, value) in &self.body {
            let name = text(name)?;
            if form.iter().all(|(taken, _)| *taken != name) {
                form.push((name, text(value)?));
            }
        }
        let body = if self.by_query {
            url.query_pairs_mut().extend_pairs(&form);
            None
        } else {
            Some(Body::Form(form))
        };
        Ok(Outgoing { method: Method::POST, home: Some(url.clone()), url, headers, body, login: true, patience: None })
    }

    fn read_token(&self, answer: &Answer, name: &str, expiry_name: &str) -> Option<Token> {
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        let text = find(&body, name, 0)?.as_str().filter(|text| !text.is_empty())?.to_owned();
        let told = find(&body, expiry_name, 0).and_then(|value| match value {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        let lifetime = told.and_then(|told| {
            if self.expiry_format.is_some() {
                return self.instant(&told).map(|end| left_until(end).unwrap_or_default());
            }
            let seconds = told.parse().ok().filter(|seconds| (0.0..1e9).contains(seconds))?;
            Some(Duration::from_secs_f64(seconds))
        });
        Some(Token::new(text, lifetime.unwrap_or(DEFAULT_LIFETIME)))
    }

    /// A point in time: by the format, else as ISO 8601 or epoch seconds (which is how the reference engine reads it).
    fn instant(&self, text: &str) -> Option<DateTime<FixedOffset>> {
        let by_format = self.expiry_format.as_ref().and_then(|format| datetime::parse(text, format).ok());
        let epoch = || text.parse::<f64>().ok().filter(|seconds| seconds.abs() > 1e6);
        let epoch = || epoch().and_then(|_| datetime::parse(text, "%s_as_float").ok());
        by_format.or_else(epoch).or_else(|| datetime::parse_iso(text).ok())
    }
}

fn text(expression: &Expression, scope: &Scope) -> Result<String, String> {
    expression.text(scope).map_err(|error| error.to_string())
}

fn left_until(end: DateTime<FixedOffset>) -> Option<Duration> {
    (end.to_utc() - Utc::now()).to_std().ok()
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

    #[test]
    fn an_expiry_is_seconds_or_with_a_format_a_point_in_time() {
        let bare = || OAuthAuthenticator {
            endpoint: None,
            client_id: None,
            client_secret: None,
            refresh_token: None,
            grant_type: None,
            scopes: Vec::new(),
            names: Vec::new(),
            body: Vec::new(),
            headers: Vec::new(),
            by_query: false,
            token: None,
            expiry: None,
            expiry_format: None,
        };
        let seconds = |oauth: &OAuthAuthenticator, expiry: Value| {
            let body = json!({"access_token": "t", "expires_in": expiry}).to_string().into_bytes();
            let headers = reqwest::header::HeaderMap::new();
            let (foreign, named, kept, cut) = (false, false, None, false);
            let answer = Answer { status: 200, headers, body: body.into(), foreign, named, kept, cut };
            oauth.read_token(&answer, "access_token", "expires_in").unwrap().left().as_secs_f64()
        };
        let about = |found: f64, lifetime: f64| (found - (lifetime - (lifetime / 10.0).min(60.0))).abs() < 5.0;
        let plain = bare();
        for (expiry, lifetime) in
            [(json!(900), 900.0), (json!("900"), 900.0), (json!(null), 3600.0), (json!("soon"), 3600.0)]
        {
            assert!(about(seconds(&plain, expiry.clone()), lifetime), "{expiry}");
        }
        let dated = OAuthAuthenticator { expiry_format: Some("%Y-%m-%d %H:%M:%S".into()), ..bare() };
        let end = Utc::now() + chrono::TimeDelta::seconds(900);
        for expiry in [
            json!(end.format("%Y-%m-%d %H:%M:%S").to_string()),
            json!(end.to_rfc3339()),
            json!(end.timestamp()),
            json!(end.timestamp().to_string()),
        ] {
            assert!(about(seconds(&dated, expiry.clone()), 900.0), "{expiry}");
        }
        assert_eq!(seconds(&dated, json!("2001-01-01")), 0.0, "over already");
    }
}
