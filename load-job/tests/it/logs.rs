//! The log tables: one row per unit, stage and run, and what they say.

use crate::world::{World, on_each_warehouse, snapshot};
use load_job::run::Options;
use serde_json::json;

on_each_warehouse! {
    one_row_per_unit_stage_and_run,
    failures_are_logged_with_their_error,
}

fn one_row_per_unit_stage_and_run(new: fn() -> World) {
    let mut world = new();
    let run = world.extract(&[snapshot("a", &[json!({"id": 1, "v": "x"})]), snapshot("b", &[])]);
    world.load_with(&run, &Options::default());
    world.load_with(&run, &Options::default());
    let rows = world.lines(
        "SELECT stage, account, table_name, status, rows_extracted, rows_inserted FROM management.etl_logs ORDER BY stage, account",
    );
    assert_eq!(
        rows,
        ["extract a things done 1 0", "extract b things done 0 0", "load a things done 1 1", "load b things done 0 0"]
    );
}

fn failures_are_logged_with_their_error(new: fn() -> World) {
    let mut world = new();
    let run = world.extract(&[snapshot("a", &[json!({"v": "no key"})])]);
    world.load_with(&run, &Options::default());
    let rows = world.lines("SELECT status, error FROM management.etl_logs WHERE stage = 'load'");
    assert!(rows[0].starts_with("failed 1 records cannot be loaded"), "{rows:?}");
}
