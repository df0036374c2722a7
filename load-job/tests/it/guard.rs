//! What keeps rows from being deleted falsely: unstable snapshots, doubled keys, the mass-delete guard, missing batches, rejects.

use crate::world::{Given, World, on_each_warehouse, snapshot};
use contract::report::UnitStatus;
use load_job::run::Options;
use serde_json::{Value, json};

on_each_warehouse! {
    a_snapshot_with_a_doubled_key_deletes_nothing,
    a_snapshot_that_would_delete_too_much_fails_and_the_others_go_on,
    an_empty_snapshot_does_not_empty_a_table,
    a_rejected_record_is_not_taken_for_a_deleted_row;
    // Decided before any warehouse is asked.
    on_duckdb_alone:
    an_unstable_snapshot_loads_but_deletes_nothing,
    a_word_for_some_rows_is_none_for_others,
    few_rows_may_all_go,
    the_share_can_be_set,
    a_unit_without_a_batch_fails_and_its_table_stays,
    rejects_are_kept_and_more_than_allowed_fail_the_unit,
}

fn records(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|id| json!({"id": id, "v": "x"})).collect()
}

const DELETED: &str = "SELECT count(*) FROM bronze.things WHERE _etl_operation = 'DELETE'";

fn an_unstable_snapshot_loads_but_deletes_nothing(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(0..10))]);
    let mut less = records(1..10);
    less.push(json!({"id": 77, "v": "new"}));
    let units = world.run(&[Given { stable: false, ..snapshot("a", &less) }]);
    assert_eq!((units[0].rows_inserted, units[0].rows_deleted), (1, 0));
    assert!(units[0].warnings[0].contains("deletes are held back"), "{:?}", units[0].warnings);
    assert_eq!(world.lines(DELETED), ["0"]);
    world.run(&[snapshot("a", &less)]);
    assert_eq!(world.lines(DELETED), ["1"]);
}

fn a_snapshot_with_a_doubled_key_deletes_nothing(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(0..10)), snapshot("b", &records(0..10))]);
    let mut doubled = records(1..10);
    doubled.push(json!({"id": 3, "v": "x"}));
    let units = world.run(&[snapshot("a", &doubled), snapshot("b", &records(1..10))]);
    assert!(units.iter().find(|unit| unit.account == "a").unwrap().warnings[0].contains("a key twice"));
    assert_eq!(world.lines("SELECT _etl_account, id FROM bronze.things WHERE _etl_operation = 'DELETE'"), ["b 0"]);
}

fn a_snapshot_that_would_delete_too_much_fails_and_the_others_go_on(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(0..40)), snapshot("b", &records(0..40))]);
    let run = world.extract(&[snapshot("a", &records(0..19)), snapshot("b", &records(0..21))]);
    let mut units = world.load_with(&run, &Options::default());
    world.confirm(&run, &[snapshot("b", &records(0..21))], &Options::default(), &mut units);
    let (a, b) = (units.iter().find(|u| u.account == "a").unwrap(), units.iter().find(|u| u.account == "b").unwrap());
    assert_eq!(a.status, UnitStatus::Failed);
    assert!(a.error.as_ref().unwrap().contains("--allow-mass-delete"), "{:?}", a.error);
    assert_eq!((b.status, b.rows_deleted), (UnitStatus::Done, 19));
    let deleted =
        "SELECT _etl_account, count(*) FROM bronze.things WHERE _etl_operation = 'DELETE' GROUP BY 1 ORDER BY 1";
    assert_eq!(world.lines(deleted), ["b 19"]);
    let allowed = Options { allow_mass_delete: true, ..Options::default() };
    let mut units = world.load_with(&run, &allowed);
    world.confirm(&run, &[snapshot("a", &records(0..19))], &allowed, &mut units);
    assert_eq!(world.lines(deleted), ["a 21", "b 19"]);
}

