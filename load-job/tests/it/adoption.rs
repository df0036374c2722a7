//! `adopt`: a table of another ETL is taken over, every row is written once by the next load, and none is doubled.

use crate::world::{Given, World, on_each_warehouse, snapshot};
use contract::landing::paths;
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::{self, Latest};
use load_job::run::{AdoptOrder, Adoptee, Options, RunError, adopt};
use serde_json::{Value, json};

on_each_warehouse! {
    a_table_without_audit_columns_goes_on,
    audit_columns_of_another_etl_are_kept,
    a_key_is_found_by_the_name_of_its_column,
    what_would_double_rows_is_refused_and_changes_nothing,
}

const STATE: &str = "SELECT id, v, _etl_operation, _etl_account FROM bronze.things ORDER BY id";

fn adopted(world: &World) -> Result<Adoptee, RunError> {
    let bigquery = world.bigquery_endpoint();
    let asked = AdoptOrder { table: "things".into(), account: "a".into(), bigquery, ..AdoptOrder::default() };
    let run = "20260101T120000Z-adopts".parse().unwrap();
    adopt(&world.pipeline(), &world.landing(), &asked, &run, &Shutdown::new(), world.runtime.handle())
}

/// Extracts, so that the key is known; the run.
fn extract(world: &mut World, given: Given) -> RunId {
    let run = world.extract(&[given]);
    let latest = Latest { run_id: run.clone(), finished_at: chrono::Utc::now(), durations_ms: Default::default() };
    world.runtime.block_on(stored::write(world.landing().as_ref(), paths::LATEST, &latest)).unwrap();
    run
}

fn make(world: &World, columns: &str, rows: &str) {
    world.tamper("CREATE SCHEMA IF NOT EXISTS bronze");
    let columns = if world.is_bigquery() {
        columns.replace("INTEGER", "INT64").replace("VARCHAR", "STRING")
    } else {
        columns.to_owned()
    };
    world.tamper(&format!("CREATE TABLE bronze.things ({columns})"));
    world.tamper(&format!("INSERT INTO bronze.things VALUES {rows}"));
}

fn record(id: u32, v: &str) -> Value {
    json!({"id": id, "v": v})
}

fn counts(world: &World, run: &RunId) -> (u64, u64, u64, u64) {
    let unit = world.load_with(run, &Options::default()).remove(0);
    assert_eq!(unit.error, None);
    (unit.rows_inserted, unit.rows_updated, unit.rows_deleted, unit.rows_unchanged)
}

fn a_table_without_audit_columns_goes_on(new: fn() -> World) {
    let mut world = new();
    make(&world, "id INTEGER NOT NULL, v VARCHAR, note VARCHAR", "(1, 'old', 'n'), (2, 'same', 'n'), (3, 'gone', 'n')");
    let run = extract(&mut world, snapshot("a", &[record(1, "new"), record(2, "same"), record(4, "more")]));
    let before = world.load_with(&run, &Options::default())[0].error.clone().unwrap();
    assert!(before.contains("_etl_"), "without adoption it is left alone: {before}");
    let done = adopted(&world).unwrap();
    assert_eq!((done.adopted.rows, done.adopted.added.len(), done.keys_checked), (3, 4, true));
    assert_eq!(done.adopted.foreign, [""; 0]);
    assert_eq!(world.lines(STATE), ["1 old INSERT a", "2 same INSERT a", "3 gone INSERT a"]);
    assert_eq!(adopted(&world).unwrap().adopted.rows, 0, "again: nothing is left to do");
    assert_eq!(counts(&world, &run), (1, 2, 0, 0), "each row once");
    assert_eq!(counts(&world, &run), (0, 0, 0, 3));
    let again = extract(&mut world, snapshot("a", &[record(1, "new"), record(2, "same"), record(4, "more")]));
    assert_eq!(counts(&world, &again), (0, 0, 1, 3), "what is missing twice is gone");
    let rows = ["1 new UPDATE a", "2 same UPDATE a", "3 gone DELETE a", "4 more INSERT a"];
    assert_eq!(world.lines(STATE), rows);
    // It has a writer now.
    world.source = "other";
    let run = world.extract(&[snapshot("a", &[record(1, "x")])]);
    assert!(world.load_with(&run, &Options::default())[0].error.as_ref().unwrap().contains("--take-over"));
}

fn audit_columns_of_another_etl_are_kept(new: fn() -> World) {
    let mut world = new();
    let at = "TIMESTAMP '2020-01-02 03:04:05'";
    make(
        &world,
        "id INTEGER, v VARCHAR, _etl_synced TIMESTAMP, _etl_operation VARCHAR",
        &format!("(1, 'x', {at}, 'insert'), (2, 'x', NULL, 'D'), (3, 'x', {at}, 'DELETE'), (4, 'x', {at}, NULL)"),
    );
    let run = extract(&mut world, snapshot("a", &[record(1, "x"), record(2, "x"), record(4, "x")]));
    let done = adopted(&world).unwrap();
    assert_eq!((done.adopted.rows, done.adopted.added), (4, vec!["_etl_account".into(), "_etl_row_hash".into()]));
    assert_eq!(world.lines(STATE), ["1 x INSERT a", "2 x INSERT a", "3 x DELETE a", "4 x INSERT a"]);
    let kept = format!("SELECT {} FROM bronze.things WHERE id = 3", world.instant("_etl_synced"));
    assert_eq!(world.lines(&kept), ["2020-01-02 03:04:05"]);
    assert_eq!(counts(&world, &run), (0, 3, 0, 0));
    assert_eq!(world.lines("SELECT id FROM bronze.things WHERE _etl_synced IS NULL"), [""; 0]);
}

