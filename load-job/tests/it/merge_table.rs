//! The MERGE table of the design, section 7: every row of it, with one account and with two accounts in one table.

use crate::world::{Given, World, incremental, on_each_warehouse, snapshot};
use contract::batch::BatchMode;
use serde_json::{Value, json};

on_each_warehouse! {
    every_row_of_the_table_with_two_accounts_in_one_table,
    the_same_key_in_two_accounts_is_two_rows,
    all_rows_of_one_merge_have_one_instant,
    the_last_record_of_a_key_wins_by_cursor_then_by_arrival,
    keys_of_several_fields,
    keys_that_are_times,
}

fn record(id: u32, v: &str) -> Value {
    json!({"id": id, "v": v})
}

const STATE: &str = "SELECT id, v, _etl_operation FROM bronze.things WHERE _etl_account = 'a' ORDER BY id";

struct Case {
    name: &'static str,
    mode: BatchMode,
    /// What the second batch holds of row 1, whose target state the first batches made.
    target: Target,
    source: Option<&'static str>,
    expected: &'static str,
    touched: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Target {
    None,
    Live,
    Deleted,
}

fn cases() -> Vec<Case> {
    use BatchMode::{Incremental, Snapshot, Window};
    let mut cases = Vec::new();
    for mode in [Snapshot, Incremental, Window] {
        let case = |name, target, source, expected, touched| Case { name, mode, target, source, expected, touched };
        cases.extend([
            case("none, present: inserted", Target::None, Some("x"), "1 x INSERT", true),
            case("live, same hash: untouched", Target::Live, Some("old"), "1 old INSERT", false),
            case("live, other hash: updated", Target::Live, Some("x"), "1 x UPDATE", true),
            case("deleted, present, same: restored", Target::Deleted, Some("old"), "1 old UPDATE", true),
            case("deleted, present, other: restored", Target::Deleted, Some("x"), "1 x UPDATE", true),
            case("deleted, absent: untouched", Target::Deleted, None, "1 old DELETE", false),
        ]);
        let absent = if mode == Snapshot { ("1 old DELETE", true) } else { ("1 old INSERT", false) };
        cases.push(case("live, absent", Target::Live, None, absent.0, absent.1));
    }
    cases
}

/// Rows 2 to 4 are always there, so that a snapshot is never empty.
fn others(account: &'static str) -> Vec<Given> {
    vec![snapshot(account, &[record(2, "two"), record(3, "three"), record(4, "four")])]
}

fn check(case: &Case, two_accounts: bool, new: fn() -> World) {
    let context = format!("{:?}: {} (two accounts: {two_accounts})", case.mode, case.name);
    let mut world = new();
    let rest = [record(2, "two"), record(3, "three"), record(4, "four")];
    let mut with_one: Vec<Value> = vec![record(1, "old")];
    with_one.extend(rest.clone());
    let neighbour: Vec<Given> = if two_accounts { vec![snapshot("b", &with_one)] } else { Vec::new() };
    let load = |world: &mut World, own: Given| {
        let mut batches = vec![own];
        batches.extend(neighbour.clone());
        world.run(&batches)
    };
    match case.target {
        Target::None => drop(load(&mut world, others("a").remove(0))),
        Target::Live => drop(load(&mut world, snapshot("a", &with_one))),
        Target::Deleted => {
            load(&mut world, snapshot("a", &with_one));
            load(&mut world, others("a").remove(0));
        }
    }
    let synced = "SELECT id, _etl_synced FROM bronze.things WHERE _etl_account = 'a' ORDER BY id";
    let before = world.lines(synced);
    let neighbours = "SELECT * FROM bronze.things WHERE _etl_account = 'b' ORDER BY id";
    let neighbours_before = world.lines(neighbours);

    let mut records: Vec<Value> = case.source.map(|v| record(1, v)).into_iter().collect();
    records.extend(rest);
    let own = match case.mode {
        BatchMode::Snapshot => snapshot("a", &records),
        mode => Given { mode, ..incremental("a", &records) },
    };
    let units = load(&mut world, own);

    let rows = world.lines(STATE);
    assert_eq!(rows[0], case.expected, "{context}");
    assert_eq!(rows[1..], ["2 two INSERT", "3 three INSERT", "4 four INSERT"], "{context}");
    let after = world.lines(synced);
    let touched: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
    assert_eq!(touched.len(), usize::from(case.touched), "{context}: {touched:?}");
    assert_eq!(world.lines(neighbours), neighbours_before, "{context}: the other account's rows changed");
    let own = units.iter().find(|unit| unit.account == "a").unwrap();
    let counted = own.rows_inserted + own.rows_updated + own.rows_deleted;
    assert_eq!(counted, u64::from(case.touched), "{context}: {own:?}");
    assert_eq!(own.rows_unchanged, records_count(case) - own.rows_inserted - own.rows_updated, "{context}");
}

fn records_count(case: &Case) -> u64 {
    3 + u64::from(case.source.is_some())
}

/// Two accounts say more; the emulator is slow.
#[cfg(feature = "duckdb")]
#[test]
fn every_row_of_the_table_with_one_account() {
    cases().iter().for_each(|case| check(case, false, World::duckdb));
}

fn every_row_of_the_table_with_two_accounts_in_one_table(new: fn() -> World) {
    cases().iter().for_each(|case| check(case, true, new));
}

fn the_same_key_in_two_accounts_is_two_rows(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &[record(1, "a's")]), snapshot("b", &[record(1, "b's")])]);
    let rows = world.lines("SELECT _etl_account, id, v FROM bronze.things ORDER BY 1");
    assert_eq!(rows, ["a 1 a's", "b 1 b's"]);
}

