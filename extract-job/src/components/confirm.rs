//! `x-confirm`: how single records are asked for, by which the API itself says whether it has them.

use super::expression::{Expression, ExpressionError, Scope};
use super::request_option::{Injection, Place};
use crate::manifest::reader::Reader;
use crate::template::Names;
use contract::yaml::Node;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

/// Keys in one request, unless the manifest says otherwise.
const AT_MOST: u64 = 50;
/// What an API says of a record that it does not have.
const GONE: [u16; 2] = [404, 410];

/// How single records are asked for.
#[derive(Debug)]
pub(crate) enum Confirm {
    /// Several at once, by a list of keys.
    Ids { place: Place, field: String, separator: String, at_most: usize },
    /// One by one, under a path of its own.
    Path { path: Expression, gone: Vec<u16> },
}

impl Confirm {
    /// Reads the key of a stream; nothing where it is absent or wrong.
    pub(crate) fn read(reader: &Reader<'_>, primary_key: &[String], is_partitioned: bool) -> Option<Self> {
        const KEY: &str = "x-confirm";
        let node = reader.get(KEY)?;
        let wrong = |message: &str| {
            reader.error_at(KEY, message);
            None
        };
        if primary_key.is_empty() {
            return wrong("needs a `primary_key`, by which records are asked for");
        }
        if is_partitioned {
            return wrong("cannot stand with a `partition_router`: a key alone does not tell the partition");
        }
        let keys: Vec<&str> = node.entries().iter().map(|entry| entry.key.as_str()).collect();
        match (node.get("ids"), node.get("path").and_then(Node::as_str)) {
            (Some(ids), None) if keys == ["ids"] => Self::ids(reader, ids, primary_key),
            (None, Some(path)) if keys.iter().all(|key| ["path", "gone"].contains(key)) => {
                let gone = match node.get("gone") {
                    None => Some(GONE.to_vec()),
                    Some(list) => {
                        list.items().iter().map(|status| status.to_json().as_u64()?.try_into().ok()).collect()
                    }
                };
                let Some(gone) = gone.filter(|gone: &Vec<u16>| gone.iter().all(|status| (400..500).contains(status)))
                else {
                    return wrong("has a `gone` that is no list of statuses from 400 to 499");
                };
                let path = reader.parse(KEY, path, Names::ANYWHERE | Names::KEY, node.line)?;
                Some(Self::Path { path, gone })
            }
            _ => wrong("must be `{ids: {inject_into, field_name, separator, at_most}}` or `{path, gone}`"),
        }
    }

    fn ids(reader: &Reader<'_>, node: &Node, primary_key: &[String]) -> Option<Self> {
        let text = |key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
        let at_most = node.get("at_most").map_or(Some(AT_MOST), |number| number.to_json().as_u64());
        let known = |key: &str| ["inject_into", "field_name", "separator", "at_most"].contains(&key);
        let place = match text("inject_into").as_deref() {
            None | Some("request_parameter") => Some(Place::Parameter),
            Some("body_json") => Some(Place::BodyJson),
            Some("body_data") => Some(Place::BodyData),
            Some(_) => None,
        };
        let (Some(place), Some(field), Some(at_most)) = (place, text("field_name"), at_most.filter(|most| *most > 0))
        else {
            reader.error_at("x-confirm", "needs a `field_name`, an `inject_into` (request_parameter, body_json, body_data) and a whole `at_most`");
            return None;
        };
        if let Some(entry) = node.entries().iter().find(|entry| !known(&entry.key)) {
            reader.error_at("x-confirm", format!("has the unknown key `{}`", entry.key));
            return None;
        }
        if primary_key.len() > 1 {
            reader.error_at("x-confirm", "`ids` needs a primary key of one field; use `path`");
            return None;
        }
        let separator = text("separator").unwrap_or_else(|| ",".into());
        Some(Self::Ids { place, field, separator, at_most: usize::try_from(at_most).unwrap_or(usize::MAX) })
    }

    /// How many keys one request asks for.
    pub(crate) fn at_once(&self) -> usize {
        match self {
            Self::Ids { at_most, .. } => *at_most,
            Self::Path { .. } => 1,
        }
    }

    /// Statuses that say that a record is gone.
    pub(crate) fn gone(&self) -> &[u16] {
        match self {
            Self::Ids { .. } => &[],
            Self::Path { gone, .. } => gone,
        }
    }

    /// What asks for these keys, each the texts of its fields.
    ///
    /// # Errors
    /// A template that cannot be evaluated.
    pub(crate) fn injection(
        &self,
        scope: &Scope,
        primary_key: &[String],
        keys: &[Vec<String>],
    ) -> Result<Injection, ExpressionError> {
        match self {
            Self::Ids { place, field, separator, .. } => {
                let ids: Vec<&str> = keys.iter().filter_map(|key| Some(key.first()?.as_str())).collect();
                Ok(Injection { place: *place, field: vec![field.clone()], value: ids.join(separator).into() })
            }
            Self::Path { path, .. } => {
                let texts = keys
                    .iter()
                    .flatten()
                    .map(|text| Value::String(utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()));
                let key: Map<String, Value> = primary_key.iter().cloned().zip(texts).collect();
                let path = path.text(&scope.clone().with(Names::KEY, Value::Object(key)))?;
                Ok(Injection { place: Place::Path, field: Vec::new(), value: path.into() })
            }
        }
    }
}