fn a_key_is_found_by_the_name_of_its_column(new: fn() -> World) {
    for (column, key) in [("customerId", "customerId"), ("customer_id", "customerId"), ("customer_id", "customer_id")] {
        let mut world = new();
        make(&world, &format!("{column} INTEGER, v VARCHAR"), "(1, 'old'), (2, 'old')");
        let rows = [json!({key: 1, "v": "new"}), json!({key: 2, "v": "new"})];
        let run = extract(&mut world, Given { keys: vec![key], ..snapshot("a", &rows) });
        adopted(&world).unwrap();
        assert_eq!(counts(&world, &run), (0, 2, 0, 0), "{column} for {key}");
        assert_eq!(world.lines("SELECT count(*) FROM bronze.things"), ["2"]);
    }
}

fn what_would_double_rows_is_refused_and_changes_nothing(new: fn() -> World) {
    let cases = [
        ("id INTEGER, v VARCHAR", "(1, 'x'), (1, 'y'), (2, 'x')", "2 of its rows have no key of their own"),
        ("id INTEGER, v VARCHAR", "(1, 'x'), (NULL, 'y')", "1 of its rows have no key of their own"),
        ("number INTEGER, v VARCHAR", "(1, 'x')", "it has no column for `id`"),
        ("id INTEGER, v VARCHAR, _etl_synced VARCHAR", "(1, 'x', 'y')", "its column _etl_synced is"),
        ("", "", "there is no such table"),
    ];
    for (columns, rows, says) in cases {
        let mut world = new();
        if columns.is_empty() {
            world.tamper("CREATE SCHEMA IF NOT EXISTS bronze");
        } else {
            make(&world, columns, rows);
        }
        extract(&mut world, snapshot("a", &[record(1, "x")]));
        let before = (!columns.is_empty()).then(|| world.rows("SELECT * FROM bronze.things ORDER BY 1, 2"));
        let error = adopted(&world).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        if let Some(before) = before {
            assert_eq!(world.rows("SELECT * FROM bronze.things ORDER BY 1, 2"), before, "{columns}");
        }
    }
    let world = new();
    let ask = |account: &str, table: &str| AdoptOrder {
        table: table.into(),
        account: account.into(),
        ..AdoptOrder::default()
    };
    for (asked, says) in
        [(ask("a", "nothing"), "no stream of account a goes into it"), (ask("z", "things"), "no such account")]
    {
        let run = "20260101T120000Z-adopts".parse().unwrap();
        let done = adopt(&world.pipeline(), &world.landing(), &asked, &run, &Shutdown::new(), world.runtime.handle());
        match done {
            Err(RunError::Usage(message)) => assert!(message.contains(says), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

/// The program, on a folder of its own.
#[cfg(feature = "duckdb")]
fn program(world: &World, streams: &str, args: &[&str]) -> (i32, String, String) {
    let file = format!(
        "landing: landing\nwarehouse: {{type: duckdb, path: w.duckdb}}\nsources:\n  - {{connector: test, accounts: [{{id: a}}], streams: {streams}}}\n"
    );
    std::fs::write(world.dir.path().join("p.yaml"), file).unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_load-job"));
    let output = program.args(args).env("DRAYAGE_ACCOUNT", "a").current_dir(world.dir.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[cfg(feature = "duckdb")]
#[test]
fn the_command_tells_what_it_has_done() {
    let mut world = World::duckdb();
    make(&world, "id INTEGER, v VARCHAR, clock TIME", "(1, 'x', '10:00:00')");
    let adopt = |world: &World, more: &[&str]| {
        program(world, "[things]", &[&["adopt", "--pipeline", "p.yaml", "--table", "things"], more].concat())
    };
    let (code, shown, error) = adopt(&world, &[]);
    assert_eq!(code, 0, "{error}");
    for part in [
        "bronze.things: 1 rows belong to test/a/things",
        "_etl_row_hash",
        "column clock is of a type",
        "was not checked",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let run = extract(&mut world, snapshot("a", &[record(1, "x")]));
    let (code, shown, error) = adopt(&world, &["--output", "json"]);
    assert_eq!(code, 0, "{error}");
    let told: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&told["rows"], &told["keys_checked"], &told["columns_added"]), (&json!(0), &json!(true), &json!([])));
    let (code, shown, error) = program(&world, "[things]", &["--pipeline", "p.yaml", "--run-id", run.as_str()]);
    assert_eq!(code, 0, "{error}");
    assert!(shown.contains("+0 ~1 -0 =0"), "{shown}");
    let (code, _, error) = adopt(&world, &["--stream", "others"]);
    assert!(code == 2 && error.contains("no stream of account a goes into it"), "{error}");
    let (code, _, error) = program(&world, "[things]", &["adopt"]);
    assert!(code == 2 && error.contains("--table"), "{error}");
    // The file is judged whole, whatever is asked for.
    let shared = "[things, {name: others, table: Things}]";
    for args in
        [&["--pipeline", "p.yaml", "--stream", "things"][..], &["adopt", "--pipeline", "p.yaml", "--table", "things"]]
    {
        let (code, _, error) = program(&world, shared, args);
        assert!(code == 2 && error.contains("`things` and `others`") && error.contains("another `table`"), "{error}");
    }
}
