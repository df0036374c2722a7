//! Broken files in the landing zone, wrong names, a file that is held by another process: clear errors, nothing lost.

use crate::world::{SecondReading, World, on_each_warehouse, snapshot};
use contract::report::{Remedy, UnitStatus};
use load_job::run::Options;
#[cfg(feature = "duckdb")]
use load_job::run::RunError;
use serde_json::json;
use std::path::PathBuf;

on_each_warehouse! {
    a_missing_part_or_a_broken_batch_json_is_named,
    an_empty_stream_is_zero_rows,
    a_part_that_is_damaged_between_the_passes_changes_nothing,
    a_table_that_cannot_be_called_so_stops_nothing;
    // Decided before any warehouse is asked.
    on_duckdb_alone:
    damaged_parts_fail_their_unit_alone,
    a_batch_of_before_the_redaction_is_not_loaded,
}

fn one() -> crate::world::Given {
    snapshot("a", &[json!({"id": 1, "v": "x"}), json!({"id": 2, "v": "x"})])
}

fn damaged_parts_fail_their_unit_alone(new: fn() -> World) {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage); 4] = [
        ("is damaged", |bytes| bytes.truncate(bytes.len() / 2)),
        ("is damaged", |bytes| bytes.clear()),
        ("is damaged", |bytes| *bytes = b"<html>".to_vec()),
        ("checksum", |bytes| bytes[4] ^= 1), // the header's time stamp: it still decompresses
    ];
    for (message, damage) in cases {
        let mut world = new();
        let run = world.extract(&[one(), snapshot("b", &[json!({"id": 1, "v": "x"})])]);
        let part = world.object(&format!("batches/test/a/things/{run}/part-00000.ndjson.gz"));
        let mut bytes = std::fs::read(&part).unwrap();
        damage(&mut bytes);
        std::fs::write(&part, bytes).unwrap();
        let units = world.load_with(&run, &Options::default());
        let a = units.iter().find(|unit| unit.account == "a").unwrap();
        assert_eq!(a.status, UnitStatus::Failed);
        assert!(a.error.as_ref().unwrap().contains(message), "{:?}", a.error);
        assert_eq!(world.lines("SELECT _etl_account FROM bronze.things"), ["b"]);
    }
}

fn a_part_that_is_damaged_between_the_passes_changes_nothing(new: fn() -> World) {
    let mut world = new();
    // More than what is kept from one pass to the other.
    let long = "x".repeat(5 << 18);
    let record = |id: u32, v: &str| json!({"id": id, "v": v, "long": long});
    let both = |v: &str| ["a", "b"].map(|account| snapshot(account, &[record(1, v), record(2, v)]));
    world.run(&both("old"));
    let run = world.extract(&both("new"));
    let readings = std::sync::Mutex::default();
    let zone = std::sync::Arc::new(SecondReading { landing: world.landing(), account: "a", readings });
    let units = world.load_over(&run, zone.clone());
    let find = |account: &str| units.iter().find(|unit| unit.account == account).unwrap();
    let (a, b) = (find("a"), find("b"));
    assert_eq!((a.status, a.remedy), (UnitStatus::Failed, Some(Remedy::AnotherRun)));
    assert!(a.error.as_ref().unwrap().contains("is damaged"), "{:?}", a.error);
    assert_eq!((b.status, b.rows_updated), (UnitStatus::Done, 2), "{:?}", b.error);
    let rows = "SELECT _etl_account, id, v FROM bronze.things ORDER BY 1, 2";
    assert_eq!(world.lines(rows), ["a 1 old", "a 2 old", "b 1 new", "b 2 new"]);
    // Read in whole, it is loaded.
    let units = world.load_with(&run, &Options { accounts: vec!["a".into()], ..Options::default() });
    assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 2), "{:?}", units[0].error);
    assert_eq!(world.lines(rows), ["a 1 new", "a 2 new", "b 1 new", "b 2 new"]);
}