fn all_rows_of_one_merge_have_one_instant(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &[record(1, "x"), record(2, "x"), record(3, "x")])]);
    world.run(&[snapshot("a", &[record(1, "x"), record(2, "y"), record(4, "z")])]);
    let rows = world.lines("SELECT count(*), count(DISTINCT _etl_synced) FROM bronze.things WHERE id IN (2, 3, 4)");
    assert_eq!(rows, ["3 1"]);
}

fn the_last_record_of_a_key_wins_by_cursor_then_by_arrival(new: fn() -> World) {
    let mut world = new();
    let records = [
        json!({"id": 1, "at": "2026-01-02T00:00:00Z", "v": "late"}),
        json!({"id": 1, "at": "2026-01-01T00:00:00Z", "v": "early"}),
        json!({"id": 2, "at": "2026-01-01T00:00:00Z", "v": "first"}),
        json!({"id": 2, "at": "2026-01-01T00:00:00Z", "v": "second"}),
    ];
    world.run(&[Given { cursor: Some("at"), ..incremental("a", &records) }]);
    assert_eq!(world.lines("SELECT id, v FROM bronze.things ORDER BY id"), ["1 late", "2 second"]);
}

fn keys_of_several_fields(new: fn() -> World) {
    let mut world = new();
    let keyed = |records: &[Value]| Given { keys: vec!["id", "kind"], ..snapshot("a", records) };
    world.run(&[keyed(&[json!({"id": 1, "kind": "x", "v": 1}), json!({"id": 1, "kind": "y", "v": 1})])]);
    world.run(&[keyed(&[json!({"id": 1, "kind": "x", "v": 2})])]);
    let rows = world.lines("SELECT id, kind, v, _etl_operation FROM bronze.things ORDER BY kind");
    assert_eq!(rows, ["1 x 2 UPDATE", "1 y 1 DELETE"]);
}

fn keys_that_are_times(new: fn() -> World) {
    let mut world = new();
    world.streams = "[{name: things, columns: {at: DATETIME}}]".into();
    let record = |v: u32| json!({"at": "2026-01-02T03:04:05", "on": "2026-01-02T03:04:05Z", "v": v});
    let given = |v: u32| Given { keys: vec!["at", "on"], ..snapshot("a", &[record(v)]) };
    for (v, operation) in [(1, "INSERT"), (1, "INSERT"), (2, "UPDATE")] {
        world.run(&[given(v)]);
        assert_eq!(world.lines("SELECT v, _etl_operation FROM bronze.things"), [format!("{v} {operation}")]);
    }
}
