//! What a requester's `authenticator` can be: each kind turns the settings into values that go into the request.
//! JwtAuthenticator, LegacySessionTokenAuthenticator, RateLimitedMultipleTokenAuthenticator and custom ones are refused by name.

use super::api_key_authenticator::ApiKeyAuthenticator;
use super::basic_http_authenticator::BasicHttpAuthenticator;
use super::bearer_authenticator::BearerAuthenticator;
use super::expression::Scope;
use super::oauth_authenticator::OAuthAuthenticator;
use super::request_option::{Injection, Place};
use super::selective_authenticator::SelectiveAuthenticator;
use super::session_token_authenticator::SessionTokenAuthenticator;
use crate::http::account::Account;
use crate::http::send::SendError;
use crate::http::tokens::Forgot;
use crate::manifest::reader::Reader;
use contract::unit::Unit;
use reqwest::Url;
use serde_json::Value;

const SUPPORTED: &str = "NoAuth, BearerAuthenticator, ApiKeyAuthenticator, BasicHttpAuthenticator, OAuthAuthenticator, \
                         SessionTokenAuthenticator, SelectiveAuthenticator";

#[derive(Debug)]
pub(crate) enum Authenticator {
    NoAuth,
    Bearer(BearerAuthenticator),
    ApiKey(ApiKeyAuthenticator),
    Basic(BasicHttpAuthenticator),
    OAuth(Box<OAuthAuthenticator>),
    SessionToken(Box<SessionTokenAuthenticator>),
    Selective(Box<SelectiveAuthenticator>),
}

impl Authenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "NoAuth" => {
                reader.finish();
                Some(Self::NoAuth)
            }
            "BearerAuthenticator" => BearerAuthenticator::read(reader).map(Self::Bearer),
            "ApiKeyAuthenticator" => ApiKeyAuthenticator::read(reader).map(Self::ApiKey),
            "BasicHttpAuthenticator" => BasicHttpAuthenticator::read(reader).map(Self::Basic),
            "OAuthAuthenticator" => OAuthAuthenticator::read(reader).map(Box::new).map(Self::OAuth),
            "SessionTokenAuthenticator" => {
                SessionTokenAuthenticator::read(reader).map(Box::new).map(Self::SessionToken)
            }
            "SelectiveAuthenticator" => SelectiveAuthenticator::read(reader).map(Box::new).map(Self::Selective),
            _ => {
                reader.unsupported(SUPPORTED);
                None
            }
        }
    }

    /// What signs a request, logging in first where that is needed.
    pub(crate) async fn sign(
        &self,
        account: &Account,
        unit: &Unit,
        scope: &Scope,
    ) -> Result<Vec<Injection>, SendError> {
        match self.selected(scope).map_err(failed)? {
            Self::OAuth(oauth) => oauth.token(account, scope).await.map(|token| vec![bearer(&token)]),
            Self::SessionToken(session) => session.sign(account, unit, scope).await.map(|injection| vec![injection]),
            fixed => fixed.fixed(scope).map_err(failed),
        }
    }

    /// The hosts that it logs in at, as the settings alone tell them.
    pub(crate) fn homes(&self, scope: &Scope) -> Vec<Url> {
        match self {
            Self::OAuth(oauth) => oauth.home(scope).into_iter().collect(),
            Self::SessionToken(session) => session.homes(scope),
            Self::Selective(selective) => selective.select(scope).map(|chosen| chosen.homes(scope)).unwrap_or_default(),
            Self::NoAuth | Self::Bearer(_) | Self::ApiKey(_) | Self::Basic(_) => Vec::new(),
        }
    }

    /// Drops the login that signed a refused request. Whether a new login may help.
    pub(crate) async fn forget(&self, account: &Account, scope: &Scope, signed: &[Injection]) -> Forgot {
        match (self.selected(scope), signed) {
            (Ok(Self::OAuth(oauth)), [injection]) => oauth.forget(account, scope, &injection.value).await,
            (Ok(Self::SessionToken(session)), [injection]) => session.forget(account, scope, injection).await,
            _ => Forgot::Fixed,
        }
    }

    /// Whose requests it signs: the same for every request of a run, whatever the token in force. Holds secrets.
    pub(crate) fn key(&self, account: &Account, scope: &Scope) -> Result<String, String> {
        match self.selected(scope)? {
            Self::OAuth(oauth) => oauth.key(scope),
            Self::SessionToken(session) => session.key(account, scope),
            fixed => Ok(format!("{:?}", fixed.fixed(scope)?)),
        }
    }

    /// What signs a request without any login.
    fn fixed(&self, scope: &Scope) -> Result<Vec<Injection>, String> {
        match self {
            Self::Bearer(bearer) => Ok(vec![bearer.sign(scope)?]),
            Self::ApiKey(key) => key.sign(scope),
            Self::Basic(basic) => Ok(vec![basic.sign(scope)?]),
            Self::NoAuth | Self::OAuth(_) | Self::SessionToken(_) | Self::Selective(_) => Ok(Vec::new()),
        }
    }

    /// This one, or the one that the settings choose.
    fn selected(&self, scope: &Scope) -> Result<&Self, String> {
        match self {
            Self::Selective(selective) => selective.select(scope)?.selected(scope),
            other => Ok(other),
        }
    }
}

fn failed(why: String) -> SendError {
    SendError::Request(format!("the authenticator: {why}"))
}

/// `Authorization: Bearer …`.
pub(crate) fn bearer(token: &str) -> Injection {
    authorization(format!("Bearer {token}"))
}

pub(crate) fn authorization(value: String) -> Injection {
    Injection { place: Place::Header, field: vec!["Authorization".into()], value: Value::String(value) }
}
