//! The table of what a MERGE does: every row of it, with one account and with two accounts in one table.

use crate::world::{Given, World, incremental, on_each_warehouse, snapshot};
use contract::batch::BatchMode;
use contract::report::UnitStatus;
use load_job::run::Options;
use serde_json::{Value, json};

on_each_warehouse! {
    every_row_of_the_table_with_two_accounts_in_one_table,
    the_same_key_in_two_accounts_is_two_rows,
    all_rows_of_one_merge_have_one_instant,
    the_last_record_of_a_key_wins_by_cursor_then_by_arrival,
    keys_of_several_fields,
    keys_from_within_other_fields,
    keys_that_are_times,
    a_field_that_is_called_like_the_place_of_a_row;
    // BigQuery's MERGE refuses it by itself.
    on_duckdb_alone:
    a_row_that_somebody_has_doubled_is_told,
}

fn record(id: u32, v: &str) -> Value {
    json!({"id": id, "v": v})
}

/// One row of the MERGE's table, as a row of the target: its state before, what the batch under test holds of it, and what it must come to.
struct Case {
    name: &'static str,
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

fn cases(mode: BatchMode) -> Vec<Case> {
    let case = |name, target, source, expected, touched| Case { name, target, source, expected, touched };
    let absent = if mode == BatchMode::Snapshot { ("old DELETE", true) } else { ("old INSERT", false) };
    vec![
        case("none, present: inserted", Target::None, Some("x"), "x INSERT", true),
        case("live, same hash: untouched", Target::Live, Some("old"), "old INSERT", false),
        case("live, other hash: updated", Target::Live, Some("x"), "x UPDATE", true),
        case("deleted, present, same: restored", Target::Deleted, Some("old"), "old UPDATE", true),
        case("deleted, present, other: restored", Target::Deleted, Some("x"), "x UPDATE", true),
        case("deleted, absent: untouched", Target::Deleted, None, "old DELETE", false),
        case("live, absent", Target::Live, None, absent.0, absent.1),
    ]
}

/// The cases of a mode are rows of one table, so that three loads show them all: case `i` is row `FIRST + i`.
fn check(mode: BatchMode, two_accounts: bool, new: fn() -> World) {
    const FIRST: u32 = 10;
    let cases = cases(mode);
    let mut world = new();
    let neighbours_rows = [record(1, "one"), record(FIRST, "old"), record(FIRST + 1, "old")];
    let load = |world: &mut World, own: Given| {
        let mut batches = vec![own];
        batches.extend(two_accounts.then(|| snapshot("b", &neighbours_rows)));
        world.run(&batches)
    };
    // Three rows are always there, so that a snapshot is never empty.
    let of_target = |wanted: &[Target]| {
        let rows = (FIRST..).zip(&cases).filter(|(_, case)| wanted.contains(&case.target));
        let rows = rows.map(|(id, _)| record(id, "old"));
        rows.chain([record(2, "two"), record(3, "three"), record(4, "four")]).collect::<Vec<Value>>()
    };
    load(&mut world, snapshot("a", &of_target(&[Target::Live, Target::Deleted])));
    load(&mut world, snapshot("a", &of_target(&[Target::Live])));
    let synced = "SELECT id, _etl_synced FROM bronze.things WHERE _etl_account = 'a' ORDER BY id";
    let before = world.lines(synced);
    let neighbours = "SELECT * FROM bronze.things WHERE _etl_account = 'b' ORDER BY id";
    let neighbours_before = world.lines(neighbours);

    let mut records: Vec<Value> =
        (FIRST..).zip(&cases).filter_map(|(id, case)| Some(record(id, case.source?))).collect();
    records.extend([record(2, "two"), record(3, "three"), record(4, "four")]);
    let own = match mode {
        BatchMode::Snapshot => snapshot("a", &records),
        mode => Given { mode, ..incremental("a", &records) },
    };
    let units = load(&mut world, own);

    let context = format!("{mode:?}, two accounts: {two_accounts}");
    let rows = world.lines("SELECT id, v, _etl_operation FROM bronze.things WHERE _etl_account = 'a' ORDER BY id");
    assert_eq!(rows[..3], ["2 two INSERT", "3 three INSERT", "4 four INSERT"], "{context}");
    assert_eq!(rows.len(), 3 + cases.len(), "{context}");
    let after = world.lines(synced);
    let is_touched = |row: &String| !before.contains(row);
    assert!(!after[..3].iter().any(is_touched), "{context}: {after:?}");
    for ((id, case), (row, synced)) in (FIRST..).zip(&cases).zip(rows.iter().zip(&after).skip(3)) {
        assert_eq!(*row, format!("{id} {}", case.expected), "{context}: {}", case.name);
        assert_eq!(is_touched(synced), case.touched, "{context}: {}", case.name);
    }
    assert_eq!(world.lines(neighbours), neighbours_before, "{context}: the other account's rows changed");
    let own = units.iter().find(|unit| unit.account == "a").unwrap();
    let ends_as =
        |operation: &str| cases.iter().filter(|case| case.touched && case.expected.ends_with(operation)).count() as u64;
    let counted = (own.rows_inserted, own.rows_updated, own.rows_deleted);
    assert_eq!(counted, (ends_as("INSERT"), ends_as("UPDATE"), ends_as("DELETE")), "{context}: {own:?}");
    assert_eq!(own.rows_unchanged, records.len() as u64 - counted.0 - counted.1, "{context}");
}

const MODES: [BatchMode; 3] = [BatchMode::Snapshot, BatchMode::Incremental, BatchMode::Window];

/// Two accounts say more; the emulator is slow.
#[cfg(feature = "duckdb")]
#[test]
fn every_row_of_the_table_with_one_account() {
    MODES.into_iter().for_each(|mode| check(mode, false, World::duckdb));
}

fn every_row_of_the_table_with_two_accounts_in_one_table(new: fn() -> World) {
    MODES.into_iter().for_each(|mode| check(mode, true, new));
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
    let rows = world.lines("SELECT count(*), count(DISTINCT _etl_synced) FROM bronze.things WHERE id IN (2, 4)");
    assert_eq!(rows, ["2 1"]);
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

/// As the extract puts such a key beside the field that it lies in.
fn keys_from_within_other_fields(new: fn() -> World) {
    let mut world = new();
    let row = |id: u32, v: u32| json!({"u": {"id": id}, "v": v, "u.id": id});
    let keyed = |records: &[Value]| Given { keys: vec!["u.id"], ..snapshot("a", records) };
    world.run(&[keyed(&[row(1, 1), row(2, 1), row(3, 1)])]);
    world.run(&[keyed(&[row(1, 2), row(2, 1)])]);
    let rows = world.lines("SELECT u_id, v, _etl_operation FROM bronze.things ORDER BY u_id");
    assert_eq!(rows, ["1 2 UPDATE", "2 1 INSERT", "3 1 DELETE"]);
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

/// DuckDB calls the place of a row `rowid`, and a column of that name hides it.
fn a_field_that_is_called_like_the_place_of_a_row(new: fn() -> World) {
    let mut world = new();
    let row = |id: u32, rowid: Value, v: &str| json!({"id": id, "rowid": rowid, "v": v});
    let old = [row(1, json!(7), "old"), row(2, json!(5), "old"), row(3, json!(7), "old"), row(4, Value::Null, "old")];
    world.run(&[incremental("a", &old)]);
    let units = world.run(&[incremental("a", &[row(1, json!(7), "new"), row(4, Value::Null, "new")])]);
    assert_eq!((units[0].rows_updated, units[0].rows_inserted), (2, 0));
    assert_eq!(world.lines("SELECT id, v FROM bronze.things ORDER BY id"), ["1 new", "2 old", "3 old", "4 new"]);
    world.run(&[snapshot("a", &[row(1, json!(7), "new"), row(2, json!(5), "old"), row(4, Value::Null, "new")])]);
    let live = "SELECT id FROM bronze.things WHERE _etl_operation <> 'DELETE' ORDER BY id";
    assert_eq!(world.lines(live), ["1", "2", "4"]);
}

fn a_row_that_somebody_has_doubled_is_told(new: fn() -> World) {
    let mut world = new();
    world.run(&[incremental("a", &[record(1, "old"), record(2, "old")])]);
    world.tamper("INSERT INTO bronze.things SELECT * FROM bronze.things WHERE id = 1");
    let run = world.extract(&[incremental("a", &[record(1, "new"), record(3, "new")])]);
    let units = world.load_with(&run, &Options::default());
    assert_eq!((units[0].status, units[0].rows_inserted), (UnitStatus::Failed, 0));
    let error = units[0].error.as_deref().unwrap();
    assert!(error.contains("1 of its rows have the account and the key of another one"), "{error}");
    assert_eq!(world.lines("SELECT id, v FROM bronze.things ORDER BY id"), ["1 old", "1 old", "2 old"]);
}
