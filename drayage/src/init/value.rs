//! From what is typed to a value of the type that the spec asks for, and the places of values inside of the settings.
//! What is no such value stays a text: the check of the settings then says what was expected.

use super::setting::{branches, kind_of};
use contract::secret::holds_reference;
use serde_json::{Map, Value};

/// The value that a text stands for. A reference stays as it is, whatever the type.
pub(crate) fn read(text: &str, schema: &Value) -> Value {
    let plain = || Value::String(text.to_owned());
    if holds_reference(text) && !text.trim_start().starts_with(['{', '[']) {
        return plain();
    }
    let json = || serde_json::from_str::<Value>(text.trim()).ok();
    match kind_of(schema) {
        "string" => plain(),
        "integer" | "number" => json().filter(Value::is_number).unwrap_or_else(plain),
        "boolean" => json().filter(Value::is_boolean).unwrap_or_else(plain),
        "array" => json().filter(Value::is_array).unwrap_or_else(|| list(text, &schema["items"])),
        "object" => json().filter(Value::is_object).unwrap_or_else(plain),
        _ if branches(schema).next().is_some() || schema.get("type").is_none() => {
            json().filter(|value| value.is_object() || value.is_array()).unwrap_or_else(plain)
        }
        _ => plain(),
    }
}

/// Items separated by commas; what looks like broken JSON is no such list.
fn list(text: &str, items: &Value) -> Value {
    if text.trim_start().starts_with(['[', '{']) {
        return Value::String(text.to_owned());
    }
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| read(item, items)).collect()
}

/// The value at a path of keys.
pub(crate) fn at<'a>(settings: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(settings, |value, key| value.get(key))
}

/// Puts a value at a path of keys; mappings that are missing on the way are made.
pub(crate) fn put(settings: &mut Value, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *settings = value;
        return;
    };
    if !settings.is_object() {
        *settings = Value::Object(Map::new());
    }
    put(&mut settings[first.as_str()], rest, value);
}

/// Takes out what is at a path of keys.
pub(crate) fn remove(settings: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().try_fold(settings, |value, key| value.get_mut(key));
    if let Some(Value::Object(map)) = parent {
        map.remove(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_become_values_of_the_type_that_is_asked_for() {
        let schema = |kind: &str| json!({"type": kind});
        let texts = json!({"type": "array", "items": {"type": "string"}});
        let numbers = json!({"type": "array", "items": {"type": "integer"}});
        for (text, schema, expected) in [
            ("00501", &schema("string"), json!("00501")),
            ("12", &schema("integer"), json!(12)),
            ("1.5", &schema("number"), json!(1.5)),
            ("many", &schema("integer"), json!("many")),
            ("true", &schema("boolean"), json!(true)),
            ("yes", &schema("boolean"), json!("yes")),
            ("a, b,", &texts, json!(["a", "b"])),
            ("[\"a,b\"]", &texts, json!(["a,b"])),
            ("", &texts, json!([])),
            ("1,2", &numbers, json!([1, 2])),
            ("[1", &numbers, json!("[1")),
            ("{\"a\": 1}", &schema("object"), json!({"a": 1})),
            ("x", &schema("object"), json!("x")),
            ("{\"a\": \"${env:X}\"}", &schema("object"), json!({"a": "${env:X}"})),
            ("${env:X}", &schema("integer"), json!("${env:X}")),
            ("{\"t\": 1}", &json!({"oneOf": [{}]}), json!({"t": 1})),
            ("text", &json!({}), json!("text")),
            ("7", &json!({}), json!("7")),
        ] {
            assert_eq!(read(text, schema), expected, "{text} {schema}");
        }
    }

    #[test]
    fn places_are_made_and_taken_out() {
        let path = ["a".to_owned(), "b".to_owned()];
        let mut settings = json!({"x": 1});
        put(&mut settings, &path, json!(2));
        assert_eq!(settings, json!({"x": 1, "a": {"b": 2}}));
        assert_eq!(at(&settings, &path), Some(&json!(2)));
        remove(&mut settings, &path);
        assert_eq!((&settings, at(&settings, &path)), (&json!({"x": 1, "a": {}}), None));
    }
}
