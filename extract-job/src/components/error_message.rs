//! The message that an error's body carries, found as the reference engine finds it: the first telling field, followed down.
//! No guess goes further than that: what a manifest's `error_message_contains` matches must not depend on our taste.

use crate::record_slicer::scanner::{Kind, Scanner};
use crate::record_slicer::{SliceError, text_of_field, value};
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

/// The message of a body; the raw text if it is no JSON; nothing if it is JSON without a message. No tree is made of the body.
pub(crate) fn of(body: &[u8]) -> String {
    match in_body(body) {
        Ok(message) => message.unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// The message of a JSON body, for people: `title` counts too (RFC 9457 has it). Nothing if the body is no JSON.
pub(crate) fn for_people(body: &[u8]) -> Option<String> {
    let message = in_body(body).ok()?.filter(|message| !message.is_empty());
    message.or_else(|| text_of_field(body, "title").map(std::borrow::Cow::into_owned))
}

fn in_body(body: &[u8]) -> Result<Option<String>, SliceError> {
    std::str::from_utf8(body).map_err(|error| SliceError::NotUtf8 { offset: error.valid_up_to() })?;
    let mut scanner = Scanner::new(body);
    scanner.space();
    let message = next(&mut scanner)?;
    scanner.end()?;
    Ok(message)
}

/// The message of the value at hand, which is stepped over.
fn next(scanner: &mut Scanner<'_>) -> Result<Option<String>, SliceError> {
    let start = scanner.position();
    match scanner.peek() {
        Some(b'[') => {
            let mut messages = Vec::new();
            scanner.open()?;
            let mut more = !scanner.closes(b']');
            while more {
                messages.extend(next(scanner)?);
                more = scanner.more(b']')?;
            }
            Ok(Some(messages.join(", ")))
        }
        Some(b'{') => {
            let mut telling: [Option<&[u8]>; FIELDS.len()] = [None; FIELDS.len()];
            scanner.open()?;
            let mut more = !scanner.closes(b'}');
            while more {
                let (key, start) = (scanner.key()?, scanner.position());
                let kind = scanner.value()?;
                let raw = &scanner.bytes()[start..scanner.position()];
                if let Some(place) = FIELDS.iter().position(|field| field.as_bytes() == key) {
                    telling[place] = Some(raw).filter(|raw| !is_empty(kind, raw));
                }
                more = scanner.more(b'}')?;
            }
            telling.into_iter().flatten().next().map_or(Ok(None), |raw| next(&mut Scanner::new(raw)))
        }
        _ => {
            let kind = scanner.value()?;
            let raw = &scanner.bytes()[start..scanner.position()];
            Ok(match value(if kind == Kind::String { raw } else { b"null" }) {
                Value::String(text) => Some(text),
                _ => None,
            })
        }
    }
}

/// What Python takes for false.
fn is_empty(kind: Kind, raw: &[u8]) -> bool {
    match kind {
        Kind::Null | Kind::False => true,
        Kind::True => false,
        Kind::Number => value(raw).as_f64() == Some(0.0),
        Kind::String => raw.len() == 2,
        Kind::Array => raw.iter().filter(|byte| !byte.is_ascii_whitespace()).take(2).eq(b"[]"),
        Kind::Object { empty } => empty,
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
            (r#"{"error": "old", "error": "new", "err": "x"}"#, "new"),
            (r#"{"messages": [ ], "failures": 0.0, "detail": [" "]}"#, " "),
            (r#"{"message": "cut \ud83d", "n": 1e999}"#, "cut \u{fffd}"),
            (r#"{"message": "a"} and more"#, r#"{"message": "a"} and more"#),
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
