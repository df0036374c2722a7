//! ApiKeyAuthenticator: a fixed key at a place of the request (`inject_into`), or in a header (the older `header`), never both.

use super::expression::{Expression, Scope};
use super::request_option::{Injection, Place, RequestOption};
use crate::manifest::reader::Reader;
use crate::template::Names;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct ApiKeyAuthenticator {
    api_token: Option<Expression>,
    at: At,
}

#[derive(Debug)]
enum At {
    Option(RequestOption),
    Header(Expression),
}

impl ApiKeyAuthenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let api_token = reader.expression("api_token", Names::ANYWHERE);
        let at = match reader.child("inject_into") {
            Some(child) => RequestOption::read(&child).map(At::Option),
            None => reader.expression("header", Names::ANYWHERE).map(At::Header),
        };
        match (reader.has("inject_into"), reader.has("header")) {
            (false, false) => reader.error("ApiKeyAuthenticator needs `inject_into`"),
            (true, true) => reader.error_at("header", "and `inject_into` exclude each other"),
            _ => {}
        }
        reader.finish();
        Some(Self { api_token, at: at? })
    }

    pub(crate) fn sign(&self, scope: &Scope) -> Result<Vec<Injection>, String> {
        let Some(token) = &self.api_token else { return Ok(Vec::new()) };
        let token = Value::String(token.text(scope).map_err(|error| error.to_string())?);
        let injection = match &self.at {
            At::Option(option) => option.inject(token, scope).map_err(|error| error.to_string())?,
            At::Header(name) => {
                let name = name.text(scope).map_err(|error| error.to_string())?;
                Injection { place: Place::Header, field: vec![name], value: token }
            }
        };
        Ok(vec![injection])
    }
}
