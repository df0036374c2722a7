//! Type hints: from the stream's JSON Schema in the manifest (it travels in `batch.json`) and from the pipeline file, which wins.
//! A property whose schema says nothing clear has no hint.

use super::column_type::ColumnType;
use super::epoch::EpochUnit;
use contract::pipeline::{ColumnHint, StreamSettings};
use serde_json::Value;

/// The column of whole records, where a stream's entry asks for it; also what stands for its field.
pub const RAW_COLUMN: &str = "_etl_raw";

/// What is known of a field before its values are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The field.
    pub field: String,
    /// The type of its column.
    pub ty: ColumnType,
    /// How its values are read.
    pub reading: Reading,
}

/// How a field's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// As they were sent.
    #[default]
    AsSent,
    /// Numbers and texts of digits are times.
    Epoch(EpochUnit),
    /// Texts that are JSON objects or lists are what they say.
    JsonText,
    /// The field stands for the whole record.
    Record,
}

impl Hint {
    /// A field of this type, read as it was sent.
    pub fn of(field: &str, ty: ColumnType) -> Self {
        Self { field: field.to_owned(), ty, reading: Reading::AsSent }
    }
}

/// The hints of a stream, in the order of its schema; fields that only its entry in the pipeline file names come last.
pub fn hints(schema: Option<&Value>, entry: &StreamSettings) -> Vec<Hint> {
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let of_property = |(field, property): (&String, &Value)| {
        let (ty, reading) = property_type(property)?;
        Some(Hint { field: field.clone(), ty, reading })
    };
    let mut hints: Vec<Hint> = properties.into_iter().flatten().filter_map(of_property).collect();
    for (field, hint) in &entry.columns {
        let hint = Hint { field: field.clone(), ty: (*hint).into(), reading: reading(*hint) };
        match hints.iter_mut().find(|known| known.field == *field) {
            // That texts of a field are JSON is as true of a column that the entry says is JSON.
            Some(known) if known.reading == Reading::JsonText && hint.ty == ColumnType::Json => {}
            Some(known) => *known = hint,
            None => hints.push(hint),
        }
    }
    if entry.raw {
        hints.push(Hint { field: RAW_COLUMN.to_owned(), ty: ColumnType::Json, reading: Reading::Record });
    }
    hints
}

fn reading(hint: ColumnHint) -> Reading {
    match hint {
        ColumnHint::TimestampSeconds => Reading::Epoch(EpochUnit::Seconds),
        ColumnHint::TimestampMillis => Reading::Epoch(EpochUnit::Millis),
        ColumnHint::TimestampMicros => Reading::Epoch(EpochUnit::Micros),
        _ => Reading::AsSent,
    }
}

fn property_type(property: &Value) -> Option<(ColumnType, Reading)> {
    let unit = match property.get("x-epoch").and_then(Value::as_str) {
        Some("s") => Some(EpochUnit::Seconds),
        Some("ms") => Some(EpochUnit::Millis),
        Some("us") => Some(EpochUnit::Micros),
        _ => None,
    };
    if let Some(unit) = unit {
        return Some((ColumnType::Timestamp, Reading::Epoch(unit)));
    }
    if property.get("x-json") == Some(&Value::Bool(true)) {
        return Some((ColumnType::Json, Reading::JsonText));
    }
    Some((plain_type(property)?, Reading::AsSent))
}

fn plain_type(property: &Value) -> Option<ColumnType> {
    let types: Vec<&str> = match property.get("type")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        _ => return None,
    };
    let text = |key: &str| property.get(key).and_then(Value::as_str);
    match types.as_slice() {
        ["boolean"] => Some(ColumnType::Bool),
        ["integer"] => Some(ColumnType::Int64),
        ["number"] if text("airbyte_type") == Some("integer") => Some(ColumnType::Int64),
        ["number"] => Some(ColumnType::Float64),
        ["object" | "array"] => Some(ColumnType::Json),
        ["string"] => Some(match (text("format"), text("airbyte_type")) {
            (Some("date"), _) => ColumnType::Date,
            (Some("date-time"), Some("timestamp_without_timezone")) => ColumnType::Datetime,
            (Some("date-time"), _) => ColumnType::Timestamp,
            _ => ColumnType::String,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_schema_gives_types_and_the_pipeline_file_wins() {
        let schema = json!({"properties": {
            "id": {"type": "integer"}, "zip": {"type": ["null", "string"]}, "on": {"type": "string", "format": "date-time"},
            "day": {"type": "string", "format": "date"}, "any": {"type": ["string", "integer"]}, "none": {}, "tags": {"type": "array"},
            "made": {"type": ["string", "integer"], "x-epoch": "ms"}, "user": {"x-json": true}, "seen": {"type": "integer", "x-epoch": "s"},
            "group": {"type": "object", "x-json": true}, "owner": {"x-json": true},
        }});
        let columns = [
            ("zip", ColumnHint::Json),
            ("extra", ColumnHint::Numeric),
            ("seen", ColumnHint::Int64),
            ("at", ColumnHint::TimestampMicros),
            ("group", ColumnHint::Json),
            ("owner", ColumnHint::String),
        ];
        let columns = columns.into_iter().map(|(field, hint)| (field.to_owned(), hint)).collect();
        let entry = StreamSettings { columns, raw: true, ..StreamSettings::default() };
        let expected = [
            ("id", ColumnType::Int64, Reading::AsSent),
            ("zip", ColumnType::Json, Reading::AsSent),
            ("on", ColumnType::Timestamp, Reading::AsSent),
            ("day", ColumnType::Date, Reading::AsSent),
            ("tags", ColumnType::Json, Reading::AsSent),
            ("made", ColumnType::Timestamp, Reading::Epoch(EpochUnit::Millis)),
            ("user", ColumnType::Json, Reading::JsonText),
            ("seen", ColumnType::Int64, Reading::AsSent),
            ("group", ColumnType::Json, Reading::JsonText),
            ("owner", ColumnType::String, Reading::AsSent),
            ("at", ColumnType::Timestamp, Reading::Epoch(EpochUnit::Micros)),
            ("extra", ColumnType::Numeric, Reading::AsSent),
            ("_etl_raw", ColumnType::Json, Reading::Record),
        ];
        let expected = expected.map(|(field, ty, reading)| Hint { field: field.to_owned(), ty, reading });
        assert_eq!(hints(Some(&schema), &entry), expected);
    }
}
