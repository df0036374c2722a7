//! A table that is partitioned: how it is made, what a MERGE reads of it, and what cannot be partitioned by.

use crate::world::{World, incremental, snapshot};
use contract::report::UnitStatus;
use serde_json::json;

#[test]
fn a_new_table_is_partitioned_clustered_and_keyed() {
    let mut world = World::bigquery();
    world.streams = "[{name: things, partition_by: {field: createdOn, every: day}}]".into();
    world.run(&[snapshot("a", &[json!({"id": 1, "createdOn": "2026-01-01T00:00:00Z"})])]);
    let table = world.table().unwrap();
    assert_eq!(table["timePartitioning"]["type"], "DAY");
    assert_eq!(table["timePartitioning"]["field"], "created_on");
    assert_eq!(table["clustering"]["fields"], json!(["_etl_account", "id"]));
    assert_eq!(table["tableConstraints"]["primaryKey"]["columns"], json!(["_etl_account", "id"]));
    let described = table["schema"]["fields"].as_array().unwrap();
    assert_eq!(described[1]["description"], r#"{"field":"createdOn"}"#);
}

#[test]
fn rows_move_between_partitions_and_are_never_doubled() {
    let mut world = World::bigquery();
    world.streams = "[{name: things, partition_by: day, columns: {day: DATE}}]".into();
    let record = |id: u32, day: Option<&str>| json!({"id": id, "day": day});
    world.run(&[snapshot("a", &[record(1, Some("2020-01-01")), record(2, None), record(3, Some("2021-01-01"))])]);
    world.run(&[snapshot("a", &[record(1, None), record(2, Some("2022-05-05")), record(4, Some("2020-01-02"))])]);
    let rows = world.lines("SELECT id, day, _etl_operation FROM bronze.things ORDER BY id");
    assert_eq!(rows, ["1 NULL UPDATE", "2 2022-05-05 UPDATE", "3 2021-01-01 DELETE", "4 2020-01-02 INSERT"]);
}

#[test]
fn what_cannot_partition_is_refused_before_anything_is_made() {
    for (streams, message) in [
        ("[{name: things, partition_by: id}]", "is INT64"),
        ("[{name: things, partition_by: nothing}]", "no field `nothing`"),
    ] {
        let mut world = World::bigquery();
        world.streams = streams.into();
        let run = world.extract(&[incremental("a", &[json!({"id": 1})])]);
        let units = world.load_with(&run, &Default::default());
        assert_eq!(units[0].status, UnitStatus::Failed);
        assert!(units[0].error.as_ref().unwrap().contains(message), "{:?}", units[0].error);
        assert!(!world.has_table());
    }
}
