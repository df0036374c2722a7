//! A record as a tree that can be changed. Scalars stay as the API wrote them, so that no digit of a number is lost on the way.

use crate::record_slicer::scanner::{Kind, Scanner};
use crate::record_slicer::{SliceError, unescaped};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;

/// Objects with more keys than this get an index while they are read.
const MANY: usize = 24;

/// A JSON value. Of a repeated key the last one counts, at the place of the first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// The JSON text of a string, a number, `true`, `false` or `null`.
    Scalar(Box<str>),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a whole JSON text.
    ///
    /// # Errors
    /// It is not well-formed, or a key is no text (a lone surrogate).
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, SliceError> {
        let text = std::str::from_utf8(bytes).map_err(|error| SliceError::NotUtf8 { offset: error.valid_up_to() })?;
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.space();
        let tree = read(&mut scanner, text)?;
        scanner.end()?;
        Ok(tree)
    }

    pub(crate) fn null() -> Self {
        Self::Scalar("null".into())
    }

    /// A text as a tree.
    pub(crate) fn text(text: &str) -> Self {
        Self::from(&Value::from(text))
    }

    /// The value of a key; of an object only.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(have, _)| have == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at a path of keys and, in lists, of indexes.
    pub(crate) fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Self> {
        path.iter().try_fold(self, |tree, segment| match tree {
            Self::List(items) => items.get(segment.as_ref().parse::<usize>().ok()?),
            tree => tree.get(segment.as_ref()),
        })
    }

    /// Sets the value at a path of keys and, in lists, of indexes. Objects that are missing on the way are made, what can hold no key is
    /// replaced, and a list grows by nulls.
    pub(crate) fn set<S: AsRef<str>>(&mut self, path: &[S], value: Self) {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        if let (Self::List(items), Some(index)) = (&mut *self, index_of(first.as_ref())) {
            if items.len() <= index {
                items.resize_with(index + 1, Self::null);
            }
            items[index].set(rest, value);
            return;
        }
        if !matches!(self, Self::Map(_)) {
            *self = Self::Map(Vec::new());
        }
        let Self::Map(entries) = self else { return };
        let key = first.as_ref();
        let index = entries.iter().position(|(have, _)| have == key).unwrap_or_else(|| {
            entries.push((key.to_owned(), Self::null()));
            entries.len() - 1
        });
        entries[index].1.set(rest, value);
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(text) if &**text == "null")
    }

    /// The text of a string, unescaped; of a number as it is written; nothing for all else.
    pub(crate) fn as_text(&self) -> Option<String> {
        match self {
            Self::Scalar(text) => match text.strip_prefix('"') {
                Some(quoted) => unescaped(quoted.strip_suffix('"')?.as_bytes()).map(std::borrow::Cow::into_owned),
                None if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Some(text.to_string()),
                None => None,
            },
            _ => None,
        }
    }

    /// As templates and states hold it; a number beyond 64 bits becomes the text of its digits.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Scalar(text) => {
                let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                let exact = serde_json::from_str(text).unwrap_or(Value::Null);
                let is_integer = is_number && !text.contains(['.', 'e', 'E']);
                if is_integer && exact.as_i64().is_none() && exact.as_u64().is_none() {
                    return Value::String(text.to_string());
                }
                exact
            }
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Map(entries) => Value::Object(entries.iter().map(|(k, v)| (k.clone(), v.to_value())).collect()),
        }
    }

    /// Appends the JSON text, on one line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Scalar(text) => out.extend_from_slice(text.as_bytes()),
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Map(entries) => write_fields(entries.iter().map(|(key, value)| (key.as_str(), value)), out),
        }
    }

    /// Appends the JSON text of an object with these fields in it: in the place of its own, or behind them. Of anything else the value itself
    /// becomes the field `value`.
    pub(crate) fn write_with(&self, set: &[(&str, &Self)], out: &mut Vec<u8>) {
        let mut fields: Vec<(&str, &Self)> = match self {
            Self::Map(entries) => entries.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            other => vec![("value", other)],
        };
        for (key, value) in set {
            match fields.iter_mut().find(|(have, _)| have == key) {
                Some(field) => field.1 = value,
                None => fields.push((key, value)),
            }
        }
        write_fields(fields.into_iter(), out);
    }
}

fn write_fields<'a>(fields: impl Iterator<Item = (&'a str, &'a Tree)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(out, key);
        out.push(b':');
        value.write(out);
    }
    out.push(b'}');
}

