//! Turns values of templates into JSON.
//! Guarantees: bounded size and depth; what JSON cannot hold (instants, infinite or very large numbers) becomes text.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};
use serde_json::{Map, Number, Value as Json};

use super::engine::{MAX_ITEMS, fail};
use super::python_text;

/// Values nested deeper than this are refused.
const MAX_DEPTH: usize = 128;

/// The value as JSON. Undefined becomes the empty text, as it prints.
pub(super) fn to_json(value: &Value) -> Result<Json, Error> {
    convert(value, 0, &mut (MAX_ITEMS * 20))
}

fn convert(value: &Value, depth: usize, left: &mut usize) -> Result<Json, Error> {
    if depth > MAX_DEPTH || *left == 0 {
        return Err(fail("the value is too large"));
    }
    *left -= 1;
    Ok(match value.kind() {
        ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => match number(value) {
            Some(number) => Json::Number(number),
            None => Json::String(python_text::of(value)?),
        },
        ValueKind::Map => {
            let mut entries = Map::new();
            for key in value.try_iter()? {
                let item = convert(&value.get_item(&key)?, depth + 1, left)?;
                let name = match key.kind() {
                    ValueKind::None => "null".to_owned(),
                    ValueKind::Bool => key.is_true().to_string(),
                    _ => python_text::of(&key)?,
                };
                entries.insert(name, item);
            }
            Json::Object(entries)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            Json::Array(value.try_iter()?.map(|item| convert(&item, depth + 1, left)).collect::<Result<_, _>>()?)
        }
        _ => Json::String(python_text::of(value)?),
    })
}

fn number(value: &Value) -> Option<Number> {
    if value.is_integer() {
        let number = i128::try_from(value.clone()).ok()?;
        return i64::try_from(number).map(Number::from).or_else(|_| u64::try_from(number).map(Number::from)).ok();
    }
    f64::try_from(value.clone()).ok().and_then(Number::from_f64)
}
