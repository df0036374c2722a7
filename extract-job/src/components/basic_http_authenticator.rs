//! BasicHttpAuthenticator: user name and password in the Authorization header.

use super::authenticator::authorization;
use super::expression::{Expression, Scope};
use super::request_option::Injection;
use crate::manifest::reader::Reader;
use crate::template::Names;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

#[derive(Debug)]
pub(crate) struct BasicHttpAuthenticator {
    username: Expression,
    password: Option<Expression>,
}

impl BasicHttpAuthenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let username = reader.required_expression("username", Names::ANYWHERE);
        let password = reader.expression("password", Names::ANYWHERE);
        reader.finish();
        Some(Self { username: username?, password })
    }

    pub(crate) fn sign(&self, scope: &Scope) -> Result<Injection, String> {
        let text = |expression: &Expression| expression.text(scope).map_err(|error| error.to_string());
        let username = text(&self.username)?;
        let password = self.password.as_ref().map_or(Ok(String::new()), text)?;
        Ok(authorization(format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))))
    }
}
