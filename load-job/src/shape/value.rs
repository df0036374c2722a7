//! A field's value: its kind, its raw text, and what its text or its place in time is.
//! Half surrogate pairs, which are no characters, are replaced; everything else stays as it was sent.

use super::epoch;
use super::hint::Reading;
use super::kind::{self, Kind};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A field's value: its kind, its raw text, and its content if it is text.
#[derive(Debug, Clone)]
pub(super) struct Value<'a> {
    pub(super) kind: Kind,
    pub(super) raw: &'a str,
    pub(super) text: Cow<'a, str>,
    /// Of a point in time: microseconds since 1970, or days.
    pub(super) time: i64,
    /// Whether `text` is the JSON that counts, and `raw` only how it was sent.
    is_json_text: bool,
}

impl<'a> Value<'a> {
    pub(super) fn read(raw: &'a str) -> Self {
        let (kind, text, time) = match raw.as_bytes().first() {
            Some(b'"') => {
                let content = &raw[1..raw.len() - 1];
                if memchr::memchr(b'\\', content.as_bytes()).is_none() {
                    let (kind, time) = kind::text(content);
                    (kind, Cow::Borrowed(content), time)
                } else {
                    let (text, is_broken) = unescape(raw);
                    let (kind, time) = if is_broken { (Kind::TextBroken, 0) } else { kind::text(&text) };
                    (kind, Cow::Owned(text), time)
                }
            }
            Some(b'{' | b'[') => (Kind::Nested, Cow::Borrowed(""), 0),
            Some(b't' | b'f') => (Kind::Bool, Cow::Borrowed(""), 0),
            Some(b'n') | None => (Kind::Null, Cow::Borrowed(""), 0),
            Some(_) => (kind::number(raw), Cow::Borrowed(""), 0),
        };
        Self { kind, raw, text, time, is_json_text: false }
    }

    /// A whole record.
    pub(super) fn record(raw: &'a str) -> Self {
        Self { kind: Kind::Nested, raw, text: Cow::Borrowed(""), time: 0, is_json_text: false }
    }

    /// Reads the value once more, as its field's hint says.
    pub(super) fn read_as(&mut self, reading: Reading) {
        match reading {
            Reading::AsSent | Reading::Record => {}
            Reading::Epoch(unit) => epoch::read(self, unit),
            Reading::JsonText => self.read_json_text(),
        }
    }

    /// Objects and lists that were sent as a text are what the text says. Any other text stays one: `"12"` and `"true"` are words as well.
    fn read_json_text(&mut self) {
        let begins = |text: &str| matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
        let is_text = self.raw.starts_with('"') && self.kind != Kind::TextBroken;
        let is_json = |text: &str| serde_json::from_str::<&RawValue>(text).is_ok() && depth(text) <= MAX_DEPTH;
        if is_text && begins(&self.text) && is_json(&self.text) {
            (self.kind, self.is_json_text) = (Kind::Nested, true);
        }
    }

    /// Whether a text within it has half of a surrogate pair.
    pub(super) fn has_half_characters(&self) -> bool {
        self.kind == Kind::Nested && matches!(whole_surrogates(self.json()), Cow::Owned(_))
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> &str {
        if self.is_json_text { self.text.trim() } else { self.raw }
    }
}

/// So deep a record may be nested, as the extract sees to; a text within it is no other.
const MAX_DEPTH: usize = 127;

/// How deep a JSON text is nested.
fn depth(json: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// A text without its escapes, and whether it had half of a surrogate pair: that is no character, and shows as one that says so.
fn unescape(raw: &str) -> (String, bool) {
    match serde_json::from_str(raw) {
        Ok(text) => (text, false),
        Err(_) => (serde_json::from_str(&whole_surrogates(raw)).unwrap_or_else(|_| raw.to_owned()), true),
    }
}

/// The JSON text with every half surrogate pair replaced by the replacement character's escape.
pub(super) fn whole_surrogates(raw: &str) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let hex = raw.get(at + 2..at + 6).filter(|_| bytes[at..].starts_with(b"\\u"))?;
        u16::from_str_radix(hex, 16).ok()
    };
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        match unit(at) {
            Some(0xD800..=0xDBFF) if at + 6 < bytes.len() && matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                out.push_str(&raw[copied..at]);
                out.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
        if at >= bytes.len() {
            break;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(raw);
    }
    out.push_str(&raw[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_json_only_where_it_can_be_held_as_json() {
        let nested = |depth: usize| format!("\"{}{}\"", "[".repeat(depth), "]".repeat(depth));
        let cases = [
            (r#""{\"a\":\"[\\\"{\"}""#.to_owned(), Kind::Nested),
            (nested(127), Kind::Nested),
            (nested(128), Kind::Text),
            (nested(100_000), Kind::Text),
            (r#""{\"a\":\"\ud800\"}""#.to_owned(), Kind::TextBroken),
            (r#""{\"a\":1} 2""#.to_owned(), Kind::Text),
            (r#""12""#.to_owned(), Kind::TextInt),
            ("12".to_owned(), Kind::Int53),
        ];
        for (raw, kind) in cases {
            let mut value = Value::read(&raw);
            value.read_as(Reading::JsonText);
            assert_eq!(value.kind, kind, "{:.40}", raw);
        }
    }
}
