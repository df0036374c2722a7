//! The message that an error's body carries, found as the reference engine finds it: the first telling field, followed down.
//! No guess goes further than that: what a manifest's `error_message_contains` matches must not depend on our taste.

use serde_json::Value;

/// In this order; the first that is there and not empty is followed, and no other.
const FIELDS: [&str; 12] = [
    "message",
    "messages",
    "error",
    "errors",
    "failures",
    "failure",
    "detail",
    "err",
    "error_message",
    "msg",
    "reason",
    "status_message",
];

/// The message of a body; the raw text if it is no JSON; nothing if it is JSON without a message.
pub(crate) fn of(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => in_value(&value).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// The message of a JSON body, for people: `title` counts too (RFC 9457 has it). Nothing if the body is no JSON.
pub(crate) fn for_people(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let message = in_value(&value).filter(|message| !message.is_empty());
    message.or_else(|| value.get("title")?.as_str().map(str::to_owned))
}

fn in_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(in_value).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            in_value(FIELDS.iter().find_map(|field| map.get(*field).filter(|value| !is_empty(value)))?)
        }
        _ => None,
    }
}

/// What Python takes for false.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_that_is_not_empty_is_followed() {
        let cases = [
            (r#"{"message": "a"}"#, "a"),
            (r#"{"error": {"message": "b"}}"#, "b"),
            (r#"{"errors": [{"detail": "c"}, {"detail": "d"}]}"#, "c, d"),
            (r#"{"detail": "x", "errors": ["e", 7, {"y": 1}], "message": ""}"#, "e"),
            (r#"{"message": {"code": 1}, "error": "not looked at"}"#, ""),
            (r#"{"message": {}, "messages": [], "error": false, "reason": "r"}"#, "r"),
            (r#"{"title": "not for matching"}"#, ""),
            (r#"[{"err": "f"}, "g"]"#, "f, g"),
            (r#""just a text""#, "just a text"),
            ("plain text", "plain text"),
            (r#"{"x": 1}"#, ""),
            ("17", ""),
        ];
        for (body, expected) in cases {
            assert_eq!(of(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn people_are_told_titles_too() {
        let told = |body: &str| for_people(body.as_bytes());
        assert_eq!(told(r#"{"type": "x", "title": "not found", "errors": {}}"#).as_deref(), Some("not found"));
        assert_eq!(told(r#"{"title": "t", "detail": "d"}"#).as_deref(), Some("d"));
        assert_eq!(told("<html>"), None);
    }
}
