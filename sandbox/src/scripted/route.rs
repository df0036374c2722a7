//! A scripted answer and the requests that it is for.
//! The first route that fits a request and is not used up answers it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::request::Request;

/// An answer, and what it answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The method; none fits any.
    #[serde(default)]
    pub method: Option<String>,
    /// The path as it is sent, without the query.
    pub path: String,
    /// What must hold besides.
    #[serde(default)]
    pub when: Conditions,
    /// Used up after so many answers; none: never.
    #[serde(default)]
    pub times: Option<usize>,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A text is sent as it is, anything else as JSON. `$URL` in it is the server's address.
    #[serde(default)]
    pub body: Value,
}

/// Conditions on parts of a request; all must hold. Null asks that the part is not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Query parameters: a text, or a list when the parameter is repeated.
    #[serde(default)]
    pub parameter: BTreeMap<String, Value>,
    #[serde(default)]
    pub header: BTreeMap<String, Value>,
    /// Fields of a JSON object or of a form.
    #[serde(default)]
    pub body: BTreeMap<String, Value>,
}

fn ok() -> u16 {
    200
}

impl Route {
    pub(super) fn fits(&self, request: &Request) -> bool {
        self.times != Some(0)
            && self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.path == request.path
            && self.when.hold(request)
    }
}

impl Conditions {
    fn hold(&self, request: &Request) -> bool {
        let texts = |wanted: &BTreeMap<String, Value>, found: &dyn Fn(&str) -> Vec<String>| {
            wanted.iter().all(|(name, value)| match value {
                Value::Null => found(name).is_empty(),
                Value::Array(items) => found(name) == items.iter().map(text).collect::<Vec<_>>(),
                one => found(name) == [text(one)],
            })
        };
        texts(&self.parameter, &|name| request.parameter(name))
            && texts(&self.header, &|name| request.header(name).map(str::to_owned).into_iter().collect())
            && self.body.iter().all(|(name, value)| {
                let found = request.field(name).unwrap_or(Value::Null);
                found == *value || (!value.is_null() && found.as_str() == Some(&text(value)))
            })
    }
}

/// A value as it stands in a query, a header or a form.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
