//! A request as the scripted server saw it, taken apart for those who compare requests.
//! Secrets are kept: this server is for tests that made them up.

use serde_json::{Map, Value};

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query's parameters, decoded, in their order.
    pub parameters: Vec<(String, String)>,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Whether a route answered it.
    pub answered: bool,
}

impl Request {
    /// The values of a query parameter.
    pub fn parameter(&self, name: &str) -> Vec<String> {
        self.parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// The value of a header; the name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, as an object of form fields (repeated ones as lists), as text, or null when there is none.
    pub fn content(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        let is_form =
            self.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form {
            return Value::Object(form(&self.body));
        }
        serde_json::from_str(&self.body).unwrap_or_else(|_| Value::String(self.body.clone()))
    }

    pub(super) fn field(&self, name: &str) -> Option<Value> {
        self.content().get(name).cloned()
    }
}

fn form(body: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(body.as_bytes()) {
        let value = Value::from(value.into_owned());
        match fields.get_mut(name.as_ref()) {
            None => {
                fields.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    fields
}
