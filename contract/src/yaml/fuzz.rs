//! Fuzzing of the YAML reader: any text ends in a tree or an error whose lines lie within the text.
//! JSON is YAML, so `serde_json` says what documents grown from its grammar must read as.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};

use super::*;

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() }
}

/// Parses a text and checks every line that is told.
fn check(text: &str) -> Result<(), TestCaseError> {
    let lines = text.split(['\n', '\r']).count();
    match parse(text) {
        Ok(root) => places(&root, lines),
        Err(error) => {
            prop_assert!(error.line <= lines, "{text:?}: {error}");
            Ok(())
        }
    }
}

fn places(node: &Node, lines: usize) -> Result<(), TestCaseError> {
    prop_assert!((1..=lines).contains(&node.line) && node.column >= 1, "{node:?}");
    node.items().iter().try_for_each(|item| places(item, lines))?;
    node.entries().iter().try_for_each(|entry| {
        prop_assert!((1..=lines).contains(&entry.line), "{entry:?}");
        places(&entry.value, lines)
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(vec![
            json!(null),
            json!(true),
            json!(0),
            json!(-0.0),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(""),
            json!("<<")
        ]),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        select(vec![
            "yes",
            "~",
            "null",
            "0x1f",
            "1_000",
            "00501",
            "2024-01-01",
            "- a",
            "a: b",
            "#",
            "&a",
            "*a",
            "!!int 3",
            "|",
            "1e5"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec(("[a-z$<# é:'\"\\\\\n-]{0,6}", inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

const TOKENS: &[&str] = &[
    "a",
    "b: ",
    ": ",
    "- ",
    "-",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\n",
    "\n  ",
    "\n    ",
    "\r\n",
    "\r",
    "\t",
    "&a ",
    "*a",
    "*b",
    "<<: ",
    "!!str ",
    "!x ",
    "!",
    "'",
    "\"",
    "\\",
    "\\u12",
    "|\n",
    ">-\n ",
    "|2",
    "%YAML 1.2\n",
    "---",
    "---\n",
    "...\n",
    "#",
    " # c",
    "~",
    "1",
    "1e999",
    "0x",
    "yes",
    "\u{feff}",
    "\u{0}",
    "\u{85}",
    "\u{2028}",
    "é",
    "😀",
    "@",
    "`",
    "%",
];

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn json_reads_as_json(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        match parse(&text) {
            Ok(node) => prop_assert_eq!(node.to_json(), value, "{}", text),
            Err(error) => prop_assert!(value.is_null() && error.message.contains("empty"), "{text}: {error}"),
        }
        check(&text)?;
    }

    #[test]
    fn heaps_of_tokens_end(tokens in vec(select(TOKENS), 0..30)) {
        check(&tokens.concat())?;
    }

    #[test]
    fn damaged_documents_end(value in value(), edits in vec((any::<Index>(), any::<Index>(), select(TOKENS)), 1..4)) {
        let mut text: Vec<char> = serde_json::to_string_pretty(&value).unwrap().chars().collect();
        for (from, to, token) in edits {
            let from = from.index(text.len() + 1);
            let to = from + to.index(text.len() - from + 1).min(6);
            text.splice(from..to, token.chars()).for_each(drop);
        }
        check(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn any_bytes_end(bytes in vec(any::<u8>(), 0..80)) {
        check(&String::from_utf8_lossy(&bytes))?;
    }
}
