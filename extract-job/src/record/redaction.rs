//! What must not reach the landing zone: fields that are dropped or replaced by a salted hash, as the pipeline file says.
//! Paths are by dots; lists on the way are gone through item by item.

use super::tree::Tree;
use crate::components::declarative_stream::DeclarativeStream;
use contract::pipeline::Redact;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;

/// The fields of one stream.
#[derive(Clone)]
pub(crate) struct Redaction {
    fields: Vec<(Vec<String>, Redact)>,
    salt: Vec<u8>,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redaction").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Redaction {
    pub(crate) fn new(fields: &BTreeMap<String, Redact>, salt: &str) -> Self {
        let fields = fields.iter().map(|(path, how)| (path.split('.').map(str::to_owned).collect(), *how));
        Self { fields: fields.collect(), salt: salt.as_bytes().to_vec() }
    }

    pub(crate) fn apply(&self, record: &mut Tree) {
        for (path, how) in &self.fields {
            self.field(record, path, *how);
        }
    }

    fn field(&self, tree: &mut Tree, path: &[String], how: Redact) {
        match tree {
            Tree::List(items) => items.iter_mut().for_each(|item| self.field(item, path, how)),
            Tree::Map(entries) => {
                // A key can hold dots itself, as flattened fields do.
                for length in 1..=path.len() {
                    let (key, rest) = (path[..length].join("."), &path[length..]);
                    match how {
                        Redact::Drop if rest.is_empty() => entries.retain(|(have, _)| *have != key),
                        _ => entries.iter_mut().filter(|(have, _)| *have == key).for_each(|(_, value)| {
                            if rest.is_empty() {
                                *value = self.hashed(value);
                            } else {
                                self.field(value, rest, how);
                            }
                        }),
                    }
                }
            }
            Tree::Scalar(_) => {}
        }
    }

    /// Whether a field of a record does not stay as it is.
    pub(crate) fn changes(&self, field: &str) -> bool {
        self.fields.iter().any(|(path, _)| path.first().is_some_and(|first| first == field))
    }

    /// Changes with the salt, and does not tell it.
    pub(crate) fn digest(&self) -> String {
        self.hashed(&Tree::text("digest")).as_text().unwrap_or_default()
    }

    /// HMAC-SHA-256 over a text as it reads, or over the JSON text of anything else; null stays null, so that "not given" can be told.
    fn hashed(&self, value: &Tree) -> Tree {
        if value.is_null() {
            return Tree::null();
        }
        let plain = value.as_text().map_or_else(
            || {
                let mut json = Vec::new();
                value.write(&mut json);
                json
            },
            String::into_bytes,
        );
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.salt) else { return Tree::null() };
        mac.update(&plain);
        let digest = mac.finalize().into_bytes();
        Tree::text(&digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

/// What is wrong with the redaction of a stream: a key or a cursor that would be lost.
pub(crate) fn problems(stream: &DeclarativeStream, fields: &BTreeMap<String, Redact>) -> Vec<String> {
    let cursor = stream.cursor.as_ref().and_then(|cursor| cursor.plain_field());
    let mut problems = Vec::new();
    for (field, how) in fields {
        let below = format!("{field}.");
        let is_key = stream.primary_key.contains(field);
        if stream.primary_key.iter().any(|key| key.starts_with(&below)) || (is_key && *how == Redact::Drop) {
            problems.push(format!(
                "`redact` takes away `{field}`, which is part of the primary key; use `hash` on the key itself"
            ));
        }
        if cursor.as_ref() == Some(field) {
            problems.push(format!("`redact` names `{field}`, by which the newest row is known"));
        }
        if field.split('.').any(str::is_empty) {
            problems.push(format!("`redact`: `{field}` is no path of field names"));
        }
    }
    problems
}

/// The schema of a record as it is stored: no column for what is dropped, and text for what is hashed.
pub(crate) fn schema(mut schema: Value, fields: &BTreeMap<String, Redact>) -> Value {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return schema };
    for (field, how) in fields {
        match how {
            Redact::Drop => drop(properties.shift_remove(field)),
            Redact::Hash if properties.contains_key(field) => {
                properties.insert(field.clone(), json!({"type": ["string", "null"]}));
            }
            Redact::Hash => {}
        }
    }
    schema
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_or_are_hashed_at_any_depth() {
        let fields = BTreeMap::from([
            ("email".to_owned(), Redact::Hash),
            ("contacts.phone".to_owned(), Redact::Drop),
            ("contacts.name".to_owned(), Redact::Hash),
            ("none".to_owned(), Redact::Drop),
            ("owner.mail".to_owned(), Redact::Drop),
        ]);
        let redaction = Redaction::new(&fields, "salt");
        let redact = |text: &str| {
            let mut tree = Tree::parse(text.as_bytes()).unwrap();
            redaction.apply(&mut tree);
            tree.to_value()
        };
        let value = redact(r#"{"id":1,"email":"a@b.c","contacts":[{"name":"x","phone":"1"},{"name":null}]}"#);
        let hash = value["email"].as_str().unwrap().to_owned();
        assert_eq!(hash.len(), 64);
        assert_eq!(value["contacts"][0].as_object().unwrap().len(), 1);
        assert!(value["contacts"][1]["name"].is_null());
        assert_eq!(redact(r#"{"owner.mail":"x","owner":{"mail":"y","id":1}}"#), json!({"owner": {"id": 1}}));
        assert_eq!(redact(r#"{"email":"\u0061@b.c"}"#)["email"], hash.as_str(), "however it is written");
        let other = Redaction::new(&fields, "pepper");
        let mut tree = Tree::parse(br#"{"email":"a@b.c"}"#).unwrap();
        other.apply(&mut tree);
        assert_ne!(tree.to_value()["email"], hash.as_str());
    }
}
