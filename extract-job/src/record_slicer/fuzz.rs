//! Fuzzing of the slicer: documents grown from the JSON grammar, whole and damaged, sliced at random paths.
//! The documents know their own meaning, and a small reader of their trees says what the documented rules find in them.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

/// A JSON document as it is written: repeated keys, digits and escapes stay.
#[derive(Debug, Clone)]
enum Doc {
    Word(&'static str),
    Number(String),
    Text(Text),
    List(Vec<Doc>),
    Object(Vec<(Text, Doc)>),
}

/// A text in pieces: how each is written, and the UTF-16 that it stands for.
#[derive(Debug, Clone)]
struct Text(Vec<(String, Vec<u16>)>);

impl Text {
    fn written(&self) -> String {
        self.0.iter().map(|(written, _)| written.as_str()).collect()
    }

    fn units(&self) -> Vec<u16> {
        self.0.iter().flat_map(|(_, units)| units).copied().collect()
    }

    fn meaning(&self) -> String {
        String::from_utf16_lossy(&self.units())
    }

    /// Which key it is: one that is no text is only itself.
    fn identity(&self) -> Vec<u16> {
        self.units()
    }
}

impl Doc {
    /// The text, with the given white space between the tokens, one after the other.
    fn print(&self, spaces: &mut impl FnMut() -> &'static str, out: &mut String) {
        let between = |out: &mut String, index: usize, space: &'static str| {
            if index > 0 {
                out.push(',');
                out.push_str(space);
            }
        };
        match self {
            Doc::Word(word) => out.push_str(word),
            Doc::Number(digits) => out.push_str(digits),
            Doc::Text(text) => out.push_str(&format!("\"{}\"", text.written())),
            Doc::List(items) => {
                out.push('[');
                out.push_str(spaces());
                for (index, item) in items.iter().enumerate() {
                    between(out, index, spaces());
                    item.print(spaces, out);
                    out.push_str(spaces());
                }
                out.push(']');
            }
            Doc::Object(entries) => {
                out.push('{');
                out.push_str(spaces());
                for (index, (key, value)) in entries.iter().enumerate() {
                    between(out, index, spaces());
                    out.push_str(&format!("\"{}\"{}:{}", key.written(), spaces(), spaces()));
                    value.print(spaces, out);
                    out.push_str(spaces());
                }
                out.push('}');
            }
        }
    }

    fn compact(&self) -> String {
        let mut out = String::new();
        self.print(&mut || "", &mut out);
        out
    }

    /// The value, with the replacement character for half surrogate pairs; a number beyond a double is its digits.
    fn value(&self) -> Value {
        match self {
            Doc::Word("null") => Value::Null,
            Doc::Word(word) => json!(*word == "true"),
            Doc::Number(digits) => serde_json::from_str(digits).unwrap_or_else(|_| json!(digits)),
            Doc::Text(text) => json!(text.meaning()),
            Doc::List(items) => items.iter().map(Doc::value).collect(),
            Doc::Object(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.meaning(), value.value())).collect())
            }
        }
    }

    fn is_falsy(&self) -> bool {
        match self {
            Doc::Word(word) => *word != "true",
            Doc::Number(digits) => {
                !digits.split(['e', 'E']).next().unwrap().contains(|c: char| ('1'..='9').contains(&c))
            }
            Doc::Text(text) => text.0.is_empty(),
            Doc::List(items) => items.is_empty(),
            Doc::Object(entries) => entries.is_empty(),
        }
    }
}

/// The entries as a reader sees them: a repeated key has its last value, in the place of its first.
fn seen(entries: &[(Text, Doc)]) -> Vec<(&Text, &Doc)> {
    let mut seen: Vec<(&Text, &Doc)> = Vec::new();
    for (key, value) in entries {
        match seen.iter_mut().find(|(have, _)| have.identity() == key.identity()) {
            Some(have) => have.1 = value,
            None => seen.push((key, value)),
        }
    }
    seen
}

/// The values at a path below one value; `all` includes those that a repeated key hides.
fn at<'d>(doc: &'d Doc, path: &[&str], all: bool) -> Vec<&'d Doc> {
    let Some((segment, below)) = path.split_first() else { return vec![doc] };
    let next: Vec<&Doc> = match doc {
        Doc::Object(entries) => {
            let entries = if all { entries.iter().map(|(key, value)| (key, value)).collect() } else { seen(entries) };
            let wanted = |key: &Text| *segment == "*" || key.identity() == segment.encode_utf16().collect::<Vec<_>>();
            entries.into_iter().filter(|(key, _)| wanted(key)).map(|(_, value)| value).collect()
        }
        Doc::List(items) if *segment == "*" => items.iter().collect(),
        Doc::List(items) => segment.parse().ok().and_then(|index: usize| items.get(index)).into_iter().collect(),
        _ => Vec::new(),
    };
    next.into_iter().flat_map(|value| at(value, below, all)).collect()
}

