//! Reads well-formed JSON into a tree, also where `serde_json` refuses it: half surrogate pairs, numbers beyond a double.
//! Guarantees: one such leaf never hides the rest of an answer, which paging needs; the depth is bounded.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::SliceError;
use super::fields::unescaped;
use super::scanner::{Kind, Scanner};

/// The value of a raw text. Half of a surrogate pair becomes the replacement character, a number beyond a double its digits as text.
pub(crate) fn value(raw: &[u8]) -> Value {
    serde_json::from_slice(raw).unwrap_or_else(|_| {
        let mut scanner = Scanner::new(raw);
        scanner.space();
        leaf_by_leaf(&mut scanner).unwrap_or(Value::Null)
    })
}

/// The text of what stands between two quotes.
pub(super) fn text(written: &[u8]) -> String {
    unescaped(written).map_or_else(|| String::from_utf16_lossy(&units(written)), Cow::into_owned)
}

fn leaf_by_leaf(scanner: &mut Scanner<'_>) -> Result<Value, SliceError> {
    match scanner.peek() {
        Some(b'{') => {
            let mut entries = Map::new();
            scanner.open()?;
            let mut more = !scanner.closes(b'}');
            while more {
                let key = scanner.key()?;
                entries.insert(text(key), leaf_by_leaf(scanner)?);
                more = scanner.more(b'}')?;
            }
            Ok(Value::Object(entries))
        }
        Some(b'[') => {
            let mut items = Vec::new();
            scanner.open()?;
            let mut more = !scanner.closes(b']');
            while more {
                items.push(leaf_by_leaf(scanner)?);
                more = scanner.more(b']')?;
            }
            Ok(Value::Array(items))
        }
        _ => {
            let start = scanner.position();
            let kind = scanner.value()?;
            let raw = &scanner.bytes()[start..scanner.position()];
            Ok(match kind {
                Kind::String => Value::String(text(&raw[1..raw.len() - 1])),
                _ => serde_json::from_slice(raw)
                    .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(raw).into_owned())),
            })
        }
    }
}

/// The same in UTF-16, where half a pair can be told from a whole one.
pub(super) fn units(written: &[u8]) -> Vec<u16> {
    let written = String::from_utf8_lossy(written);
    let mut rest = written.chars();
    let mut units: Vec<u16> = Vec::with_capacity(written.len());
    while let Some(character) = rest.next() {
        let meant = match character {
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD));
                    continue;
                }
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                other => other.unwrap_or('\\'),
            },
            plain => plain,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_serde_refuses_is_read_all_the_same() {
        let raw = br#"{"next":"b","cut":"\ud83d","n":[1e999,2,{"\udc00x":"\ud83d\ude00\n"}],"\u00e9":null}"#;
        assert_eq!(serde_json::from_slice::<Value>(raw).ok(), None);
        let expected = json!({"next": "b", "cut": "\u{fffd}", "n": ["1e999", 2, {"\u{fffd}x": "😀\n"}], "é": null});
        assert_eq!(value(raw), expected);
    }
}
