//! Templates and dates on their own, as the engine reads them: what the tests compare with the reference engine, entry by entry.
//! Not part of the program's interface; it may change with the engine.

use crate::template::{Context, Names, Template, datetime};
use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Map, Value, json};

/// The field that a template stands in, which decides what its result becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Any value, such as that of an added field.
    Value,
    /// Text alone: paths, addresses, tokens.
    Text,
    /// A query parameter or form field: a list of the values that are sent.
    Parameter,
    Header,
    Condition,
    /// An entry of a JSON body.
    Body,
}

/// What a template becomes at `now` with these names; nothing when its key is left out.
///
/// # Errors
/// The template is refused, or cannot be rendered.
pub fn render(
    template: &str,
    field: Field,
    names: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Option<Value>, String> {
    let mut context = Context::new(now);
    let mut allowed = Names::ANYWHERE;
    for (name, value) in names {
        let known = Names::by_name(name).ok_or_else(|| format!("there is no name {name}"))?;
        allowed = allowed | known;
        context.set(known, value.clone());
    }
    let template = Template::parse(template, allowed).map_err(|error| error.to_string())?;
    let rendered = match field {
        Field::Value => template.value(&context).map(Some),
        Field::Text => template.text(&context).map(|text| Some(text.into())),
        Field::Parameter => template.parameter(&context).map(|values| values.map(Value::from)),
        Field::Header => template.header(&context).map(|text| text.map(Value::from)),
        Field::Condition => template.condition(&context).map(|flag| Some(flag.into())),
        Field::Body => template.option(&context),
    };
    rendered.map_err(|error| error.to_string())
}

/// The moment that a text stands for, as microseconds since 1970 and the offset in seconds.
///
/// # Errors
/// The text does not have the shape of the format.
pub fn read_date(text: &str, format: &str) -> Result<Value, String> {
    let moment = datetime::parse(text, format).map_err(|error| error.to_string())?;
    Ok(json!([moment.timestamp_micros(), moment.offset().local_minus_utc()]))
}

/// A moment by a format.
pub fn print_date(moment: DateTime<FixedOffset>, format: &str) -> String {
    datetime::format(moment, format)
}