/// What `slice` must find; nothing where it must refuse.
fn expected<'d>(doc: &'d Doc, path: &[&str]) -> Option<Vec<&'d Doc>> {
    let roots: Vec<&Doc> = match doc {
        Doc::List(items) if !path.is_empty() => items.iter().collect(),
        _ => vec![doc],
    };
    let places = |all| roots.iter().flat_map(move |root| at(root, path, all));
    if path.contains(&"*") {
        return Some(places(false).collect());
    }
    // A single value at the records' place is refused even where a repeated key hides it.
    let refused = |place: &Doc| !place.is_falsy() && !matches!(place, Doc::List(_) | Doc::Object(_));
    if places(true).any(refused) {
        return None;
    }
    let records = |place: &'d Doc| match place {
        Doc::List(items) => items.iter().collect(),
        Doc::Object(entries) if !entries.is_empty() => vec![place],
        _ => Vec::new(),
    };
    Some(places(false).flat_map(records).collect())
}

/// What `Keep::Rest` must leave.
fn rest(doc: &Doc, path: &[&str]) -> Value {
    fn below(doc: &Doc, path: &[&str], wild: bool) -> Value {
        match (doc, path.split_first()) {
            (Doc::List(_), _) => json!([]),
            (_, None) if wild => json!([]),
            (Doc::Object(entries), Some((segment, path))) => {
                let named =
                    |key: &Text| *segment == "*" || key.identity() == segment.encode_utf16().collect::<Vec<_>>();
                let value = |(key, value): &(Text, Doc)| {
                    (key.meaning(), if named(key) { below(value, path, wild) } else { value.value() })
                };
                Value::Object(entries.iter().map(value).collect())
            }
            _ => doc.value(),
        }
    }
    let wild = path.contains(&"*");
    match doc {
        Doc::List(items) if !path.is_empty() => items.iter().take(1).map(|first| below(first, path, wild)).collect(),
        _ => below(doc, path, wild),
    }
}

/// The text without the white space between its tokens.
fn squeezed(raw: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let mut out = String::new();
    for c in raw.chars() {
        if inside || !c.is_ascii_whitespace() {
            out.push(c);
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = c == '\\' && !escaped;
    }
    out
}

fn piece() -> impl Strategy<Value = (String, Vec<u16>)> {
    let plain = |c: char| (c.to_string(), c.encode_utf16(&mut [0; 2]).to_vec());
    let escapes = [("\\n", '\n'), ("\\\"", '"'), ("\\\\", '\\'), ("\\/", '/'), ("\\b", '\u{8}'), ("\\f", '\u{c}')];
    prop_oneof![
        4 => select(vec!['a', 'z', '0', ' ', ':', '{', ']', ',', '/', '\'', '\u{7f}', 'é', '€', '😀']).prop_map(plain),
        2 => select(escapes.to_vec()).prop_map(|(written, c)| (written.to_owned(), vec![c as u16])),
        1 => any::<u16>().prop_map(|unit| (format!("\\u{unit:04x}"), vec![unit])),
        1 => (0xD7FF_u16..0xE001).prop_map(|unit| (format!("\\u{unit:04X}"), vec![unit])),
        1 => any::<char>().prop_map(|c| {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            (units.iter().map(|unit| format!("\\u{unit:04x}")).collect(), units)
        }),
    ]
}

/// Few different keys, so that paths hit and keys repeat; some written with escapes.
fn key() -> impl Strategy<Value = Text> {
    let named = (select(vec!["a", "b", "data", "0", "1", "é", "", "*"]), any::<u8>()).prop_map(|(name, escaped)| {
        let units = name.encode_utf16().enumerate().map(|(index, unit)| match escaped >> (index % 8) & 1 {
            1 if escaped > 127 => (format!("\\u{unit:04x}"), vec![unit]),
            _ => (char::from_u32(u32::from(unit)).unwrap().to_string(), vec![unit]),
        });
        Text(units.collect())
    });
    prop_oneof![6 => named, 1 => vec(piece(), 0..4).prop_map(Text)]
}

fn doc() -> impl Strategy<Value = Doc> {
    let leaf = prop_oneof![
        2 => select(vec!["null", "true", "false"]).prop_map(Doc::Word),
        2 => "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?".prop_map(Doc::Number),
        1 => select(vec!["0", "-0", "0.0e5", "1e999", "-1E400", "18446744073709551616"]).prop_map(|n| Doc::Number(n.into())),
        2 => vec(piece(), 0..20).prop_map(|pieces| Doc::Text(Text(pieces))),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        prop_oneof![vec(inner.clone(), 0..5).prop_map(Doc::List), vec((key(), inner), 0..5).prop_map(Doc::Object),]
    })
}

