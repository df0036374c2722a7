//! InlineSchemaLoader: the JSON Schema of a record. It travels with the batch as type hints for the load;
//! only the keys that are our own are checked.

use crate::manifest::reader::Reader;
use serde_json::Value;

/// The schema, or nothing where the loader is not supported (a problem then) or says nothing.
pub(crate) fn read(reader: &Reader<'_>) -> Option<Value> {
    if reader.kind() != "InlineSchemaLoader" {
        reader.unsupported("InlineSchemaLoader");
        return None;
    }
    let schema = reader.required("schema").map(contract::yaml::Node::to_json);
    if schema.as_ref().is_some_and(|schema| !schema.is_object()) {
        reader.error_at("schema", "must be a JSON Schema (a mapping)");
    }
    if let Some(schema) = &schema {
        own_keys(reader, schema);
    }
    reader.finish();
    schema
}

/// `x-epoch` and `x-json` of the properties: a value that means nothing would change a column's type without a word.
fn own_keys(reader: &Reader<'_>, schema: &Value) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (field, property) in properties.into_iter().flatten() {
        if let Some(unit) = property.get("x-epoch")
            && !matches!(unit.as_str(), Some("s" | "ms" | "us"))
        {
            reader.error_at("schema", format!("`{field}`: `x-epoch` is {unit}; it must be s, ms or us"));
        }
        if let Some(json) = property.get("x-json")
            && !json.is_boolean()
        {
            reader.error_at("schema", format!("`{field}`: `x-json` is {json}; it must be true or false"));
        }
    }
}