fn a_missing_part_or_a_broken_batch_json_is_named(new: fn() -> World) {
    type Break = fn(PathBuf);
    let cases: [(&str, Break); 3] = [
        ("is missing", |folder| std::fs::remove_file(folder.join("part-00000.ndjson.gz")).unwrap()),
        ("cannot be read", |folder| std::fs::write(folder.join("batch.json"), "{").unwrap()),
        ("its version is 9", |folder| std::fs::write(folder.join("batch.json"), r#"{"version": 9}"#).unwrap()),
    ];
    for (message, damage) in cases {
        let mut world = new();
        let run = world.extract(&[one()]);
        damage(world.object(&format!("batches/test/a/things/{run}")));
        let units = world.load_with(&run, &Options::default());
        assert!(units[0].error.as_ref().unwrap().contains(message), "{:?}", units[0].error);
    }
}

#[cfg(feature = "duckdb")]
#[test]
fn wrong_names_are_usage_errors() {
    let mut world = World::duckdb();
    let run = world.extract(&[one()]);
    let cases = [
        (Options { streams: vec!["thing".into()], ..Options::default() }, "did you mean `things`?"),
        (Options { sources: vec!["tset".into()], ..Options::default() }, "did you mean `test`?"),
        (Options { accounts: vec!["nobody".into()], ..Options::default() }, "no such account"),
    ];
    for (options, message) in cases {
        match world.try_load(&run, &options) {
            Err(RunError::Usage(text)) => assert!(text.contains(message), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    let unknown = "20200101T000000Z-zzzzzz".parse().unwrap();
    assert!(
        matches!(world.try_load(&unknown, &Options::default()), Err(RunError::Usage(text)) if text.contains("there is no run"))
    );
}

#[cfg(feature = "duckdb")]
#[test]
fn two_streams_for_one_table_and_account_are_refused() {
    let mut world = World::duckdb();
    world.accounts = vec!["a".into()];
    let run = world.extract(&[one()]);
    // The same stream name in another source, bound for the same table.
    let text = "landing: landing\nwarehouse: {type: duckdb, path: w.duckdb}\nsources:\n  - {connector: test, accounts: [{id: a}]}\n  - {connector: test, name: other, accounts: [{id: a}]}\n";
    let pipeline =
        contract::pipeline::Pipeline::parse("p.yaml", text, world.dir.path(), &contract::secret::Machine).unwrap();
    let landing = world.landing();
    let folder = world.dir.path().join("landing/batches");
    let (from, to) = (folder.join(format!("test/a/things/{run}")), folder.join(format!("other/a/things/{run}")));
    std::fs::create_dir_all(&to).unwrap();
    let batch = std::fs::read_to_string(from.join("batch.json"))
        .unwrap()
        .replace("\"source\": \"test\"", "\"source\": \"other\"");
    std::fs::write(to.join("batch.json"), batch).unwrap();
    let plan = world.object(&format!("runs/{run}/plan.json"));
    let units =
        r#"{"source":"test","account":"a","stream":"things"},{"source":"other","account":"a","stream":"things"}"#;
    std::fs::write(plan, format!(r#"{{"run_id":"{run}","tasks":1,"units":[{units}]}}"#)).unwrap();
    let shutdown = contract::shutdown::Shutdown::new();
    let task = contract::unit::Task::ONLY;
    let handle = world.runtime.handle();
    let report = load_job::run::load(&pipeline, &landing, &Options::default(), &run, task, &shutdown, handle).unwrap();
    let failed: Vec<_> = report.units.iter().filter(|unit| unit.status == UnitStatus::Failed).collect();
    assert_eq!(failed.len(), 2, "neither may take the other's rows for its own");
    assert!(failed[0].error.as_ref().unwrap().contains("same table for the same account"), "{:?}", failed[0].error);
}

fn an_empty_stream_is_zero_rows(new: fn() -> World) {
    let mut world = new();
    let units = world.run(&[snapshot("a", &[])]);
    assert_eq!((units[0].rows_extracted, units[0].rows_inserted), (0, 0));
    world.run(&[snapshot("a", &[json!({"id": 1})])]);
    assert_eq!(world.lines("SELECT id FROM bronze.things"), ["1"]);
}

/// An earlier version took the stream's name for the table's, whatever it was.
fn a_table_that_cannot_be_called_so_stops_nothing(new: fn() -> World) {
    let mut world = new();
    let run = world.extract(&[one(), snapshot("b", &[json!({"id": 1, "v": "x"})])]);
    let report = world.object(&format!("runs/{run}/extract-0-of-1.json"));
    let mut told: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let of_a = told["units"].as_array_mut().unwrap().iter_mut().find(|unit| unit["account"] == "a").unwrap();
    of_a["table"] = "order-items".into();
    std::fs::write(&report, told.to_string()).unwrap();
    for unit in world.load_with(&run, &Options::default()) {
        assert_eq!(unit.error, None);
    }
    assert_eq!(world.lines("SELECT _etl_account FROM bronze.things"), ["b"]);
    assert_eq!(world.lines("SELECT DISTINCT _etl_account FROM bronze.order_items"), ["a"]);
}

fn a_batch_of_before_the_redaction_is_not_loaded(new: fn() -> World) {
    let redacted = |entry: serde_json::Value| crate::world::Given { redacted: entry, ..one() };
    let cases = [
        (json!({}), "redact: {v: drop}", Some("`redact: v`")),
        (json!({"redact": {"v": "drop"}}), "redact: {v: drop}", None),
        (json!({"redact": {"v": "drop"}}), "redact: {v: drop}, mask: [email]", Some("`mask: email`")),
        (json!({"redact": {"v": "drop"}, "mask": ["email"]}), "mask: [email]", None),
        // It hides more than it must.
        (json!({"redact": {"v": "drop"}}), "write: merge", None),
    ];
    for (before, now, refused) in cases {
        let mut world = new();
        world.streams = format!("[{{name: things, {now}}}]");
        let run = world.extract(&[redacted(before.clone())]);
        let units = world.load_with(&run, &Options::default());
        let Some(refused) = refused else {
            assert_eq!(units[0].status, UnitStatus::Done, "{before}, now {now}: {:?}", units[0].error);
            continue;
        };
        let error = units[0].error.clone().unwrap_or_default();
        assert!(error.contains(refused) && error.contains("in clear"), "{before}, now {now}: {error}");
        assert_eq!((units[0].remedy, world.has_table()), (Some(Remedy::AnotherRun), false), "{before}, now {now}");
    }
}