fn spaced(doc: &Doc, spaces: &[&'static str]) -> String {
    let mut at = 0;
    let mut next = || {
        at += 1;
        if spaces.is_empty() { "" } else { spaces[at % spaces.len()] }
    };
    let mut out = next().to_owned();
    doc.print(&mut next, &mut out);
    out.push_str(next());
    out
}

fn spaces() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(vec!["", "", " ", "\n", "\r\n  ", "\t"]), 0..8)
}

fn path() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(vec!["a", "b", "data", "0", "1", "é", "", "*"]), 0..4)
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn documents_are_sliced_by_the_rules(doc in doc(), path in path(), spaces in spaces()) {
        let body = spaced(&doc, &spaces);
        let sliced = slice(body.as_bytes(), &path, Keep::Rest);
        let Some(records) = expected(&doc, &path) else {
            prop_assert!(matches!(sliced, Err(SliceError::NotRecords { .. })), "{body} {path:?} {sliced:?}");
            return Ok(());
        };
        let sliced = sliced.unwrap();
        let found: Vec<String> = sliced.records.iter().map(|range| squeezed(&body[range.clone()])).collect();
        prop_assert_eq!(found, records.iter().map(|record| record.compact()).collect::<Vec<_>>(), "{} {:?}", body, path);
        prop_assert_eq!(&sliced.rest, &rest(&doc, &path), "{} {:?}", body, path);
        let whole = slice(body.as_bytes(), &path, Keep::Whole).unwrap();
        prop_assert_eq!(&whole.records, &sliced.records);
        prop_assert_eq!(whole.rest, doc.value());
        prop_assert_eq!(slice(body.as_bytes(), &path, Keep::Nothing).unwrap().records, sliced.records);
    }

    #[test]
    fn records_are_laid_on_one_line_and_their_fields_read(doc in doc(), spaces in spaces(), name in key()) {
        let body = spaced(&doc, &spaces);
        let line = one_line(body.as_bytes());
        prop_assert!(!line.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
        prop_assert_eq!(line.len(), body.len());
        prop_assert_eq!(squeezed(std::str::from_utf8(&line).unwrap()), doc.compact());
        let Ok(name) = String::from_utf16(&name.units()) else { return Ok(()) };
        let entries = if let Doc::Object(entries) = &doc { entries.as_slice() } else { &[] };
        let first = entries.iter().find(|(key, _)| String::from_utf16(&key.units()).is_ok_and(|key| key == name));
        let text = match first.map(|(_, value)| value) {
            Some(Doc::Text(text)) => String::from_utf16(&text.units()).ok(),
            Some(Doc::Number(digits)) => Some(digits.clone()),
            _ => None,
        };
        prop_assert_eq!(text_of_field(body.trim_start().as_bytes(), &name).map(Cow::into_owned), text);
    }

    #[test]
    fn damaged_documents_are_refused_where_a_json_parser_refuses_them(
        doc in doc(),
        path in path(),
        spaces in spaces(),
        damage in vec((any::<Index>(), any::<Index>(), 0..5, any::<u8>(), select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "null", "tru", "-", "0", ".", "e", "01", "\u{0}", "\u{feff}", "é",
        ])), 1..3),
    ) {
        let mut body = spaced(&doc, &spaces).into_bytes();
        for (from, to, how, byte, token) in damage {
            let from = from.index(body.len() + 1);
            let to = from + to.index(body.len() - from + 1).min(12);
            match how {
                0 => drop(body.drain(from..to)),
                1 => body.splice(from..from, body[from..to].to_vec()).for_each(drop),
                2 => body.splice(from..from, token.bytes()).for_each(drop),
                3 => body.truncate(from),
                _ if from < body.len() => body[from] = byte,
                _ => body.push(byte),
            }
        }
        let valid = std::str::from_utf8(&body).is_ok() && serde_json::from_slice::<&RawValue>(&body).is_ok();
        for keep in [Keep::Nothing, Keep::Rest, Keep::Whole] {
            let ours = slice(&body, &path, keep);
            let fits = if valid { matches!(ours, Ok(_) | Err(SliceError::NotRecords { .. })) } else { ours.is_err() };
            prop_assert!(fits, "{} {:?}", String::from_utf8_lossy(&body), ours);
        }
        let _ = (one_line(&body), text_of_field(&body, "a"));
    }

    #[test]
    fn nesting_ends_in_an_error(levels in 0_usize..400, object in any::<u64>(), close in any::<bool>(), path in path()) {
        let is_object = |level: usize| object >> (level % 64) & 1 == 1;
        let mut body: String = (0..levels).map(|level| if is_object(level) { "{\"a\":" } else { "[" }).collect();
        body.push_str("null");
        if close {
            body.extend((0..levels).rev().map(|level| if is_object(level) { '}' } else { ']' }));
        }
        let sliced = slice(body.as_bytes(), &path, Keep::Whole);
        prop_assert_eq!(sliced.is_ok(), levels <= scanner::MAX_DEPTH && (close || levels == 0));
    }
}
