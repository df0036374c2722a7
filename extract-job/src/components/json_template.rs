//! A tree of templates that becomes a JSON body: keys, values and list items are all templates, whose results are typed.
//! Entries of mappings that come out empty are left out; items of lists stay, as null.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use contract::yaml::{Kind, Node};
use serde_json::{Map, Value};

#[derive(Debug)]
pub(crate) enum JsonTemplate {
    Fixed(Value),
    Text(Expression),
    List(Vec<JsonTemplate>),
    Map(Vec<(Expression, JsonTemplate)>),
}

impl JsonTemplate {
    pub(crate) fn read(reader: &Reader<'_>, key: &str, node: &Node) -> Option<Self> {
        Some(match &node.kind {
            Kind::String(text) => Self::Text(reader.parse(key, text, Names::REQUEST, node.line)?),
            Kind::Seq(items) => Self::List(items.iter().filter_map(|item| Self::read(reader, key, item)).collect()),
            Kind::Map(entries) => Self::Map(
                entries
                    .iter()
                    .filter_map(|entry| {
                        let name = reader.parse(key, &entry.key, Names::REQUEST, entry.line)?;
                        Some((name, Self::read(reader, key, &entry.value)?))
                    })
                    .collect(),
            ),
            _ => Self::Fixed(node.to_json()),
        })
    }

    /// The value, or nothing where it comes out empty.
    pub(crate) fn value(&self, scope: &Scope) -> Result<Option<Value>, String> {
        Ok(match self {
            Self::Fixed(value) => (!value.is_null()).then(|| value.clone()),
            Self::Text(text) => text.option(scope).map_err(|error| error.to_string())?.filter(|value| !value.is_null()),
            Self::List(items) => {
                let values = items.iter().map(|item| Ok(item.value(scope)?.unwrap_or(Value::Null)));
                Some(Value::Array(values.collect::<Result<_, String>>()?))
            }
            Self::Map(entries) => {
                let mut map = Map::new();
                for (name, template) in entries {
                    if let Some(value) = template.value(scope)? {
                        map.insert(name.text(scope).map_err(|error| error.to_string())?, value);
                    }
                }
                Some(Value::Object(map))
            }
        })
    }
}
