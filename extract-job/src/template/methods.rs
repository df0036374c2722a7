//! Python's methods on texts, lists and mappings, by minijinja's own compatibility layer where that is exact and bounded.
//! Guarantees: a method on an undefined or null value is an undefined error, and no result grows beyond the limits.

use minijinja::value::{Value, ValueKind, from_args};
use minijinja::{Error, State};
use minijinja_contrib::pycompat;

use super::engine::{capped, fail, undefined};
use super::filters;

/// Calls a method that the value does not have by itself.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match (value.kind(), method) {
        (ValueKind::Undefined | ValueKind::None, _) => Err(undefined()),
        (ValueKind::String, "replace") => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            filters::replace(value.clone(), old.into(), new.into(), count)
        }
        (ValueKind::String, "join") => {
            let (items,): (Value,) = from_args(args)?;
            filters::joined(&items, value.as_str().unwrap_or_default())
        }
        (ValueKind::String, "zfill") => {
            let (width,): (usize,) = from_args(args)?;
            let text = value.as_str().unwrap_or_default();
            capped(width)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let missing = width.saturating_sub(text.chars().count());
            Ok(Value::from(format!("{sign}{}{digits}", "0".repeat(missing))))
        }
        (ValueKind::String, "format") => {
            let text = value.as_str().unwrap_or_default();
            let arguments = args.iter().filter_map(|argument| argument.as_str()).map(str::len).sum::<usize>();
            // A wide field ({:9999999}) must not eat the memory.
            let mut run = 0;
            let widest = text.bytes().map(|byte| {
                run = if byte.is_ascii_digit() { run + 1 } else { 0 };
                run
            });
            if widest.max().unwrap_or(0) > 3 {
                return Err(fail("a width of more than three digits in format"));
            }
            capped(text.len().saturating_mul(arguments + 1))?;
            pycompat::unknown_method_callback(state, value, method, args)
        }
        _ => pycompat::unknown_method_callback(state, value, method, args),
    }
}
