//! Type hints: from the stream's JSON Schema in the manifest (it travels in `batch.json`) and from the pipeline file, which wins.
//! A property whose schema says nothing clear has no hint.

use super::column_type::ColumnType;
use contract::pipeline::ColumnHint;
use serde_json::Value;
use std::collections::BTreeMap;

/// The hints of a stream, in the order of its schema; fields that only the pipeline file names come last.
pub fn hints(schema: Option<&Value>, columns: &BTreeMap<String, ColumnHint>) -> Vec<(String, ColumnType)> {
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let mut hints: Vec<(String, ColumnType)> = properties
        .into_iter()
        .flatten()
        .filter_map(|(field, property)| Some((field.clone(), property_type(property)?)))
        .collect();
    for (field, hint) in columns {
        match hints.iter_mut().find(|(known, _)| known == field) {
            Some(known) => known.1 = (*hint).into(),
            None => hints.push((field.clone(), (*hint).into())),
        }
    }
    hints
}

fn property_type(property: &Value) -> Option<ColumnType> {
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
        }});
        let columns = BTreeMap::from([("zip".to_owned(), ColumnHint::Json), ("extra".to_owned(), ColumnHint::Numeric)]);
        let expected = [
            ("id", ColumnType::Int64),
            ("zip", ColumnType::Json),
            ("on", ColumnType::Timestamp),
            ("day", ColumnType::Date),
            ("tags", ColumnType::Json),
            ("extra", ColumnType::Numeric),
        ];
        assert_eq!(hints(Some(&schema), &columns), expected.map(|(field, ty)| (field.to_owned(), ty)));
    }
}
