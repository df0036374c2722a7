//! Prints values in Python's notation, which is what the reference engine's templates produce.
//! Guarantees: a list, mapping, boolean or null that is printed reads back through `literal`; output is bounded.

use std::fmt::Write as _;

use minijinja::value::ValueKind;
use serde_json::Value as Json;

use super::engine::{MAX_TEXT_BYTES, fail};
use super::temporal;

/// Values nested deeper than this are refused.
const MAX_DEPTH: usize = 128;

/// `str(value)` of a template's value: a string as it is, undefined as nothing, the rest in Python's notation.
///
/// # Errors
/// When the text would be longer than the engine's limit or the value is nested too deeply.
pub(crate) fn of(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    let mut out = String::new();
    if let Some(text) = value.as_str() {
        out.push_str(text);
    } else if !value.is_undefined() {
        write(&mut out, value, 0)?;
    }
    Ok(out)
}

fn write(out: &mut String, value: &minijinja::Value, depth: usize) -> Result<(), minijinja::Error> {
    if depth > MAX_DEPTH || out.len() > MAX_TEXT_BYTES {
        return Err(fail("the value is too large to be printed"));
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number if value.is_integer() => {
            let _ = write!(out, "{value}");
        }
        ValueKind::Number => float(out, f64::try_from(value.clone()).unwrap_or(f64::NAN)),
        ValueKind::String => quoted(out, value.as_str().unwrap_or_default()),
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(out, &key, depth + 1)?;
                out.push_str(": ");
                write(out, &value.get_item(&key)?, depth + 1)?;
            }
            out.push('}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
            out.push(open);
            let mut count = 0;
            for item in value.try_iter()? {
                if count > 0 {
                    out.push_str(", ");
                }
                write(out, &item, depth + 1)?;
                count += 1;
            }
            if value.is_tuple() && count == 1 {
                out.push(',');
            }
            out.push(close);
        }
        _ => match temporal::text(value) {
            Some(text) => out.push_str(&text),
            None => return Err(fail("a value of this kind cannot be printed")),
        },
    }
    Ok(())
}

/// `str(value)` of a JSON value, without quotes around a string.
pub(crate) fn of_json(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::String(text) => out.push_str(text),
        other => write_json(&mut out, other),
    }
    out
}

fn write_json(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("None"),
        Json::Bool(flag) => out.push_str(if *flag { "True" } else { "False" }),
        Json::Number(number) if number.is_f64() => float(out, number.as_f64().unwrap_or(f64::NAN)),
        Json::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Json::String(text) => quoted(out, text),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                quoted(out, key);
                out.push_str(": ");
                write_json(out, value);
            }
            out.push('}');
        }
    }
}

/// `repr(float)`: shortest digits that read back, exponent below 1e-4 and from 1e16 on.
pub(crate) fn float(out: &mut String, number: f64) {
    if !number.is_finite() {
        out.push_str(match number {
            n if n.is_nan() => "nan",
            n if n > 0.0 => "inf",
            _ => "-inf",
        });
        return;
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = match exponent {
        -4..16 if number.fract() == 0.0 => write!(out, "{number:.1}"),
        -4..16 => write!(out, "{number}"),
        ..-4 => write!(out, "{digits}e-{:02}", -exponent),
        16.. => write!(out, "{digits}e+{exponent:02}"),
    };
}

/// `repr(str)`: single quotes unless the text holds some and no double ones.
fn quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            ' ' => out.push(' '),
            c if c.is_control()
                || c.is_whitespace()
                || matches!(u32::from(c), 0xad | 0x200b..=0x200f | 0x2028..=0x202e | 0xfeff) =>
            {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use minijinja::value::Serde;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_python_prints_them() {
        for (value, expected) in [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(5), "5"),
            (json!(1.0), "1.0"),
            (json!(0.1), "0.1"),
            (json!(1e16), "1e+16"),
            (json!(1e15), "1000000000000000.0"),
            (json!(1.5e-7), "1.5e-07"),
            (json!(0.0001), "0.0001"),
            (json!("it's"), "it's"),
            (json!(["it's", "\"", "a\n\u{1}é"]), "[\"it's\", '\"', 'a\\n\\x01é']"),
            (json!({"b": [1, null], "a": {"x": false}}), "{'b': [1, None], 'a': {'x': False}}"),
            (json!({}), "{}"),
        ] {
            assert_eq!(of_json(&value), expected);
            assert_eq!(of(&minijinja::Value::from(Serde(&value))).unwrap(), expected);
        }
        assert_eq!(of(&minijinja::Value::from((1, "a"))).unwrap(), "(1, 'a')");
        assert_eq!(of(&minijinja::Value::from((1,))).unwrap(), "(1,)");
        assert_eq!(of(&minijinja::Value::UNDEFINED).unwrap(), "");
    }
}
