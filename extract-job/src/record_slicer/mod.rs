//! Slices the records out of a page's bytes, without building or printing them again.
//! Guarantees: the whole page was checked to be well-formed JSON; a record's bytes are exactly what the API sent.
//!
//! What counts as well-formed is the grammar alone. Numbers out of range and lone surrogates concern one record, not
//! the page: they are left to whoever reads the record.

mod fields;
mod members;
mod readable;
pub(crate) mod scanner;

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Value};
use thiserror::Error;

pub(crate) use fields::{has_field, one_line, text_at, text_of_field, unescaped};
pub(crate) use members::members;
pub(crate) use readable::value;

use fields::is_key;
use scanner::{Kind, Scanner};

/// A value beside the records that is longer than this is not read for [`Keep::Rest`].
const MAX_REST_BYTES: usize = 1 << 20;

/// Why a page could not be sliced. Messages hold no values.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SliceError {
    /// The body is not UTF-8.
    #[error("the body is not valid UTF-8 at byte {offset}")]
    NotUtf8 { offset: usize },
    /// The body is not JSON.
    #[error("the body is not valid JSON at byte {offset}: expected {expected}")]
    Syntax { offset: usize, expected: &'static str },
    /// The body is nested too deeply.
    #[error("the body is nested more than {} levels deep at byte {offset}", scanner::MAX_DEPTH)]
    TooDeep { offset: usize },
    /// At the records' place stands a text, a number or `true`.
    #[error("at byte {offset} the body has a single value where records are expected")]
    NotRecords { offset: usize },
}

/// What is read of a page beside its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing: `rest` is null.
    Nothing,
    /// The body with the lists of records emptied, which is what paging needs.
    Rest,
    /// The whole body, for templates that look into the records' place itself.
    Whole,
}

/// The records of a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sliced {
    /// Where each record stands in the body, in order.
    pub(crate) records: Vec<Range<usize>>,
    /// The body without its records, as [`Keep`] says. Of a body that is a list, the first element alone is in it.
    pub(crate) rest: Value,
}

/// Finds the records of a page at a path of keys, indexes and `*` (any key or index); an empty path is the whole body.
///
/// A list gives each item, an object itself; an empty object, null, `false`, zero, an empty text and a missing path give none.
/// With `*` in the path every match is one record. A body that is a list has the path applied to each element.
/// Of a repeated key the last one counts.
///
/// # Errors
/// When the body is not well-formed JSON, or a text, number or `true` stands where records are expected.
pub(crate) fn slice(body: &[u8], path: &[impl AsRef<str>], keep: Keep) -> Result<Sliced, SliceError> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(SliceError::NotUtf8 { offset: error.valid_up_to() });
    }
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    let mut slicer = Slicer { scanner: Scanner::new(body), records: Vec::new(), keep, wild: path.contains(&"*") };
    slicer.scanner.space();
    let mut rest = if slicer.scanner.peek() == Some(b'[') && !path.is_empty() {
        slicer.each_element(&path)?
    } else {
        slicer.resolve(&path)?
    };
    slicer.scanner.end()?;
    if keep == Keep::Whole {
        rest = readable::value(body);
    }
    Ok(Sliced { records: slicer.records, rest })
}

struct Slicer<'a> {
    scanner: Scanner<'a>,
    records: Vec<Range<usize>>,
    keep: Keep,
    wild: bool,
}

