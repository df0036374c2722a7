//! The JSON Schema that editors read is the one that checks the file.

use contract::pipeline::pipeline_schema;

#[test]
fn the_shipped_schema_is_generated_from_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pipeline.schema.json");
    let generated = serde_json::to_string_pretty(&pipeline_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        shipped == generated,
        "docs/pipeline.schema.json is stale: run UPDATE_SCHEMA=1 cargo test the_shipped_schema"
    );
}
