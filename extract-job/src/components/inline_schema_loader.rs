//! InlineSchemaLoader: the JSON Schema of a record. It checks nothing here; it travels with the batch as type hints for the load.

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
    reader.finish();
    schema
}
