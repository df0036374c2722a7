//! Values as YAML that reads back exactly: plain where nothing can be mistaken, else in JSON's quotes, which YAML shares.

use serde_json::Value;

/// Words that YAML, or an older YAML, takes for something else than a text.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

/// An entry of a mapping, with what is below it, as lines.
pub(crate) fn entry(out: &mut String, indent: usize, key: &str, value: &Value) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push_str(&format!("{margin}{}:\n", text(key)));
            map.iter().for_each(|(key, value)| entry(out, indent + 2, key, value));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            out.push_str(&format!("{margin}{}:\n", text(key)));
            items.iter().for_each(|item| out.push_str(&format!("{margin}  - {}\n", flow(item))));
        }
        value => out.push_str(&format!("{margin}{}: {}\n", text(key), flow(value))),
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", text(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text, in quotes where it needs them.
pub(crate) fn text(text: &str) -> String {
    let first = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.' | '/');
    let inside = |c: char| first(c) || c.is_ascii_digit() || c == '-';
    let lower = text.to_lowercase();
    let is_other = WORDS.contains(&lower.as_str())
        || text.parse::<f64>().is_ok()
        || lower.starts_with(".inf")
        || lower.starts_with(".nan");
    if text.starts_with(first) && text.chars().all(inside) && !is_other && !text.starts_with("...") {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // What YAML calls not printable, and what some programs take for the end of a line.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text inside of a comment: on one line, whatever it holds.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        contract::yaml::parse(text).unwrap().to_json()
    }

    #[test]
    fn values_are_written_as_people_write_them() {
        let mut out = String::new();
        let value = json!({
            "id": "00501", "url": "https://a.example/x", "path": "./data/w", "flag": "true", "count": 7, "list": ["a", "b c"],
            "inner": {"a-b": 1.5, "none": null}, "empty": {}, "items": [{"id": 7, "keys": ["x"]}], "secret": "${env:X}",
        });
        entry(&mut out, 2, "config", &value);
        let expected = "  config:\n    id: \"00501\"\n    url: \"https://a.example/x\"\n    path: ./data/w\n    flag: \"true\"\n    count: 7\n    \
                        list: [a, \"b c\"]\n    inner:\n      a-b: 1.5\n      none: null\n    empty: {}\n    items:\n      \
                        - {id: 7, keys: [x]}\n    secret: \"${env:X}\"\n";
        assert_eq!(out, expected);
        assert_eq!(read(&out), json!({"config": value}));
    }

    fn values() -> impl Strategy<Value = Value> {
        let texts = prop_oneof![
            "[ -~\n\r\t\u{7f}\u{85}\u{2028}\u{feff}éß✓]{0,12}",
            "(true|no|~|null|Yes|1e3|0x1f|.5|.inf|-|---|[.]{3}|# a|a: b|a #b|01|1_0|2026-01-31|=|<<)"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9f64).prop_map(Value::from),
            texts.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z .#:-]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_reads_back_exactly(value in values()) {
            let mut out = String::new();
            entry(&mut out, 0, "key", &value);
            prop_assert_eq!(read(&out), json!({"key": value}), "{}", out);
        }
    }
}
