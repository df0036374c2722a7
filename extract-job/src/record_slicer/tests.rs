//! Tests of the slicer: tables for the rules, and agreement with `serde_json` on arbitrary and on broken text.
//! They go through the public surface only.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::json;
use serde_json::value::RawValue;

use super::fields::{RawScalar, field_of};
use super::*;

fn records<'a>(body: &'a str, path: &[&str]) -> Vec<&'a str> {
    let sliced = slice(body.as_bytes(), path, Keep::Nothing).unwrap();
    sliced.records.into_iter().map(|range| &body[range]).collect()
}

#[test]
fn records_are_found_at_their_path() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (r#"{"data":[{"a":1},{"b":2}]}"#, &["data"], &[r#"{"a":1}"#, r#"{"b":2}"#]),
        (" {\n \"data\" : [ {\"a\": 1} ,\t{ } ] } ", &["data"], &[r#"{"a": 1}"#, "{ }"]),
        (r#"{"data":[]}"#, &["data"], &[]),
        (r#"{"data":null}"#, &["data"], &[]),
        (r#"{"data":{}}"#, &["data"], &[]),
        (r#"{"data":{ "a":[] }}"#, &["data"], &[r#"{ "a":[] }"#]),
        (r#"{"data":0.0e5,"x":""}"#, &["data"], &[]),
        (r#"{"data":0.0e5,"x":""}"#, &["x"], &[]),
        (r#"{"other":[1]}"#, &["data"], &[]),
        (r#"{"a":{"b":{"c":[1,"x",null]}}}"#, &["a", "b", "c"], &["1", "\"x\"", "null"]),
        (r#"{"a":[{"b":[1]},{"b":[2,3]}]}"#, &["a", "1", "b"], &["2", "3"]),
        (r#"{"a":5}"#, &["a", "b"], &[]),
        (r#"[{"a":1},2]"#, &[], &[r#"{"a":1}"#, "2"]),
        (r#"{"a":1}"#, &[], &[r#"{"a":1}"#]),
        ("{}", &[], &[]),
        ("[]", &[], &[]),
        ("null", &[], &[]),
        (r#"[{"d":[1]},{"d":[2]},{}]"#, &["d"], &["1", "2"]),
        (r#"{"x":{"id":1},"y":{"id":2}}"#, &["*"], &[r#"{"id":1}"#, r#"{"id":2}"#]),
        (r#"{"x":[1,null],"y":{"z":2}}"#, &["*", "*"], &["1", "null", "2"]),
        (r#"{"x":{"d":[1]},"y":{"e":3}}"#, &["*", "d"], &["[1]"]),
        (r#"{"d":[1],"d":[2]}"#, &["d"], &["2"]),
        (r#"{"d":1,"e":2,"d":3}"#, &["*"], &["3", "2"]),
        (r#"{"d\u0061ta":[1]}"#, &["data"], &["1"]),
        (r#"{"d\\":[1]}"#, &["d\\"], &["1"]),
        (r#"{"d\\":[1]}"#, &["d\\\\"], &[]),
        (r#"{"é":["\u00e9\ud83d"]}"#, &["é"], &[r#""\u00e9\ud83d""#]),
    ];
    for (body, path, expected) in cases {
        assert_eq!(&records(body, path), expected, "{body} at {path:?}");
    }
}

#[test]
fn what_remains_is_the_body_with_empty_lists() {
    let body = r#"{"page":1,"hasMore":true,"data":[{"id":1}],"meta":{"next":"a\u0062","n":[1]},"totalCount":12}"#;
    let rest = |body: &str, path: &[&str], keep| slice(body.as_bytes(), path, keep).unwrap().rest;
    assert_eq!(
        rest(body, &["data"], Keep::Rest),
        json!({"page": 1, "hasMore": true, "data": [], "meta": {"next": "ab", "n": [1]}, "totalCount": 12})
    );
    assert_eq!(rest(body, &["data"], Keep::Whole), serde_json::from_str::<Value>(body).unwrap());
    assert_eq!(rest(body, &["data"], Keep::Nothing), json!({}));
    assert_eq!(rest(r#"{"a":{"b":[1],"c":2}}"#, &["a", "b"], Keep::Rest), json!({"a": {"b": [], "c": 2}}));
    assert_eq!(rest(r#"{"id":1}"#, &[], Keep::Rest), json!({"id": 1}));
    assert_eq!(rest(r#"[{"d":[1],"x":1},{"d":[2],"x":2}]"#, &["d"], Keep::Rest), json!([{"d": [], "x": 1}]));
    assert_eq!(rest("[1,2]", &[], Keep::Rest), json!([]));
    let cut = r#"{"next":"b","title":"\ud83d","data":[{"n":1e999}]}"#;
    assert_eq!(rest(cut, &["data"], Keep::Rest), json!({"next": "b", "title": "\u{fffd}", "data": []}));
    assert_eq!(rest(cut, &["data"], Keep::Whole)["next"], "b", "one odd value does not hide where to go on");
    assert_eq!(rest(r#"{"a":[{"b":1}],"c":2}"#, &["a", "*"], Keep::Rest), json!({"a": [], "c": 2}));
}

#[test]
fn bad_bodies_are_told_with_their_place() {
    for (body, message) in [
        (&b""[..], "the body is not valid JSON at byte 0: expected a value"),
        (b"<html>", "the body is not valid JSON at byte 0: expected a value"),
        (b"{\"data\":[1,]}", "the body is not valid JSON at byte 11: expected a value"),
        (b"{\"data\":[1 2]}", "the body is not valid JSON at byte 11: expected `,` or `]`"),
        (b"{\"data\" 1}", "the body is not valid JSON at byte 8: expected `:`"),
        (b"{\"data\":1,}", "at byte 8 the body has a single value where records are expected"),
        (b"{\"a\":1,}", "the body is not valid JSON at byte 7: expected a key"),
        (b"{\"a\":\"x", "the body is not valid JSON at byte 7: expected `\"`"),
        (b"{\"a\":\"x\n\"}", "the body is not valid JSON at byte 7: expected no control character in a string"),
        (b"{\"a\":\"\\x\"}", "the body is not valid JSON at byte 7: expected an escape"),
        (b"{\"a\":\"\\u12g4\"}", "the body is not valid JSON at byte 10: expected four hexadecimal digits"),
        (b"{\"a\":01}", "the body is not valid JSON at byte 6: expected `,` or `}`"),
        (b"{\"a\":-}", "the body is not valid JSON at byte 6: expected a digit"),
        (b"{\"a\":1.}", "the body is not valid JSON at byte 7: expected a digit"),
        (b"{\"a\":nul}", "the body is not valid JSON at byte 5: expected a value"),
        (b"{} x", "the body is not valid JSON at byte 3: expected the end of the text"),
        (b"{\"a\":\"\xff\"}", "the body is not valid UTF-8 at byte 6"),
        (b"\"oops\"", "at byte 0 the body has a single value where records are expected"),
    ] {
        let path: &[&str] = if body.starts_with(b"\"") { &[] } else { &["data"] };
        assert_eq!(slice(body, path, Keep::Rest).unwrap_err().to_string(), message);
    }
    let deep = |levels: usize| format!("{{\"data\":[{}{}]}}", "[".repeat(levels), "]".repeat(levels));
    assert!(slice(deep(125).as_bytes(), &["data"], Keep::Rest).is_ok());
    assert_eq!(slice(deep(126).as_bytes(), &["data"], Keep::Rest), Err(SliceError::TooDeep { offset: 135 }));
    assert!(slice("[".repeat(10_000_000).as_bytes(), &["data"], Keep::Rest).is_err());
}

#[test]
fn fields_are_read_without_the_rest() {
    let record = br#"{ "id": 90071992547409931, "n": {"a b": [1, {"x": 2}], "c": "\u00e9\n"}, "t": true, "z": null, "e\u0078": "k" }"#;
    let read = |path: &[&str]| field_of(record, path).unwrap();
    assert_eq!(read(&["id"]), Some(RawScalar::Number("90071992547409931")));
    assert_eq!(read(&["n", "c"]), Some(RawScalar::String("é\n".into())));
    assert_eq!(read(&["n", "a b"]), Some(RawScalar::Nested(br#"[1, {"x": 2}]"#)));
    assert_eq!(read(&["t"]), Some(RawScalar::Bool(true)));
    assert_eq!(read(&["z"]), Some(RawScalar::Null));
    assert_eq!(read(&["ex"]), Some(RawScalar::String("k".into())));
    assert_eq!(read(&["missing"]), None);
    assert_eq!(read(&["id", "x"]), None);
    assert_eq!(text_of_field(record, "id").as_deref(), Some("90071992547409931"));
    assert_eq!(text_of_field(record, "z"), None);
    assert!(field_of(b"{\"a\"", &["a"]).is_err());
}

#[test]
fn records_are_laid_on_one_line() {
    assert!(matches!(one_line(b"{\"a\": 1}"), Cow::Borrowed(_)));
    assert_eq!(&*one_line(b"{\r\n  \"a\\n\": 1\n}"), b"{    \"a\\n\": 1 }");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z\"\\\\\n\u{1}é😀]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec(("[a-dé\"]{0,4}", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn valid_json_is_sliced_as_serde_reads_it(items in proptest::collection::vec(json_value(), 0..6), beside in json_value(), pretty in any::<bool>()) {
        let value = json!({"before": beside, "data": items, "after": beside});
        let body = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let sliced = slice(body.as_bytes(), &["data"], Keep::Rest).unwrap();
        let read: Vec<Value> = sliced.records.iter().map(|range| serde_json::from_str(&body[range.clone()]).unwrap()).collect();
        prop_assert_eq!(&read, &items);
        prop_assert_eq!(sliced.rest, json!({"before": beside, "data": [], "after": beside}));
        for (range, item) in sliced.records.into_iter().zip(&items) {
            let raw = &body.as_bytes()[range];
            let line = one_line(raw);
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(&serde_json::from_slice::<Value>(&line).unwrap(), item);
            for (key, field) in item.as_object().into_iter().flatten() {
                let read = field_of(raw, &[key]).unwrap().unwrap();
                let read = match read {
                    RawScalar::Null => Value::Null,
                    RawScalar::Bool(flag) => flag.into(),
                    RawScalar::Number(digits) => serde_json::from_str(digits).unwrap(),
                    RawScalar::String(text) => text.into(),
                    RawScalar::Nested(raw) => serde_json::from_slice(raw).unwrap(),
                };
                prop_assert_eq!(&read, field);
            }
        }
    }

    #[test]
    fn broken_json_is_refused_as_serde_refuses_it(value in json_value(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut body = serde_json::to_vec(&json!({"x": value})).unwrap();
        let at = at.index(body.len());
        if cut { body.truncate(at) } else { body[at] = byte }
        let ours = slice(&body, &["data"], Keep::Nothing);
        // `RawValue` checks the grammar alone, as the slicer does.
        let theirs = std::str::from_utf8(&body).is_ok() && serde_json::from_slice::<&RawValue>(&body).is_ok();
        prop_assert_eq!(!matches!(ours, Err(SliceError::Syntax { .. } | SliceError::NotUtf8 { .. })), theirs);
    }

    #[test]
    fn any_bytes_are_handled_without_panic(body in proptest::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}:,\"\\\\0-9eE+.truefalsn -]{0,40}") {
        for body in [&body[..], text.as_bytes()] {
            for path in [&[][..], &["a"], &["*", "0"]] {
                let _ = slice(body, path, Keep::Rest);
            }
            let _ = field_of(body, &["a", "b"]);
            let theirs = serde_json::from_slice::<&RawValue>(body).is_ok();
            prop_assert_eq!(slice(body, &["a", "b"], Keep::Whole).is_ok(), theirs);
        }
    }
}
