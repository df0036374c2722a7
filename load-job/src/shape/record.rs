//! One record read: its top-level fields as names and raw value texts, borrowed from the line.
//! A line that is no JSON object is an error; nothing of it is guessed.

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The fields of one record, in their order.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// Reads a line into `fields` (cleared first).
///
/// # Errors
/// The line is not valid JSON, or no object.
pub(super) fn read<'a>(line: &'a [u8], fields: &mut Fields<'a>) -> Result<(), serde_json::Error> {
    use serde::de::Deserializer as _;
    fields.clear();
    // Checked as a whole, a line costs less than each of its values by itself.
    match std::str::from_utf8(line) {
        Ok(line) => {
            let mut deserializer = serde_json::Deserializer::from_str(line);
            deserializer.deserialize_map(Collect(fields))?;
            deserializer.end()
        }
        Err(_) => {
            let mut deserializer = serde_json::Deserializer::from_slice(line);
            deserializer.deserialize_map(Collect(fields))?;
            deserializer.end()
        }
    }
}

struct Collect<'f, 'a>(&'f mut Fields<'a>);

impl<'a> Visitor<'a> for Collect<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(FieldName(name)) = map.next_key()? {
            let value: &'a RawValue = map.next_value()?;
            self.0.push((name, value.get()));
        }
        Ok(())
    }
}

/// A name that is borrowed where it has no escapes (serde's own `Cow` always copies).
pub(super) struct FieldName<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for FieldName<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = FieldName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(FieldName(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(FieldName(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}
