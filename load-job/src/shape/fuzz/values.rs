//! JSON values for the fuzzing of the shaping: grown from the grammar, with texts and numbers at the edges of every type.
//! Each knows how it must look where half surrogate pairs have been replaced.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A field's value: how it is written, and the same with the replacement character for half surrogate pairs.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) written: String,
    pub(super) whole: String,
}

fn raw(written: impl Into<String>) -> Raw {
    let written = written.into();
    Raw { whole: written.clone(), written }
}

const TEXTS: &[&str] = &[
    "",
    "a",
    "00501",
    "true",
    "null",
    "12",
    "2026-01-31",
    "2026-02-30",
    "2026- 1-31",
    "2026-1-031",
    "9999-12-31",
    "0001-01-01",
    "0000-01-01",
    "2026-01-31T23:59:59Z",
    "2026-01-31T23:59:59.123456789012+07:00",
    "2026-01-31t23:59:59Z",
    "2026-01-31T23:59:60Z",
    "2026-01-31 23:59:59Z",
    "2026-01-31T23:59:59-00:00",
    "2026-01-31T23:59:59z",
    "2026-01-31T23:59:59",
    "2026-01-31 23:59:59.5",
    "2026-01-31T 1:02:03",
    "2026-01-31T1:2:3",
    "2026-01-31T24:00:00",
    "9999-12-31T23:59:59.999999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-01-31T23:59Z",
    "1969-12-31T23:59:59.9999999Z",
    "2026-01-31T23:59:59\u{2212}07:00",
    "é€😀",
];

/// A text with its quotes.
pub(super) fn text() -> impl Strategy<Value = Raw> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9 :,{}\\[\\]/é€😀\u{7f}-]".prop_map(raw),
        2 => select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\u0000", "\\u0041", "\\uD83D\\uDE00", "\\\\ud83d"]).prop_map(raw),
        1 => select(vec!["\\ud83d", "\\uDFFF", "\\uD800\\uD800"]).prop_map(|half| Raw {
            written: format!("{half}."),
            whole: format!("{}.", "\\ufffd".repeat(half.len() / 6)),
        }),
    ];
    let pieces = vec(piece, 0..12).prop_map(|pieces| Raw {
        written: pieces.iter().map(|piece| piece.written.as_str()).collect(),
        whole: pieces.iter().map(|piece| piece.whole.as_str()).collect(),
    });
    let content = prop_oneof![select(TEXTS).prop_map(raw), pieces];
    content.prop_map(|text| Raw { written: format!("\"{}\"", text.written), whole: format!("\"{}\"", text.whole) })
}

/// A number, often near the edges of the types.
pub(super) fn number() -> impl Strategy<Value = Raw> {
    prop_oneof![
        any::<i64>().prop_map(|number| raw(number.to_string())),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| raw(format!("{number:?}"))),
        "-?(0|[1-9][0-9]{0,31})".prop_map(raw),
        "-?(0|[1-9][0-9]{0,18})\\.[0-9]{1,12}".prop_map(raw),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?[eE][-+]?[0-9]{1,3}".prop_map(raw),
        select(vec![
            "0",
            "-0",
            "-0.0",
            "1.0",
            "0e999999999999",
            "1e-400",
            "1e999",
            "9007199254740993",
            "9223372036854775808",
            "99999999999999999999999999999.999999999",
            "99999999999999999999999999999",
            "1e28",
            "1e29",
            "0.1234567891",
            "0.123456789012345678",
            "123456789012345.1234567891",
            "1.5"
        ])
        .prop_map(raw),
    ]
}

/// Any JSON value.
pub(super) fn value() -> impl Strategy<Value = Raw> {
    let leaf = prop_oneof![
        1 => select(vec!["null", "true", "false"]).prop_map(raw),
        3 => number(),
        3 => text(),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let join = |items: Vec<Raw>, open: &str, close: &str| Raw {
            written: format!(
                "{open}{}{close}",
                items.iter().map(|i| i.written.as_str()).collect::<Vec<_>>().join(", ")
            ),
            whole: format!("{open}{}{close}", items.iter().map(|i| i.whole.as_str()).collect::<Vec<_>>().join(", ")),
        };
        let entry = (select(vec!["a", "b", "ä"]), inner.clone()).prop_map(|(key, value)| Raw {
            written: format!("\"{key}\": {}", value.written),
            whole: format!("\"{key}\": {}", value.whole),
        });
        prop_oneof![
            vec(inner, 0..4).prop_map(move |items| join(items, "[", "]")),
            vec(entry, 0..4).prop_map(move |items| join(items, "{", "}")),
        ]
    })
}
