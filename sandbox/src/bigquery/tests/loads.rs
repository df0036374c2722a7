//! Load jobs: whole or not at all, by column names, and strict where BigQuery is.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;

use super::*;

const SCHEMA: &str = "message m { optional int64 n; required binary id (UTF8); }";

/// Rows of a number and a text.
fn write(path: &Path, schema: &str, rows: &[(i64, &str)]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
    column.typed::<Int64Type>().write_batch(&numbers, Some(&vec![1; rows.len()]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.1)).collect();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

/// A load into `d.t`, with these columns, of these files.
fn load(id: &str, uris: Value, fields: Value, extra: Value) -> Value {
    let mut load = json!({
        "sourceUris": uris, "sourceFormat": "PARQUET", "schema": {"fields": fields},
        "destinationTable": {"datasetId": "d", "tableId": "t"},
    });
    for (key, value) in extra.as_object().unwrap() {
        load[key] = value.clone();
    }
    Scene::job(id, &json!({"load": load}))
}

/// Not in the files' order: columns go by name.
fn fields() -> Value {
    json!([{"name": "id", "type": "STRING", "mode": "REQUIRED"}, {"name": "n", "type": "INT64"}])
}

#[tokio::test]
async fn files_are_loaded_by_name_and_counted() {
    let scene = Scene::new().await;
    let (_folder, path, bucket) = scene.bucket();
    write(&path.join("part-0.parquet"), SCHEMA, &[(1, "a"), (2, "b")]);
    write(&path.join("part-1.parquet"), SCHEMA, &[(3, "c")]);
    let uris = json!([format!("gs://{bucket}/part-*.parquet")]);
    let (_, answer) = scene.post("jobs", load("one", uris.clone(), fields(), json!({}))).await;
    assert_eq!(answer["status"]["state"], "PENDING");
    let job = scene.wait("one").await;
    let statistics = &job["statistics"]["load"];
    assert_eq!((&statistics["outputRows"], &statistics["inputFiles"]), (&json!("3"), &json!("2")), "{job}");
    let rows = scene.rows(&format!("SELECT id, n FROM {} ORDER BY id", scene.table("t"))).await;
    assert_eq!(rows[2], [Some("c".to_owned()), Some("3".to_owned())]);
    let append = scene.run(&load("two", uris.clone(), fields(), json!({}))).await;
    assert_eq!(append["statistics"]["load"]["outputRows"], "3");
    assert_eq!(scene.count("t").await, 6);
    let truncate =
        scene.run(&load("three", uris.clone(), fields(), json!({"writeDisposition": "WRITE_TRUNCATE"}))).await;
    assert_eq!(reason(&truncate), "", "{truncate}");
    assert_eq!(scene.count("t").await, 3);
    let empty = scene.run(&load("four", uris, fields(), json!({"writeDisposition": "WRITE_EMPTY"}))).await;
    assert_eq!(reason(&empty), "duplicate");
    let left = scene.get("datasets/d/tables").await.1;
    assert_eq!(left["tables"].as_array().unwrap().len(), 1, "{left}");
}

#[tokio::test]
async fn parquet_into_a_json_column_is_refused() {
    let scene = Scene::new().await;
    let (_folder, path, bucket) = scene.bucket();
    write(&path.join("a"), SCHEMA, &[(1, "{}")]);
    let fields = json!([{"name": "id", "type": "JSON"}, {"name": "n", "type": "INT64"}]);
    let job = scene.run(&load("json", json!([format!("gs://{bucket}/a")]), fields, json!({}))).await;
    assert_eq!(message(&job), "Unsupported field type: JSON");
    assert_eq!(scene.get("datasets/d/tables/t").await.0, 404);
}

#[tokio::test]
async fn files_that_do_not_fit_fail_the_whole_load() {
    let scene = Scene::new().await;
    let (_folder, path, bucket) = scene.bucket();
    write(&path.join("good"), SCHEMA, &[(1, "a")]);
    write(&path.join("other"), "message m { optional int64 n; required binary name (UTF8); }", &[(1, "a")]);
    write(
        &path.join("nanos"),
        "message m { optional int64 n (TIMESTAMP(NANOS,true)); required binary id (UTF8); }",
        &[(1, "a")],
    );
    std::fs::write(path.join("text"), "no parquet").unwrap();
    let uri = |name: &str| format!("gs://{bucket}/{name}");
    let of = |kind: &str| json!([{"name": "id", "type": "STRING"}, {"name": "n", "type": kind}]);
    let cases = [
        ("missing", json!([uri("good"), uri("gone")]), of("INT64"), "notFound"),
        ("differ", json!([uri("good"), uri("other")]), of("INT64"), "invalid"),
        ("text", json!([uri("good"), uri("text")]), of("INT64"), "invalid"),
        ("kind", json!([uri("good")]), of("FLOAT64"), "invalid"),
        ("nanos", json!([uri("nanos")]), of("TIMESTAMP"), "invalid"),
        ("fewer", json!([uri("good")]), json!([{"name": "id", "type": "STRING"}]), "invalid"),
        (
            "more",
            json!([uri("good")]),
            json!([{"name": "id", "type": "STRING"}, {"name": "n", "type": "INT64"}, {"name": "x", "type": "INT64"}]),
            "invalid",
        ),
    ];
    for (id, uris, fields, expected) in cases {
        let job = scene.run(&load(id, uris, fields, json!({}))).await;
        assert_eq!(reason(&job), expected, "{id}: {job}");
    }
    assert_eq!(scene.get("datasets/d/tables/t").await.0, 404);
}

#[tokio::test]
async fn a_table_gets_new_columns_only_when_asked() {
    let scene = Scene::new().await;
    let (_folder, path, bucket) = scene.bucket();
    write(&path.join("a"), SCHEMA, &[(1, "a")]);
    scene.sql(&format!("CREATE TABLE {} (id STRING NOT NULL)", scene.table("t"))).await;
    let uris = json!([format!("gs://{bucket}/a")]);
    let refused = scene.run(&load("no", uris.clone(), fields(), json!({}))).await;
    assert!(message(&refused).contains("Cannot add fields (field: n)"), "{refused}");
    let added = json!({"schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"]});
    assert_eq!(reason(&scene.run(&load("yes", uris.clone(), fields(), added)).await), "");
    assert_eq!(scene.get("datasets/d/tables/t").await.1["schema"]["fields"][1]["name"], "n");
    assert_eq!(scene.count("t").await, 1);
    let changed = json!([{"name": "id", "type": "STRING", "mode": "REQUIRED"}, {"name": "n", "type": "STRING"}]);
    let refused = scene.run(&load("type", uris, changed, json!({}))).await;
    assert!(message(&refused).contains("Field n has changed type from INTEGER to STRING"), "{refused}");
}

#[tokio::test]
async fn loads_that_make_no_job() {
    let scene = Scene::new().await;
    for (id, extra) in [
        ("schema", json!({"schema": null})),
        ("csv", json!({"sourceFormat": "CSV"})),
        ("guess", json!({"autodetect": true})),
        ("write", json!({"writeDisposition": "WRITE_SOMEHOW"})),
        ("update", json!({"schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"], "writeDisposition": "WRITE_EMPTY"})),
        ("uris", json!({"sourceUris": []})),
    ] {
        let (status, answer) = scene.post("jobs", load(id, json!(["gs://b/a"]), fields(), extra)).await;
        assert_eq!(status, 400, "{id}: {answer}");
    }
}
