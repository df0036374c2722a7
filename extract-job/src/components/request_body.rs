//! What a requester puts into the body: `request_body` (RequestBodyPlainText, RequestBodyUrlEncodedForm, RequestBodyJsonObject,
//! RequestBodyGraphQL, each with its `value`), or the older `request_body_data` and `request_body_json`; one of them at most.
//!
//! As in the reference engine a text of `request_body_data` that comes out as a mapping is sent as a form, any other as it is.
//! Two deviations: RequestBodyPlainText always goes out as it is (there, a text that happens to read as a Python mapping becomes a
//! form), and a text of `request_body_json` that is JSON but no Python literal is understood, while one that is neither is an error.

use super::expression::{Expression, Scope};
use super::json_template::JsonTemplate;
use super::request_input::{Pair, RequestInput, mapping};
use crate::manifest::reader::Reader;
use crate::template::Names;
use contract::yaml::Kind;
use serde_json::{Map, Value};

#[derive(Debug, Default)]
pub(crate) enum RequestBody {
    #[default]
    None,
    Form(RequestInput),
    /// A form if it comes out as a mapping.
    FormOrText(Expression),
    Text(Expression),
    Json(JsonTemplate),
    JsonText(Expression),
}

/// A body before the paginator, the cursor and the authenticator have added to it.
#[derive(Debug, PartialEq)]
pub(crate) enum OwnBody {
    None,
    Form(Vec<Pair>),
    Text(String),
    Json(Map<String, Value>),
}

impl RequestBody {
    pub(crate) fn read(reader: &Reader<'_>) -> Self {
        let keys = ["request_body", "request_body_data", "request_body_json"];
        let given: Vec<&str> = keys.into_iter().filter(|key| reader.has(key)).collect();
        if let [first, second, ..] = given.as_slice() {
            reader.error(format!("has both `{first}` and `{second}`"));
            reader.accept(&keys);
            return Self::None;
        }
        let text = |key: &str| match reader.get(key).map(|node| &node.kind) {
            Some(Kind::String(_)) => reader.expression(key, Names::REQUEST),
            _ => None,
        };
        match given.first().copied() {
            Some("request_body") => reader.child("request_body").map(|child| Self::read_typed(&child)),
            Some("request_body_data") => match text("request_body_data") {
                Some(text) => Some(Self::FormOrText(text)),
                None => Some(Self::Form(RequestInput::read(reader, "request_body_data"))),
            },
            Some(key) => match text(key) {
                Some(text) => Some(Self::JsonText(text)),
                None => read_json(reader, key),
            },
            None => None,
        }
        .unwrap_or_default()
    }

    fn read_typed(reader: &Reader<'_>) -> Self {
        reader.required("value");
        let body = match reader.kind() {
            "RequestBodyPlainText" => reader.expression("value", Names::REQUEST).map(Self::Text),
            "RequestBodyUrlEncodedForm" => {
                if !matches!(reader.get("value").map(|node| &node.kind), None | Some(Kind::Map(_))) {
                    reader.error_at("value", "must be a mapping");
                }
                Some(Self::Form(RequestInput::read(reader, "value")))
            }
            "RequestBodyJsonObject" => read_json(reader, "value"),
            "RequestBodyGraphQL" => {
                if reader.get("value").is_some_and(|value| value.get("query").is_none()) {
                    reader.error_at("value", "needs `query`");
                }
                read_json(reader, "value")
            }
            _ => {
                reader.unsupported(
                    "RequestBodyPlainText, RequestBodyUrlEncodedForm, RequestBodyJsonObject, RequestBodyGraphQL",
                );
                return Self::None;
            }
        };
        reader.finish();
        body.unwrap_or_default()
    }

    /// The body by itself; what comes out empty is none.
    ///
    /// # Errors
    /// A template that cannot be evaluated, or whose result cannot be such a body.
    pub(crate) fn own(&self, scope: &Scope) -> Result<OwnBody, String> {
        let said = |error: super::expression::ExpressionError| format!("the body: {error}");
        Ok(match self {
            Self::None => OwnBody::None,
            Self::Form(input) => form(input.pairs(scope).map_err(|why| format!("the body: {why}"))?),
            Self::Text(text) => raw(text.text(scope).map_err(said)?),
            Self::FormOrText(text) => match text.value(scope).ok().as_ref().and_then(mapping) {
                Some(pairs) => form(pairs.map_err(|why| format!("the body: {why}"))?),
                None => raw(text.text(scope).map_err(said)?),
            },
            Self::Json(template) => match template.value(scope).map_err(|why| format!("the body: {why}"))? {
                Some(Value::Object(map)) => json(map),
                _ => OwnBody::None,
            },
            Self::JsonText(text) => match text.option(scope).map_err(said)? {
                None => OwnBody::None,
                Some(Value::Object(map)) => json(map),
                Some(Value::String(text)) => match serde_json::from_str(&text) {
                    Ok(Value::Object(map)) => json(map),
                    _ => return Err("the body: `request_body_json` gives neither a mapping nor a JSON object".into()),
                },
                Some(_) => return Err("the body: `request_body_json` gives no mapping".into()),
            },
        })
    }
}

fn read_json(reader: &Reader<'_>, key: &str) -> Option<RequestBody> {
    let node = reader.get(key)?;
    if !matches!(node.kind, Kind::Map(_)) {
        reader.error_at(key, "must be a mapping");
        return None;
    }
    JsonTemplate::read(reader, key, node).map(RequestBody::Json)
}

fn form(pairs: Vec<Pair>) -> OwnBody {
    if pairs.is_empty() { OwnBody::None } else { OwnBody::Form(pairs) }
}

fn raw(text: String) -> OwnBody {
    if text.is_empty() { OwnBody::None } else { OwnBody::Text(text) }
}

fn json(map: Map<String, Value>) -> OwnBody {
    if map.is_empty() { OwnBody::None } else { OwnBody::Json(map) }
}
