//! Tests of the literal reader: what Python reads, what it does not, and any text at all.
//! The tables follow the reference engine.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn texts_read_as_python_reads_them() {
    for (text, expected) in [
        ("12", json!(12)),
        ("+3", json!(3)),
        ("-3", json!(-3)),
        (" 5", json!(5)),
        ("1\n", json!(1)),
        ("\n7", json!(7)),
        ("5 # five", json!(5)),
        ("1_000", json!(1000)),
        ("0x10", json!(16)),
        ("0X_ff", json!(255)),
        ("0o17", json!(15)),
        ("0b1", json!(1)),
        ("00", json!(0)),
        ("1e5", json!(100000.0)),
        ("1.0", json!(1.0)),
        (".5", json!(0.5)),
        ("1.", json!(1.0)),
        ("-07.5", json!(-7.5)),
        ("18446744073709551615", json!(18446744073709551615u64)),
        ("True", json!(true)),
        ("False", json!(false)),
        ("None", json!(null)),
        ("'a'", json!("a")),
        ("\"a\"", json!("a")),
        ("'a' \"b\"", json!("ab")),
        (r"'\x41\u00e9\101\n\q'", json!("Aé A\n\\q".replace("é ", "é"))),
        (r"r'\n\''", json!(r"\n\'")),
        ("'''a\nb'''", json!("a\nb")),
        ("{\"a\": 1}", json!({"a": 1})),
        ("{'a': True, 1: None,}", json!({"a": true, "1": null})),
        ("{}", json!({})),
        ("[1,2]", json!([1, 2])),
        ("[ 1 ,\n [ ] , ]", json!([1, []])),
        ("1,2", json!([1, 2])),
        ("1,", json!([1])),
        ("(1, 2)", json!([1, 2])),
        ("()", json!([])),
        ("(1)", json!(1)),
    ] {
        assert_eq!(read(text).map(Literal::into_value), Some(expected), "{text:?}");
    }
}

#[test]
fn other_texts_stay_text() {
    for text in [
        "",
        " ",
        "007",
        "2024-01-01",
        "1,2x",
        "true",
        "false",
        "null",
        "{\"a\": true}",
        "1j",
        "1+2j",
        "--3",
        "1_",
        "_1",
        "1__0",
        "0x",
        "1e",
        "1.2.3",
        "12abc",
        "Truex",
        "[1",
        "[1 2]",
        "[,]",
        "(,)",
        "{1}",
        "{[1]: 2}",
        "'a",
        "'a\nb'",
        "b'a'",
        "f'a'",
        "a",
        "1 2",
        "123456789012345678901",
        "1e999",
        "'\\ud800'",
        "'\\N{DASH}'",
        "\n 5",
        "10:00",
        "+",
        "é",
        "1é",
        "...",
        "{'a' 1}",
        "-True",
    ] {
        assert_eq!(read(text), None, "{text:?}");
    }
    assert_eq!(read("1,2"), Some(Literal::Tuple(vec![json!(1), json!(2)])));
    assert_eq!(read(&"[".repeat(100_000)), None);
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC*") {
        let _ = read(&text);
    }

    #[test]
    fn text_close_to_literals_is_read_without_panic(text in "[-+0-9a-fxuUrNTe_.,:'\"\\\\\\[\\](){} \\n#é]{0,24}") {
        let _ = read(&text);
    }

    #[test]
    fn what_python_prints_reads_back(items in proptest::collection::vec(any::<(i64, String, Option<bool>)>(), 0..6)) {
        let value = json!({"items": items.iter().map(|(n, s, b)| json!([n, s, b])).collect::<Vec<_>>()});
        prop_assert_eq!(read(&python_text::of_json(&value)).map(Literal::into_value), Some(value));
    }
}
