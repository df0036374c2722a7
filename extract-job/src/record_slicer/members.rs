//! Reads of an answer only what templates look at: the values under some of its keys. All else is stepped over.
//! Guarantees: the whole text was checked to be well-formed; what is left out, the templates cannot tell from what is there.

use super::scanner::Scanner;
use super::{SliceError, fields::is_key, readable};
use crate::template::Sought;
use serde_json::{Map, Value};

/// The parts of a JSON text that are looked at, each in its place; nothing if it is not well-formed.
///
/// A list that no key is looked up in is empty, unless it is searched; a text, a number or a constant is always there.
pub(crate) fn members(body: &[u8], sought: &Sought) -> Option<Value> {
    std::str::from_utf8(body).ok()?;
    let mut scanner = Scanner::new(body);
    scanner.space();
    let value = read(&mut scanner, sought).ok()?;
    scanner.end().ok()?;
    Some(value)
}

fn read(scanner: &mut Scanner<'_>, sought: &Sought) -> Result<Value, SliceError> {
    let start = scanner.position();
    match scanner.peek() {
        Some(b'{') if !sought.is_whole() => object(scanner, sought),
        opening => {
            scanner.value()?;
            let is_skipped = opening == Some(b'[') && !sought.is_whole() && !sought.is_searched();
            let raw = &scanner.bytes()[start..scanner.position()];
            Ok(if is_skipped { Value::Array(Vec::new()) } else { readable::value(raw) })
        }
    }
}

fn object(scanner: &mut Scanner<'_>, sought: &Sought) -> Result<Value, SliceError> {
    let mut entries = Map::new();
    scanner.open()?;
    let mut more = !scanner.closes(b'}');
    while more {
        let key = scanner.key()?;
        match sought.keys().find(|(name, _)| is_key(key, name)) {
            Some((name, below)) => drop(entries.insert(name.to_owned(), read(scanner, below)?)),
            None => drop(scanner.value()?),
        }
        more = scanner.more(b'}')?;
    }
    Ok(Value::Object(entries))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::template::{Context, Names, Template};
    use serde_json::json;

    fn sought(text: &str) -> Option<Sought> {
        Template::parse(text, Names::ERROR).unwrap().reads("response").cloned()
    }

    #[test]
    fn only_what_a_template_looks_at_is_read() {
        let body =
            br#" {"error": {"code": 7, "more": [1]}, "data": [{"id": 1}, {"id": 2}], "n": 5, "data2": [3], "n": 6} "#;
        let cases = [
            ("{{ response.error }}", json!({"error": {"code": 7, "more": [1]}})),
            ("{{ response.error.code == 7 }}", json!({"error": {"code": 7}})),
            ("{{ (response['error'] or {}).code }}", json!({"error": {"code": 7, "more": [1]}})),
            ("{{ response.get('error', {}).get('code') and response.n }}", json!({"error": {"code": 7}, "n": 6})),
            ("{{ 'error' in response or 'data' not in response }}", {
                json!({"error": {"code": 7, "more": [1]}, "data": [{"id": 1}, {"id": 2}]})
            }),
            ("{{ response.data.error }}", json!({"data": []})),
            ("{% for x in response.data2 %}{{ x }}{% endfor %}", json!({"data2": [3]})),
            ("{{ response.absent is defined }}", json!({})),
        ];
        for (text, expected) in cases {
            let sought = sought(text).unwrap();
            assert!(!sought.is_whole(), "{text}");
            assert_eq!(members(body, &sought), Some(expected), "{text}");
        }
        assert_eq!(members(b"{\"a\": 1}, 2", &sought("{{ response.a }}").unwrap()), None, "not well-formed");
    }

    #[test]
    fn what_gets_at_an_answer_otherwise_needs_all_of_it() {
        for text in [
            "{{ response }}",
            "{{ response | length > 3 }}",
            "{% for x in response %}{{ x }}{% endfor %}",
            "{{ response[config.key] }}",
            "{{ response.get(config.key) }}",
            "{{ response.items() }}",
            "{{ config.key in response }}",
            "{{ (response or {}).error }}",
            "{% set r = response %}{{ r.error }}",
            "{{ response[0] }}",
            "{{ response == {} }}",
        ] {
            assert!(sought(text).unwrap().is_whole(), "{text}");
        }
        assert_eq!(sought("{{ headers.response and 'response.error' }}"), None);
    }

    /// Whatever the answer, a template says of the parts what it says of the whole.
    #[test]
    fn the_parts_say_what_the_whole_says() {
        let bodies = [
            r#"{"error": {"code": 1001, "message": "no"}, "data": [1, 2]}"#,
            r#"{"error": "no", "errors": ["a", "No calls found"]}"#,
            r#"{"error": null, "errors": {"a": 1}}"#,
            r#"{"error": [{"code": 1}], "errors": []}"#,
            r#"["error", "errors"]"#,
            r#"[{"error": 1}]"#,
            r#""an error""#,
            "null",
            "7",
            "{}",
            "[]",
            r#"{"error": "a", "error": {"code": "b"}}"#,
            "<html>",
        ];
        let texts = [
            "{{ response.error }}",
            "{{ (response.error or {}).code in [1001, '1001'] }}",
            "{{ 'No calls found' in (response.errors or []) }}",
            "{{ 'error' in response }}",
            "{{ 'errors' not in response }}",
            "{{ response.error.code }}",
            "{{ response.get('error') }}",
            "{{ response.get('error', 'none').code }}",
            "{{ response['error']['code'] is defined }}",
            "{{ response.error.message or response.error }}",
            "{{ response.errors | length }}",
            "{{ response.error.get('code') }}",
        ];
        for body in bodies {
            for text in texts {
                let template = Template::parse(text, Names::ERROR).unwrap();
                let whole = serde_json::from_slice(body.as_bytes()).unwrap_or_else(|_| json!({}));
                let parts = members(body.as_bytes(), template.reads("response").unwrap()).unwrap_or_else(|| json!({}));
                let said = |response: Value| {
                    let context = Context::new(chrono::Utc::now()).with(Names::RESPONSE, response);
                    (
                        template.condition(&context).map_err(|e| e.to_string()),
                        template.text(&context).map_err(|e| e.to_string()),
                    )
                };
                assert_eq!(said(parts), said(whole), "{text} of {body}");
            }
        }
    }
}
