//! Two accounts, thirteen streams, three generations: after every run each row and column equals the oracle's.
//! Rows that did not change keep their audit columns; rows that vanished are kept, marked in snapshots alone.

use crate::model::{Audit, Model};
use crate::world::World;
use sandbox::servicetitan::Options;

#[test]
fn every_row_and_column_is_as_the_api_says() {
    let world = World::new(400, 150);
    let mut model = Model::default();
    world.run_and_check(1, &mut model, &[]);
    world.run_and_check(2, &mut model, &[]);
    assert!(model.deleted("campaigns") >= 2 && model.deleted("employees") >= 2);
    assert_eq!(model.deleted("jobs"), 0);
    // Nothing has changed: no row is written, and no `_etl_synced` moves.
    world.run_and_check(2, &mut model, &[]);
    world.run_and_check(3, &mut model, &["--extract-tasks", "2"]);
    // Back to the second generation: what was deleted is restored. Incremental streams would not hear of it.
    let snapshots = ["--stream", "campaigns,employees,technicians,job_types,business_units"];
    world.api.set_generation(2);
    world.run(&snapshots).expect(0);
    model.observe(&world, |_, stream| snapshots[1].split(',').any(|name| name == stream));
    model.check(&world.warehouse());
}

#[test]
fn what_a_full_refresh_brings_is_the_same() {
    let world = World::new(150, 60);
    let mut model = Model::default();
    world.run_and_check(1, &mut model, &["--account", "acme,bluebird"]);
    world.run_and_check(2, &mut model, &["--full-refresh"]);
}

#[test]
fn empty_streams_and_accounts_that_come_later() {
    let empty = ["campaigns", "jobs"].map(|name| (name.to_owned(), 0)).into();
    let world = World::with(Options { records: 60, overrides: empty, ..Options::default() }, 40);
    let mut model = Model::default();
    world.run(&["--account", "acme"]).expect(0);
    model.observe(&world, |account, _| account == "acme");
    model.check(&world.warehouse());
    // The other account's rows join the tables; the first one's stay as they are.
    world.run_and_check(1, &mut model, &[]);
    world.run_and_check(2, &mut model, &[]);
}

#[test]
fn the_oracle_sees_the_smallest_difference() {
    let world = World::new(60, 40);
    let mut model = Model::default();
    world.run_and_check(1, &mut model, &[]);
    world.run_and_check(2, &mut model, &[]);
    let one = |column: &str, table: &str| {
        format!("rowid = (SELECT min(rowid) FROM bronze.{table} WHERE {column} IS NOT NULL)")
    };
    let cases = [
        ("jobs", "modified_on", "modified_on + INTERVAL 1 MICROSECOND"),
        ("jobs", "lead_call_id", "lead_call_id + 1"),
        ("jobs", "total", "total + 0.001"),
        ("jobs", "custom_fields", "'[{}]'"),
        ("jobs", "summary", "NULL"),
        ("jobs_export", "active", "NOT active"),
        ("customers", "name", "name || ' '"),
        ("invoices", "items", "replace(items::VARCHAR, '0000000000', '000000000')::JSON"),
        ("campaigns", "_etl_operation", "'DELETE'"),
        ("campaigns", "_etl_account", "CASE _etl_account WHEN 'acme' THEN 'bluebird' ELSE 'acme' END"),
        ("campaigns", "_etl_synced", "_etl_synced + INTERVAL 1 MICROSECOND"),
        ("campaigns", "_etl_row_hash", "''"),
    ];
    for (table, column, value) in cases {
        let warehouse = world.warehouse();
        warehouse.tamper(&format!("UPDATE bronze.{table} SET {column} = {value} WHERE {}", one(column, table)));
        assert!(!model.problems(&warehouse, Audit::Whole).is_empty(), "{table}.{column} = {value}");
    }
    // A row that is marked has the instant of the load that confirmed it, not that of the reading.
    let warehouse = world.warehouse();
    let earlier = "(SELECT max(_etl_synced) FROM bronze.campaigns WHERE _etl_operation <> 'DELETE')";
    let marked = "rowid = (SELECT min(rowid) FROM bronze.campaigns WHERE _etl_operation = 'DELETE')";
    warehouse.tamper(&format!("UPDATE bronze.campaigns SET _etl_synced = {earlier} WHERE {marked}"));
    assert!(!model.problems(&warehouse, Audit::Whole).is_empty(), "a delete of the reading's own load");
    for sql in ["DELETE FROM bronze.jobs WHERE {}", "INSERT INTO bronze.jobs SELECT * FROM bronze.jobs WHERE {}"] {
        let warehouse = world.warehouse();
        warehouse.tamper(&sql.replace("{}", &one("id", "jobs")));
        assert!(!model.problems(&warehouse, Audit::Deleted).is_empty(), "{sql}");
    }
}