impl Slicer<'_> {
    /// Applies the path to each element of the list at hand; the rest is that of the first element.
    fn each_element(&mut self, path: &[&str]) -> Result<Value, SliceError> {
        let mut rest = Vec::new();
        self.scanner.open()?;
        if self.scanner.closes(b']') {
            return Ok(Value::Array(rest));
        }
        loop {
            let element = self.resolve(path)?;
            if rest.is_empty() {
                rest.push(element);
                if self.keep == Keep::Rest {
                    self.keep = Keep::Nothing;
                }
            }
            if !self.scanner.more(b']')? {
                return Ok(Value::Array(rest));
            }
        }
    }

    /// Steps over the value at hand, collects the records at the path below it, and returns what remains of it.
    fn resolve(&mut self, path: &[&str]) -> Result<Value, SliceError> {
        let Some((segment, below)) = path.split_first() else {
            return self.collect();
        };
        match self.scanner.peek() {
            Some(b'{') => self.object(segment, below),
            Some(b'[') => self.list(segment, below),
            _ => self.beside(),
        }
    }

    fn object(&mut self, segment: &str, below: &[&str]) -> Result<Value, SliceError> {
        let mut rest = Map::new();
        let found_before = self.records.len();
        let mut each_key = EachKey::default();
        self.scanner.open()?;
        if self.scanner.closes(b'}') {
            return Ok(Value::Object(rest));
        }
        loop {
            let key = self.scanner.key()?;
            let value = if segment == "*" {
                let value = self.resolve(below)?;
                each_key.put(key, self.records.split_off(found_before));
                value
            } else if is_key(key, segment) {
                self.records.truncate(found_before);
                self.resolve(below)?
            } else {
                self.beside()?
            };
            if self.keep == Keep::Rest {
                rest.insert(readable::text(key), value);
            }
            if !self.scanner.more(b'}')? {
                self.records.extend(each_key.found.into_iter().flatten());
                return Ok(Value::Object(rest));
            }
        }
    }

    fn list(&mut self, segment: &str, below: &[&str]) -> Result<Value, SliceError> {
        self.scanner.open()?;
        if self.scanner.closes(b']') {
            return Ok(Value::Array(Vec::new()));
        }
        let wanted = segment.parse::<usize>().ok();
        let keep = std::mem::replace(&mut self.keep, Keep::Nothing);
        let mut index = 0;
        loop {
            if segment == "*" || wanted == Some(index) {
                self.resolve(below)?;
            } else {
                self.scanner.value()?;
            }
            index += 1;
            if !self.scanner.more(b']')? {
                self.keep = keep;
                return Ok(Value::Array(Vec::new()));
            }
        }
    }

    /// At the end of the path: the value at hand is a list of records or one record.
    fn collect(&mut self) -> Result<Value, SliceError> {
        let start = self.scanner.position();
        if self.wild || self.scanner.peek() != Some(b'[') {
            let kind = self.scanner.value()?;
            let range = start..self.scanner.position();
            let raw = &self.scanner.bytes()[range.clone()];
            return match kind {
                _ if self.wild => {
                    self.records.push(range);
                    Ok(Value::Array(Vec::new()))
                }
                Kind::Object { empty } => {
                    if !empty {
                        self.records.push(range);
                    }
                    Ok(self.parsed(raw))
                }
                Kind::Null | Kind::False => Ok(self.parsed(raw)),
                Kind::String if raw.len() == 2 => Ok(self.parsed(raw)),
                Kind::Number if is_zero(raw) => Ok(self.parsed(raw)),
                _ => Err(SliceError::NotRecords { offset: start }),
            };
        }
        self.scanner.open()?;
        if self.scanner.closes(b']') {
            return Ok(Value::Array(Vec::new()));
        }
        loop {
            let start = self.scanner.position();
            self.scanner.value()?;
            self.records.push(start..self.scanner.position());
            if !self.scanner.more(b']')? {
                return Ok(Value::Array(Vec::new()));
            }
        }
    }

    /// Steps over a value beside the path and reads it if it is wanted.
    fn beside(&mut self) -> Result<Value, SliceError> {
        let start = self.scanner.position();
        self.scanner.value()?;
        let raw = &self.scanner.bytes()[start..self.scanner.position()];
        Ok(self.parsed(raw))
    }

    fn parsed(&self, raw: &[u8]) -> Value {
        if self.keep != Keep::Rest || raw.len() > MAX_REST_BYTES {
            return Value::Null;
        }
        readable::value(raw)
    }
}

/// What was found under each key of an object: a repeated key has its last value, in the place of its first.
#[derive(Default)]
struct EachKey {
    places: HashMap<Vec<u16>, usize>,
    found: Vec<Vec<Range<usize>>>,
}

impl EachKey {
    fn put(&mut self, key: &[u8], records: Vec<Range<usize>>) {
        let place = *self.places.entry(readable::units(key)).or_insert(self.found.len());
        match self.found.get_mut(place) {
            Some(hidden) => *hidden = records,
            None => self.found.push(records),
        }
    }
}

/// Whether a number, as it is written, is zero.
fn is_zero(raw: &[u8]) -> bool {
    let mantissa = raw.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    mantissa.iter().all(|byte| matches!(byte, b'0' | b'.' | b'-'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod fuzz;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