fn a_word_for_some_rows_is_none_for_others(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(0..60))]);
    let run = world.extract(&[snapshot("a", &records(0..25))]);
    let allowed = Options { allow_mass_delete: true, ..Options::default() };
    assert_eq!(world.load_with(&run, &allowed)[0].rows_suspected, 35);
    // As many are missing, but not the same.
    let mut last = Vec::new();
    for _ in 0..2 {
        let run = world.extract(&[snapshot("a", &records(35..60))]);
        last = world.load_with(&run, &Options::default());
    }
    assert_eq!(last[0].status, UnitStatus::Failed);
    assert_eq!(world.lines(DELETED), ["0"]);
}

fn an_empty_snapshot_does_not_empty_a_table(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(0..20))]);
    let run = world.extract(&[snapshot("a", &[])]);
    let units = world.load_with(&run, &Options::default());
    assert_eq!(units[0].status, UnitStatus::Failed);
    assert_eq!(world.lines(DELETED), ["0"]);
}

fn few_rows_may_all_go(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(0..19))]);
    world.run(&[snapshot("a", &[])]);
    assert_eq!(world.lines(DELETED), ["19"]);
}

fn the_share_can_be_set(new: fn() -> World) {
    let mut world = new();
    world.streams = "[{name: things, max_delete_fraction: 0.05}]".into();
    world.run(&[snapshot("a", &records(0..40))]);
    let run = world.extract(&[snapshot("a", &records(0..37))]);
    assert_eq!(world.load_with(&run, &Options::default())[0].status, UnitStatus::Failed);
}

fn a_unit_without_a_batch_fails_and_its_table_stays(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(0..5)), snapshot("b", &records(0..5))]);
    let run = world.extract(&[snapshot("a", &records(0..4)), snapshot("b", &records(0..4))]);
    let missing = world.object(&format!("batches/test/a/things/{run}/batch.json"));
    std::fs::remove_file(missing).unwrap();
    let mut units = world.load_with(&run, &Options::default());
    world.confirm(&run, &[snapshot("b", &records(0..4))], &Options::default(), &mut units);
    let a = units.iter().find(|unit| unit.account == "a").unwrap();
    assert!(a.error.as_ref().unwrap().contains("no complete batch"), "{:?}", a.error);
    assert_eq!(world.lines("SELECT _etl_account FROM bronze.things WHERE _etl_operation = 'DELETE'"), ["b"]);
}

fn rejects_are_kept_and_more_than_allowed_fail_the_unit(new: fn() -> World) {
    let mut world = new();
    let mut given = snapshot("a", &records(0..3));
    given.lines.push(r#"{"v":"no key"}"#.into());
    given.lines.push(r#"{"id":null,"v":"null key"}"#.into());
    given.lines.push("[1,2]".into());
    given.lines.push("{broken".into());
    let run = world.extract(&[given.clone()]);
    let units = world.load_with(&run, &Options::default());
    assert_eq!((units[0].status, units[0].rows_rejected), (UnitStatus::Failed, 4));
    assert!(!world.has_table());
    let path = world.object(&format!("rejects/test/a/things/{run}.ndjson.gz"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()), &mut text)
        .unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains("missing or null") && text.contains("no JSON object") && text.contains("null key"), "{text}");

    world.streams = "[{name: things, max_bad_records: 4}]".into();
    let units = world.run(&[given]);
    assert_eq!((units[0].rows_inserted, units[0].rows_rejected), (3, 4));
}

fn a_rejected_record_is_not_taken_for_a_deleted_row(new: fn() -> World) {
    let mut world = new();
    world.streams = "[{name: things, max_bad_records: 1}]".into();
    world.run(&[snapshot("a", &records(0..5))]);
    let mut given = snapshot("a", &records(0..4));
    given.lines.push("{\"id\": 4, broken".into());
    world.run(&[given]);
    assert_eq!(world.lines(DELETED), ["0"]);
}
