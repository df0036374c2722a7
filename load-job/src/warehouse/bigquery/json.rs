//! JSON on its way into a BigQuery column, which keeps numbers as INT64 or FLOAT64 ("Work with JSON data"): a number that neither holds
//! becomes a text of the same digits, so that none is rounded silently.

use crate::shape::is_held_by_a_machine_number;
use std::borrow::Cow;

/// The text with the numbers quoted that would be rounded. `text` is valid JSON.
pub(super) fn keep_digits(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_text(bytes, at),
            b'-' | b'0'..=b'9' => {
                let end = at
                    + bytes[at..]
                        .iter()
                        .take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
                        .count();
                let number = &text[at..end];
                // Most numbers are short and plain, and up to 15 digits every one is held.
                let in_question = number.len() > 15 || number.contains(['e', 'E']);
                if in_question && !is_held_by_a_machine_number(number) {
                    let out = out.get_or_insert_with(|| String::with_capacity(text.len() + 2));
                    out.push_str(&text[copied..at]);
                    out.push('"');
                    out.push_str(number);
                    out.push('"');
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(&text[copied..]);
            Cow::Owned(out)
        }
    }
}

/// The place after the text that starts at `start`.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_would_be_rounded_become_texts() {
        let cases = [
            (r#"{"a":1,"b":[1.5,-2e3],"c":"12345678901234567890123"}"#, None),
            ("9007199254740993", None),
            ("12345678901234567890", Some(r#""12345678901234567890""#)),
            (
                r#"{"n":12345678901234567890,"t":"\"1e999","m":-1e999}"#,
                Some(r#"{"n":"12345678901234567890","t":"\"1e999","m":"-1e999"}"#),
            ),
            (r#"[0.1,1234567890.123456789]"#, Some(r#"[0.1,"1234567890.123456789"]"#)),
            ("\"open", None),
        ];
        for (text, expected) in cases {
            assert_eq!(keep_digits(text), expected.unwrap_or(text));
        }
    }
}
