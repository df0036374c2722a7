//! What can be said of `redact` before anything is read: a key that would be lost, a path that the stream's schema does not know.

use super::{is_same, word};
use crate::components::declarative_stream::DeclarativeStream;
use contract::pipeline::{Redact, RedactEntry, did_you_mean};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Schemas lead so deep; the names below are not told.
const DEEPEST: usize = 8;

/// What is wrong with the redaction of a stream: a key or a cursor that would be lost, a field that there is not.
pub(crate) fn problems(stream: &DeclarativeStream, fields: &BTreeMap<String, RedactEntry>) -> Vec<String> {
    let cursor = stream.cursor.as_ref().and_then(|cursor| cursor.plain_field());
    let mut problems = Vec::new();
    for (field, entry) in fields {
        let is_key = stream.primary_key.iter().any(|key| is_same(key, field));
        let begins_key = |key: &String| key.to_lowercase().starts_with(&format!("{}.", field.to_lowercase()));
        if stream.primary_key.iter().any(begins_key) || (is_key && entry.how() == Redact::Drop) {
            problems.push(format!(
                "`redact` takes away `{field}`, which is part of the primary key; use `hash` on the key itself"
            ));
        }
        if cursor.as_ref().is_some_and(|cursor| is_same(cursor, field)) {
            problems.push(format!("`redact` names `{field}`, by which the newest row is known"));
        }
        if field.split('.').any(str::is_empty) {
            problems.push(format!("`redact`: `{field}` is no path of field names"));
        } else if !entry.may_be_absent() {
            problems.extend(unknown(stream, field, entry.how()));
        }
    }
    problems
}

/// That the stream's schema does not know a field. It says nothing of a record whose fields get other names.
fn unknown(stream: &DeclarativeStream, field: &str, how: Redact) -> Option<String> {
    let schema = stream.schema.as_ref()?;
    let path: Vec<&str> = field.split('.').collect();
    let is_made = |step: &crate::components::transformation::Transformation| step.renames() || step.adds(&path);
    if knows(schema, &path) || stream.transformations.iter().any(is_made) {
        return None;
    }
    let mut names = Vec::new();
    collect(schema, "", 0, &mut names);
    let near = did_you_mean(field, names.iter().map(String::as_str));
    Some(format!(
        "`redact` names `{field}`, which the schema of the stream `{}` does not have{near}; if records have it all the same, say \
         `{field}: {{how: {}, may_be_absent: true}}`",
        stream.name,
        word(how)
    ))
}

fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

/// Whether a record of this schema can have a path. What says nothing of its fields can have any.
fn knows(schema: &Value, path: &[&str]) -> bool {
    if path.is_empty() || schema.get("$ref").is_some() {
        return true;
    }
    if branches(schema).any(|branch| knows(branch, path)) {
        return true;
    }
    if let Some(items) = schema.get("items") {
        return knows(items, path);
    }
    match schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty()) {
        Some(properties) => (1..=path.len()).any(|length| {
            let (key, rest) = (path[..length].join("."), &path[length..]);
            properties.iter().any(|(have, below)| is_same(have, &key) && knows(below, rest))
        }),
        None => branches(schema).next().is_none() && may_hold_more(schema),
    }
}

/// Objects and lists, or what has no type.
fn may_hold_more(schema: &Value) -> bool {
    let holds = |name: &Value| matches!(name.as_str(), Some("object" | "array"));
    match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(holds),
        Some(name) => holds(name),
    }
}

fn collect(schema: &Value, above: &str, depth: usize, names: &mut Vec<String>) {
    if depth > DEEPEST {
        return;
    }
    branches(schema).chain(schema.get("items")).for_each(|below| collect(below, above, depth + 1, names));
    for (key, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        collect(below, &name, depth + 1, names);
        names.push(name);
    }
}

/// The schema of a record as it is stored: no column for what is dropped, and text for what is hashed.
pub(crate) fn schema(mut schema: Value, fields: &BTreeMap<String, RedactEntry>) -> Value {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return schema };
    for (field, entry) in fields {
        match entry.how() {
            Redact::Drop => properties.retain(|have, _| !is_same(have, field)),
            Redact::Hash => {
                let named = properties.iter_mut().filter(|(have, _)| is_same(have, field));
                named.for_each(|(_, property)| *property = json!({"type": ["string", "null"]}));
            }
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_knows_what_it_names_and_what_it_leaves_open() {
        let schema = json!({"type": "object", "additionalProperties": true, "properties": {
            "email": {"type": ["string", "null"]},
            "owner": {"type": ["object", "null"], "properties": {"email": {"type": "string"}}},
            "contacts": {"type": "array", "items": {"type": "object", "properties": {"phone": {"type": "string"}}}},
            "open": {"type": "object"},
            "either": {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "string"}}}]},
            "flat.name": {"type": "string"},
            "list": {"type": "array"},
        }});
        for (path, expected) in [
            ("email", true),
            ("EMAIL", true),
            ("emial", false),
            ("email.local", false),
            ("owner.email", true),
            ("owner.emial", false),
            ("contacts.phone", true),
            ("contacts.fax", false),
            ("open.anything.at.all", true),
            ("either.a", true),
            ("either.b", false),
            ("flat.name", true),
            ("flat", false),
            ("list.x", true),
        ] {
            assert_eq!(knows(&schema, &path.split('.').collect::<Vec<_>>()), expected, "{path}");
        }
        assert!(knows(&json!({}), &["x"]) && knows(&json!({"type": "object", "properties": {}}), &["x"]));
        let mut names = Vec::new();
        collect(&schema, "", 0, &mut names);
        assert!(did_you_mean("owner.emial", names.iter().map(String::as_str)).contains("`owner.email`"));
    }
}
