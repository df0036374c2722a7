//! BearerAuthenticator: a fixed token in the Authorization header.

use super::authenticator::bearer;
use super::expression::{Expression, Scope};
use super::request_option::Injection;
use crate::manifest::reader::Reader;
use crate::template::Names;

#[derive(Debug)]
pub(crate) struct BearerAuthenticator {
    api_token: Expression,
}

impl BearerAuthenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let api_token = reader.required_expression("api_token", Names::ANYWHERE);
        reader.finish();
        Some(Self { api_token: api_token? })
    }

    pub(crate) fn sign(&self, scope: &Scope) -> Result<Injection, String> {
        self.api_token.text(scope).map(|token| bearer(&token)).map_err(|error| error.to_string())
    }
}
