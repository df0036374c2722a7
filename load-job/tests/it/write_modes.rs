//! Streams without a primary key: replace and append.

use crate::world::{Given, World, incremental, on_each_warehouse, snapshot};
use contract::report::UnitStatus;
use load_job::run::Options;
use serde_json::{Value, json};

on_each_warehouse! {
    a_snapshot_without_a_key_replaces_the_accounts_rows,
    an_unstable_snapshot_without_a_key_removes_nothing,
    a_replacement_that_is_held_back_removes_nothing,
    append_adds_each_content_once;
    // Decided before any warehouse is asked.
    on_duckdb_alone:
    settings_that_cannot_work_are_refused_by_name,
}

fn keyless(given: Given) -> Given {
    Given { keys: vec![], ..given }
}

fn values(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({"v": name})).collect()
}

const ROWS: &str = "SELECT _etl_account, v, count(*) FROM bronze.things GROUP BY 1, 2 ORDER BY 1, 2";

fn a_snapshot_without_a_key_replaces_the_accounts_rows(new: fn() -> World) {
    let mut world = new();
    world.run(&[keyless(snapshot("a", &values(&["x", "x", "y"]))), keyless(snapshot("b", &values(&["x"])))]);
    assert_eq!(world.lines(ROWS), ["a x 2", "a y 1", "b x 1"]);
    let kept = "SELECT _etl_synced FROM bronze.things WHERE v = 'y'";
    let before = world.lines(kept);
    let units = world.run(&[keyless(snapshot("a", &values(&["y", "z", "x"])))]);
    assert_eq!(world.lines(ROWS), ["a x 1", "a y 1", "a z 1", "b x 1"]);
    assert_eq!((units[0].rows_inserted, units[0].rows_deleted, units[0].rows_unchanged), (1, 1, 2));
    assert_eq!(world.lines(kept), before, "the same content keeps its instant");
}

fn an_unstable_snapshot_without_a_key_removes_nothing(new: fn() -> World) {
    let mut world = new();
    world.run(&[keyless(snapshot("a", &values(&["x", "y"])))]);
    world.run(&[keyless(Given { stable: false, ..snapshot("a", &values(&["z"])) })]);
    assert_eq!(world.lines(ROWS), ["a x 1", "a y 1", "a z 1"]);
}

fn a_replacement_that_is_held_back_removes_nothing(new: fn() -> World) {
    let mut world = new();
    let older = world.extract(&[keyless(snapshot("a", &values(&["x", "z"])))]);
    world.run(&[keyless(snapshot("a", &values(&["x", "x", "x", "y"]))), keyless(snapshot("b", &values(&["x"])))]);
    let units = world.load_with(&older, &Options { force: true, ..Options::default() });
    assert_eq!(units[0].status, UnitStatus::Done, "{:?}", units[0].error);
    let told = units[0].warnings.join("\n");
    assert!(told.contains("deletes are held back: a later batch was applied before it"), "{told}");
    assert_eq!((units[0].rows_inserted, units[0].rows_deleted), (1, 0));
    assert_eq!(world.lines(ROWS), ["a x 3", "a y 1", "a z 1", "b x 1"]);
}

fn append_adds_each_content_once(new: fn() -> World) {
    let mut world = new();
    world.run(&[keyless(incremental("a", &values(&["x", "x", "y"])))]);
    world.run(&[keyless(incremental("a", &values(&["y", "z"]))), keyless(incremental("b", &values(&["x"])))]);
    assert_eq!(world.lines(ROWS), ["a x 1", "a y 1", "a z 1", "b x 1"]);
}

fn settings_that_cannot_work_are_refused_by_name(new: fn() -> World) {
    let cases = [("merge", "needs a primary key"), ("replace", "needs a snapshot")];
    for (write, message) in cases {
        let mut world = new();
        world.streams = format!("[{{name: things, write: {write}}}]");
        let run = world.extract(&[keyless(incremental("a", &values(&["x"])))]);
        let units = world.load_with(&run, &Options::default());
        assert_eq!(units[0].status, UnitStatus::Failed);
        assert!(units[0].error.as_ref().unwrap().contains(message), "{:?}", units[0].error);
    }
}