/// A key as the index of a list, as far as that makes sense.
fn index_of(key: &str) -> Option<usize> {
    const LONGEST: usize = 10_000;
    key.parse().ok().filter(|index| *index < LONGEST)
}

/// Appends a text as a JSON string.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing into memory cannot fail, and a text is always valid JSON.
    if let Ok(quoted) = serde_json::to_string(text) {
        let _ = out.write_all(quoted.as_bytes());
    }
}

impl From<&Value> for Tree {
    fn from(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(map) => Self::Map(map.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect()),
            scalar => Self::Scalar(scalar.to_string().into()),
        }
    }
}

/// For templates: integers up to 128 bits are exact.
impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(text) => {
                if let Ok(integer) = text.parse::<i64>() {
                    return serializer.serialize_i64(integer);
                }
                if let Ok(integer) = text.parse::<i128>() {
                    return serializer.serialize_i128(integer);
                }
                self.to_value().serialize(serializer)
            }
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

fn read(scanner: &mut Scanner<'_>, text: &str) -> Result<Tree, SliceError> {
    match scanner.peek() {
        Some(b'{') => {
            let mut entries: Vec<(String, Tree)> = Vec::new();
            let mut index: HashMap<String, usize> = HashMap::new();
            scanner.open()?;
            if scanner.closes(b'}') {
                return Ok(Tree::Map(entries));
            }
            loop {
                let start = scanner.position();
                let key = scanner.key()?;
                let key = unescaped(key).ok_or(SliceError::NotUtf8 { offset: start })?.into_owned();
                let value = read(scanner, text)?;
                let known = if entries.len() > MANY {
                    if index.is_empty() {
                        index.extend(entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)));
                    }
                    index.get(&key).copied()
                } else {
                    entries.iter().position(|(have, _)| *have == key)
                };
                match known {
                    Some(at) => entries[at].1 = value,
                    None => {
                        if !index.is_empty() {
                            index.insert(key.clone(), entries.len());
                        }
                        entries.push((key, value));
                    }
                }
                if !scanner.more(b'}')? {
                    return Ok(Tree::Map(entries));
                }
            }
        }
        Some(b'[') => {
            let mut items = Vec::new();
            scanner.open()?;
            if scanner.closes(b']') {
                return Ok(Tree::List(items));
            }
            loop {
                items.push(read(scanner, text)?);
                if !scanner.more(b']')? {
                    return Ok(Tree::List(items));
                }
            }
        }
        _ => {
            let start = scanner.position();
            match scanner.value()? {
                Kind::Object { .. } | Kind::Array => Err(SliceError::Syntax { offset: start, expected: "a scalar" }),
                _ => Ok(Tree::Scalar(text[start..scanner.position()].into())),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(tree: &Tree) -> String {
        let mut out = Vec::new();
        tree.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn digits_and_escapes_survive() {
        let text = r#"{"a":1.0000000000000000000,"b":123456789012345678901234567890,"c":"\u00e9\/x","d":[null,true,{}],"a":2.50}"#;
        let tree = Tree::parse(text.as_bytes()).unwrap();
        assert_eq!(
            written(&tree),
            r#"{"a":2.50,"b":123456789012345678901234567890,"c":"\u00e9\/x","d":[null,true,{}]}"#
        );
        assert_eq!(tree.get("c").unwrap().as_text().as_deref(), Some("é/x"));
        assert_eq!(tree.to_value()["b"], json!("123456789012345678901234567890"));
    }

    #[test]
    fn many_keys_are_still_unique() {
        let body: String = (0..100).map(|i| format!("\"k{}\":{i},", i % 60)).collect();
        let tree = Tree::parse(format!("{{{}\"z\":0}}", body).as_bytes()).unwrap();
        let Tree::Map(entries) = &tree else { panic!("no object") };
        assert_eq!(entries.len(), 61);
        assert_eq!(tree.get("k5").unwrap().as_text().as_deref(), Some("65"));
    }

    #[test]
    fn values_are_set_in_depth() {
        let mut tree = Tree::parse(br#"{"a":{"b":1},"c":5}"#).unwrap();
        tree.set(&["a", "d", "e"], Tree::from(&json!([1])));
        tree.set(&["c", "x"], Tree::null());
        assert_eq!(written(&tree), r#"{"a":{"b":1,"d":{"e":[1]}},"c":{"x":null}}"#);
        assert_eq!(tree.at(&["a", "d", "e", "0"]).unwrap().as_text().as_deref(), Some("1"));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{\"a\":}", "[1,]", "nul", "{\"\\ud800\":1}"] {
            assert!(Tree::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
