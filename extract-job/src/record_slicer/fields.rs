//! Reads single fields out of a raw record, and lays a record on one line.
//! Guarantees: the rest of the record is never built; a record that is already on one line is not copied.

use std::borrow::Cow;

use super::SliceError;
use super::scanner::{Kind, Scanner};

/// A field's value as it stands in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawScalar<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is written: nothing is rounded.
    Number(&'a str),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An object or a list, raw.
    Nested(&'a [u8]),
}

/// Reads one field, possibly nested, of a raw record; `None` where it is missing. Of repeated keys the first counts.
///
/// # Errors
/// When the record is not well-formed JSON as far as it was read.
pub(super) fn field_of<'a>(record: &'a [u8], path: &[impl AsRef<str>]) -> Result<Option<RawScalar<'a>>, SliceError> {
    let mut scanner = Scanner::new(record);
    scanner.space();
    for segment in path {
        if !enter(&mut scanner, segment.as_ref())? {
            return Ok(None);
        }
    }
    let start = scanner.position();
    let kind = scanner.value()?;
    let raw = &record[start..scanner.position()];
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).map_err(|_| SliceError::NotUtf8 { offset: start });
    Ok(Some(match kind {
        Kind::Null => RawScalar::Null,
        Kind::True => RawScalar::Bool(true),
        Kind::False => RawScalar::Bool(false),
        Kind::Number => RawScalar::Number(text(raw)?),
        Kind::String => {
            RawScalar::String(unescaped(&raw[1..raw.len() - 1]).ok_or(SliceError::NotUtf8 { offset: start })?)
        }
        Kind::Object { .. } | Kind::Array => RawScalar::Nested(raw),
    }))
}

/// The text of a top-level field: a string unescaped, a number as it is written; `None` for anything else.
pub(crate) fn text_of_field<'a>(record: &'a [u8], field: &str) -> Option<Cow<'a, str>> {
    text_at(record, &[field])
}

/// The text of a field at a path, as [`text_of_field`] gives it.
pub(crate) fn text_at<'a>(record: &'a [u8], path: &[impl AsRef<str>]) -> Option<Cow<'a, str>> {
    match field_of(record, path).ok()?? {
        RawScalar::String(text) => Some(text),
        RawScalar::Number(digits) => Some(Cow::Borrowed(digits)),
        _ => None,
    }
}

/// Whether the record has a top-level field, whatever its value.
pub(crate) fn has_field(record: &[u8], field: &str) -> bool {
    field_of(record, &[field]).is_ok_and(|found| found.is_some())
}

/// The record on one line: newlines and carriage returns between its tokens become spaces, all else stays.
///
/// Valid only for well-formed JSON, where neither can stand inside a string.
pub(crate) fn one_line(record: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'\n', b'\r', record) else {
        return Cow::Borrowed(record);
    };
    let mut line = record.to_vec();
    for byte in &mut line[first..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    Cow::Owned(line)
}

/// Moves to the value of a key of the object at hand; false when there is none.
fn enter(scanner: &mut Scanner<'_>, segment: &str) -> Result<bool, SliceError> {
    if scanner.peek() != Some(b'{') {
        return Ok(false);
    }
    scanner.open()?;
    if scanner.closes(b'}') {
        return Ok(false);
    }
    loop {
        let key = scanner.key()?;
        if is_key(key, segment) {
            return Ok(true);
        }
        scanner.value()?;
        if !scanner.more(b'}')? {
            return Ok(false);
        }
    }
}

/// Whether a key, as it is written, spells the segment.
pub(super) fn is_key(key: &[u8], segment: &str) -> bool {
    if key == segment.as_bytes() {
        return !key.contains(&b'\\');
    }
    key.contains(&b'\\') && unescaped(key).is_some_and(|key| key == segment)
}

/// The text of a string as it is written between its quotes; `None` for lone surrogates, which no text holds.
pub(crate) fn unescaped(written: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', written).is_none() {
        return std::str::from_utf8(written).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", written, b"\""].concat();
    serde_json::from_slice(&quoted).ok().map(Cow::Owned)
}
