//! The log tables: one row per unit, stage and run, and what they say.

use crate::world::{World, on_each_warehouse, snapshot};
use load_job::run::Options;
use serde_json::json;

on_each_warehouse! {
    one_row_per_unit_stage_and_run,
    failures_are_logged_with_their_error,
    log_tables_of_an_older_version_grow_and_keep_what_users_have_added,
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

fn log_tables_of_an_older_version_grow_and_keep_what_users_have_added(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &[json!({"id": 1, "v": "x"})])]);
    let text = if world.is_bigquery() { "STRING" } else { "VARCHAR" };
    for column in ["bytes_billed", "error"] {
        world.tamper(&format!("ALTER TABLE management.etl_logs DROP COLUMN {column}"));
    }
    for table in ["etl_logs", "schema_changes", "applied_batches"] {
        world.tamper(&format!("ALTER TABLE management.{table} ADD COLUMN note {text}"));
        world.tamper(&format!("UPDATE management.{table} SET note = 'mine' WHERE TRUE"));
    }
    world.run(&[snapshot("a", &[json!({"id": 1, "v": "y", "w": 1})])]);
    let rows = world.lines("SELECT stage, bytes_billed, error, note FROM management.etl_logs ORDER BY run_id, stage");
    let old = ["extract NULL NULL mine", "load NULL NULL mine"];
    assert_eq!((&rows[..2], rows.len()), (&old.map(str::to_owned)[..], 4));
    assert!(rows[2..].iter().all(|row| row.ends_with("NULL NULL")), "{rows:?}");
    assert_eq!(world.lines("SELECT COUNT(*), COUNT(note) FROM management.applied_batches"), ["2 1"]);
    assert_eq!(world.lines("SELECT column_name, note FROM management.schema_changes"), ["w NULL"]);
}
