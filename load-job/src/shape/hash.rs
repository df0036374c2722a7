//! The row hash: of a record's canonical content, independent of the order of keys, of white space and of how text is escaped.
//! 128 bits of XXH3 as 32 hex digits; numbers count as they are written, so that no digit is lost.

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A record's canonical content, gathered in memory and hashed at once: many small updates would cost more than the hash.
#[derive(Default)]
pub(super) struct Canonical {
    bytes: Vec<u8>,
}

impl Canonical {
    /// Forgets the last record, keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Adds bytes as they are.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// Deeper than this, a value counts as the text it is: hashing must not exhaust the stack.
pub(super) const MAX_DEPTH: usize = 100;

/// Adds one value to the hash.
pub(super) fn value(hasher: &mut Canonical, raw: &str) {
    value_at(hasher, raw, 0);
}

fn value_at(hasher: &mut Canonical, raw: &str, depth: usize) {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let inner = &raw[1..raw.len() - 1];
            if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                content(hasher, inner);
            } else {
                // A lone surrogate is no text for serde; its escape then counts as it is written.
                let unescaped: Cow<'_, str> = serde_json::from_str(raw).map_or(Cow::Borrowed(inner), Cow::Owned);
                content(hasher, &unescaped);
            }
        }
        Some(b'{' | b'[') if depth < MAX_DEPTH => nested(hasher, raw, depth),
        _ => sized(hasher, b'v', raw.as_bytes()),
    }
}

/// Adds a field's name to the hash.
pub(super) fn key(hasher: &mut Canonical, name: &str) {
    sized(hasher, b'k', name.as_bytes());
}

/// The hash as text.
pub(super) fn finish(hasher: &Canonical) -> [u8; 32] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 32];
    for (index, byte) in xxhash_rust::xxh3::xxh3_128(&hasher.bytes).to_be_bytes().iter().enumerate() {
        out[index * 2] = HEX[usize::from(byte >> 4)];
        out[index * 2 + 1] = HEX[usize::from(byte & 15)];
    }
    out
}

fn content(hasher: &mut Canonical, text: &str) {
    sized(hasher, b's', text.as_bytes());
}

/// What it is and its length first, so that neighbours cannot run into each other.
fn sized(hasher: &mut Canonical, kind: u8, bytes: &[u8]) {
    let mut head = [kind; 9];
    head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    hasher.update(&head);
    hasher.update(bytes);
}

fn nested(hasher: &mut Canonical, raw: &str, depth: usize) {
    match serde_json::from_str::<Children<'_>>(raw) {
        Ok(Children::Object(mut entries)) => {
            // Of a key given twice the last value counts, as in every JSON reader; a stable sort keeps it last.
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            hasher.update(b"o");
            for (index, (name, child)) in entries.iter().enumerate() {
                if entries.get(index + 1).is_none_or(|next| next.0 != *name) {
                    key(hasher, name);
                    value_at(hasher, child.get(), depth + 1);
                }
            }
            hasher.update(b"e");
        }
        Ok(Children::Array(items)) => {
            hasher.update(b"a");
            items.iter().for_each(|item| value_at(hasher, item.get(), depth + 1));
            hasher.update(b"e");
        }
        // Not reached for text that was parsed before; the text itself is then the content.
        Err(_) => content(hasher, raw),
    }
}

/// What is in an object, in its order, or in an array.
pub(super) enum Children<'a> {
    Object(Vec<(Cow<'a, str>, &'a RawValue)>),
    Array(Vec<&'a RawValue>),
}

impl<'de> serde::Deserialize<'de> for Children<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChildrenVisitor)
    }
}

struct ChildrenVisitor;

impl<'de> Visitor<'de> for ChildrenVisitor {
    type Value = Children<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Children<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(super::record::FieldName(name)) = map.next_key()? {
            entries.push((name, map.next_value()?));
        }
        Ok(Children::Object(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Children<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Children::Array(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(raw: &str) -> [u8; 32] {
        let mut hasher = Canonical::default();
        value(&mut hasher, raw);
        finish(&hasher)
    }

    #[test]
    fn content_counts_not_form() {
        assert_eq!(
            hash(r#"{"a":1,"b":[{"c":"x","d":null}]}"#),
            hash("{ \"b\": [ {\"d\":null, \"c\":\"\\u0078\"} ],\n \"a\": 1}")
        );
        assert_eq!(hash(r#""é""#), hash(r#""\u00e9""#));
        assert_eq!(hash(r#"{"a":1,"a":2}"#), hash(r#"{"a":2}"#));
    }

    #[test]
    fn other_content_is_another_hash() {
        let different = [
            "1",
            "\"1\"",
            "1.0",
            "null",
            "\"null\"",
            "[]",
            "{}",
            "[[]]",
            "[1,2]",
            "[12]",
            "[\"1\",\"2\"]",
            "[\"12\"]",
            r#"{"a":"b"}"#,
            r#"{"a":["b"]}"#,
            r#"["a","b"]"#,
            r#"[["a"],"b"]"#,
            r#"[["a","b"]]"#,
            "true",
            "9007199254740993",
            "9007199254740992",
        ];
        let mut hashes: Vec<_> = different.iter().map(|raw| hash(raw)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), different.len());
    }
}
