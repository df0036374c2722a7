//! Headers, query parameters and form fields: a mapping of templates, or one template that gives the whole mapping.
//! Where the reference engine quietly sends nothing because a template gives no mapping, this is an error.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use contract::yaml::Kind;
use serde_json::Value;

/// A name and its values: several repeat the name.
pub(crate) type Pair = (String, Vec<String>);

#[derive(Debug)]
pub(crate) enum RequestInput {
    Map(Vec<(Expression, Expression)>),
    Text(Expression),
}

impl Default for RequestInput {
    fn default() -> Self {
        Self::Map(Vec::new())
    }
}

impl RequestInput {
    pub(crate) fn read(reader: &Reader<'_>, key: &str) -> Self {
        let Some(node) = reader.get(key) else { return Self::default() };
        if let Kind::String(text) = &node.kind {
            return reader.parse(key, text, Names::REQUEST, node.line).map(Self::Text).unwrap_or_default();
        }
        let mut components = node.entries().iter().filter(|entry| entry.value.get("type").is_some());
        if let Some(entry) = components.next() {
            let kind = entry.value.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
            reader.error_at(key, format!("holds a component ({kind}) at `{}`, which is not supported", entry.key));
            return Self::default();
        }
        Self::Map(reader.expressions(key, Names::REQUEST))
    }

    /// Parameters and form fields: lists repeat their name, what comes out empty is left out.
    pub(crate) fn pairs(&self, scope: &Scope) -> Result<Vec<Pair>, String> {
        match self {
            Self::Map(entries) => {
                let mut pairs = Vec::new();
                for (name, value) in entries {
                    let name = name.text(scope).map_err(|error| error.to_string())?;
                    if let Some(values) = value.parameter(scope).map_err(|error| format!("`{name}`: {error}"))? {
                        pairs.push((name, values));
                    }
                }
                Ok(pairs)
            }
            Self::Text(text) => match text.option(scope).map_err(|error| error.to_string())? {
                None => Ok(Vec::new()),
                Some(value) => mapping(&value).ok_or_else(|| "the template gives no mapping".to_owned())?,
            },
        }
    }

    /// Headers: what comes out empty is left out.
    pub(crate) fn headers(&self, scope: &Scope) -> Result<Vec<(String, String)>, String> {
        match self {
            Self::Map(entries) => {
                let mut headers = Vec::new();
                for (name, value) in entries {
                    if let Some(value) = value.header(scope).map_err(|error| error.to_string())? {
                        headers.push((name.text(scope).map_err(|error| error.to_string())?, value));
                    }
                }
                Ok(headers)
            }
            Self::Text(_) => {
                let pairs = self.pairs(scope)?.into_iter();
                Ok(pairs.map(|(name, values)| (name, values.join(", "))).collect())
            }
        }
    }
}

/// The entries of a mapping as text, nulls left out; nothing if the value is no mapping.
pub(crate) fn mapping(value: &Value) -> Option<Result<Vec<Pair>, String>> {
    let text = crate::template::python_text;
    let pair = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::Object(_) => Some(Err(format!("`{name}` cannot be a mapping"))),
        Value::Array(items) => {
            let items = items.iter().filter(|item| !item.is_null()).map(text).collect();
            Some(Ok((name.clone(), items)))
        }
        value => Some(Ok((name.clone(), vec![text(value)]))),
    };
    Some(value.as_object()?.iter().filter_map(pair).collect())
}
