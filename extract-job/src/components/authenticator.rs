//! What a requester's `authenticator` can be: each kind turns the settings into values that go into the request.

use super::api_key_authenticator::ApiKeyAuthenticator;
use super::basic_http_authenticator::BasicHttpAuthenticator;
use super::bearer_authenticator::BearerAuthenticator;
use super::expression::Scope;
use super::oauth_authenticator::OAuthAuthenticator;
use super::request_option::{Injection, Place};
use crate::http::account::Account;
use crate::http::send::SendError;
use crate::manifest::reader::Reader;
use serde_json::Value;

#[derive(Debug)]
pub(crate) enum Authenticator {
    NoAuth,
    Bearer(BearerAuthenticator),
    ApiKey(ApiKeyAuthenticator),
    Basic(BasicHttpAuthenticator),
    OAuth(Box<OAuthAuthenticator>),
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
            "OAuthAuthenticator" => OAuthAuthenticator::read(reader).map(|oauth| Self::OAuth(Box::new(oauth))),
            _ => {
                reader.unsupported(
                    "NoAuth, BearerAuthenticator, ApiKeyAuthenticator, BasicHttpAuthenticator, OAuthAuthenticator",
                );
                None
            }
        }
    }

    /// What signs a request, logging in first where that is needed.
    pub(crate) async fn sign(&self, account: &Account, scope: &Scope) -> Result<Vec<Injection>, SendError> {
        let failed = |error: String| SendError::Request(format!("the authenticator: {error}"));
        match self {
            Self::NoAuth => Ok(Vec::new()),
            Self::Bearer(bearer) => Ok(vec![bearer.sign(scope).map_err(failed)?]),
            Self::ApiKey(key) => key.sign(scope).map_err(failed),
            Self::Basic(basic) => Ok(vec![basic.sign(scope).map_err(failed)?]),
            Self::OAuth(oauth) => oauth.token(account, scope).await.map(|token| vec![bearer(&token)]),
        }
    }

    /// Drops the login that signed a refused request. Whether a new login may help.
    pub(crate) async fn forget(&self, account: &Account, scope: &Scope, signed: &[Injection]) -> bool {
        match (self, signed) {
            (Self::OAuth(oauth), [injection]) => oauth.forget(account, scope, &injection.value).await,
            _ => false,
        }
    }
}

/// `Authorization: Bearer …`.
pub(crate) fn bearer(token: &str) -> Injection {
    authorization(format!("Bearer {token}"))
}

pub(crate) fn authorization(value: String) -> Injection {
    Injection { place: Place::Header, field: vec!["Authorization".into()], value: Value::String(value) }
}
