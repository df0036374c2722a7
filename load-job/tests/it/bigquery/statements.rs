//! Every statement that the load can send to BigQuery, in the form in which it was sent.

use crate::world::{Given, World, incremental, snapshot};
use load_job::run::Options;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The statements of a world so far, with what differs from run to run taken out; each once, in order.
fn sent(world: &World) -> String {
    let project = world.project();
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for sql in world.cloud().bigquery.queries() {
        // `project-1` is the beginning of `project-12`.
        if !sql.contains(&format!("`{project}`")) {
            continue;
        }
        let text = plain(&sql.replace(project, "project"));
        if seen.insert(text.clone()) {
            out.push(text.trim().to_owned());
        }
    }
    out.join("\n\n----\n\n")
}

/// Staging names end with eight random hex digits, and expiry is a day from now.
fn plain(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find("_aaaaaa__") {
        let (before, after) = rest.split_at(at + "_aaaaaa__".len());
        out.push_str(before);
        out.push_str("xxxxxxxx");
        rest = &after[8..];
    }
    out.push_str(rest);
    let Some(at) = out.find("expiration_timestamp = TIMESTAMP '") else { return out };
    let end = out[at..].find(')').unwrap() + at;
    out.replace_range(at..end, "expiration_timestamp = TIMESTAMP '(a day from now)'");
    out
}

fn keyed(keys: &[&'static str], cursor: Option<&'static str>, records: &[Value]) -> Given {
    Given { keys: keys.to_vec(), cursor, ..snapshot("a", records) }
}

#[test]
fn merge() {
    let mut world = World::bigquery();
    let record = |id: u32, v: Value| json!({"id": id, "v": v, "at": "2026-01-01T00:00:00Z", "o": {"a": 1}, "day": "2026-01-02T03:04:05"});
    world.streams = "[{name: things, columns: {day: DATETIME}}]".into();
    let two = [record(1, json!(1)), record(2, json!(1))];
    world.run(&[keyed(&["id"], Some("at"), &two), snapshot("b", &two)]);
    world.run(&[keyed(&["id"], Some("at"), &[record(1, json!(1)), record(3, json!(1)), record(2, json!(1))])]);
    world.run(&[keyed(&["id"], Some("at"), &[record(1, json!(1.5)), json!({"id": 4, "new": true})])]);
    insta::assert_snapshot!(sent(&world));
}

#[test]
fn merge_with_keys_that_cannot_be_compared() {
    let mut world = World::bigquery();
    let records = [json!({"k": 0.1234567891, "j": [1], "v": 1})];
    world.run(&[keyed(&["k", "j"], None, &records)]);
    let run = world.extract(&[keyed(&["k", "j"], None, &[json!({"k": 0.1234567891, "j": [1], "v": 2})])]);
    let units = world.load_with(&run, &Options { rewrite: true, ..Options::default() });
    assert_eq!((units[0].rows_inserted, units[0].rows_updated), (0, 1), "{:?}", units[0].error);
    insta::assert_snapshot!(sent(&world));
}

#[test]
fn append() {
    let mut world = World::bigquery();
    let given = |v: u32| Given { keys: vec![], ..incremental("a", &[json!({"v": 1}), json!({"v": v})]) };
    world.run(&[given(2)]);
    world.run(&[given(3)]);
    insta::assert_snapshot!(sent(&world));
}

#[test]
fn replace() {
    let mut world = World::bigquery();
    let given = |v: u32| Given { keys: vec![], ..snapshot("a", &[json!({"v": 1}), json!({"v": v})]) };
    world.run(&[given(2)]);
    world.run(&[given(3)]);
    insta::assert_snapshot!(sent(&world));
}

#[test]
fn merge_into_partitions() {
    let mut world = World::bigquery();
    world.streams = "[{name: things, partition_by: at}]".into();
    let record = |id: u32, at: &str, v: u32| json!({"id": id, "at": at, "v": v});
    let first = [
        record(1, "2026-01-31T00:00:00Z", 1),
        record(2, "2026-03-01T00:00:00Z", 1),
        record(3, "2026-07-01T00:00:00Z", 1),
    ];
    world.run(&[incremental("a", &first)]);
    world.run(&[incremental("a", &[record(1, "2026-01-31T00:00:00Z", 2), record(3, "2026-09-01T00:00:00Z", 2)])]);
    let rows = world.lines("SELECT id, v FROM bronze.things ORDER BY id");
    assert_eq!(rows, ["1 2", "2 1", "3 2"]);
    insta::assert_snapshot!(sent(&world));
}
