//! A batch of changes goes on only in the table that its predecessors went into, and where they all still are; and rows have one writer.

use crate::world::{Given, World, incremental, on_each_warehouse, snapshot};
use contract::batch::BatchMode;
use contract::report::UnitStatus;
use contract::run_id::RunId;
use contract::stored::{self, Checkpoint, read_checkpoint};
use contract::unit::Unit;
use load_job::run::Options;
use serde_json::{Value, json};

on_each_warehouse! {
    after_an_older_run_was_forced_the_runs_follow_in_order,
    a_table_that_was_dropped_needs_a_full_reading,
    a_warehouse_restored_from_a_backup_needs_a_full_reading,
    a_table_that_was_set_back_in_place_needs_a_full_reading,
    a_load_that_was_killed_is_healed_by_the_next,
    tables_of_before_go_on_and_get_an_identity,
    rows_have_one_writer;
    // Decided before any warehouse is asked.
    on_duckdb_alone:
    another_table_or_schema_needs_a_full_reading,
    a_backfill_makes_no_table_whole,
    an_empty_beginning_is_gone_on_with,
}

/// A batch from one state to the next; the state is a number, and so is the value of its rows.
fn step(before: u32, after: u32, ids: &[u32]) -> Given {
    let records: Vec<Value> = ids.iter().map(|id| json!({"id": id, "v": after})).collect();
    let state = |number: u32| Some(json!({"at": number, "more": {"b": 1, "a": [number]}}));
    Given { before: state(before).filter(|_| before > 0), state: state(after), ..incremental("a", &records) }
}

fn window(ids: &[u32]) -> Given {
    Given { mode: BatchMode::Window, state: None, ..step(0, 0, ids) }
}

const ROWS: &str = "SELECT id, v FROM bronze.things ORDER BY id";

/// Loads a run that must be refused; what is said.
#[track_caller]
fn refused(world: &World, run: &RunId) -> String {
    let units = world.load_with(run, &Options::default());
    assert_eq!(units[0].status, UnitStatus::Failed, "it was loaded");
    units[0].error.clone().unwrap()
}

/// Extracts and loads a batch that must be refused for its hole.
#[track_caller]
fn gap(world: &mut World, given: Given, says: &str) {
    let run = world.extract(&[given]);
    let error = refused(world, &run);
    assert!(error.contains("--full-refresh") && error.contains(says), "{error}");
}

fn checkpoint(world: &World) -> Option<Checkpoint> {
    let unit = Unit::new("test", "a", "things").unwrap();
    world.runtime.block_on(read_checkpoint(world.landing().as_ref(), &unit)).unwrap()
}

fn set_checkpoint(world: &World, checkpoint: &Checkpoint) {
    let path = contract::landing::paths::checkpoint(&Unit::new("test", "a", "things").unwrap());
    world.runtime.block_on(stored::write(world.landing().as_ref(), &path, checkpoint)).unwrap();
}

fn a_table_that_was_dropped_needs_a_full_reading(new: fn() -> World) {
    let mut world = new();
    world.run(&[step(0, 1, &[1, 2])]);
    let first = checkpoint(&world).unwrap().table.expect("the checkpoint names the table");
    world.tamper("DROP TABLE bronze.things");
    gap(&mut world, step(1, 2, &[3]), "there is no such table any more");
    assert!(!world.has_table(), "nothing is left half");
    // A snapshot and a full reading take nothing for granted.
    world.run(&[step(0, 2, &[1, 2, 3])]);
    let second = checkpoint(&world).unwrap().table.unwrap();
    assert_ne!(first, second, "it is another table");
    world.run(&[step(2, 3, &[4])]);
    assert_eq!(world.lines(ROWS), ["1 2", "2 2", "3 2", "4 3"]);
    assert_eq!(checkpoint(&world).unwrap().table.unwrap(), second);
    // The same where the table is made anew by another account's rows before this one's come.
    world.tamper("DROP TABLE bronze.things");
    world.run(&[snapshot("b", &[json!({"id": 9, "v": 9})])]);
    gap(&mut world, step(3, 4, &[5]), "it is another table");
    assert_eq!(world.lines(ROWS), ["9 9"]);
    world.run(&[snapshot("a", &[json!({"id": 1, "v": 1})])]);
}

fn another_table_or_schema_needs_a_full_reading(new: fn() -> World) {
    let mut world = new();
    world.run(&[step(0, 1, &[1, 2])]);
    world.streams = "[{name: things, table: others}]".into();
    gap(&mut world, step(1, 2, &[3]), "bronze.others");
    world.streams = "[things]".into();
    let schema = if world.is_bigquery() { "dataset" } else { "schema" };
    world.accounts[0] = format!("{{id: a, warehouse: {{{schema}: silver}}}}");
    gap(&mut world, step(1, 2, &[3]), "silver.things");
    world.accounts[0] = "a".into();
    world.run(&[step(1, 2, &[3])]);
    assert_eq!(world.lines(ROWS), ["1 1", "2 1", "3 2"]);
}

fn a_backfill_makes_no_table_whole(new: fn() -> World) {
    let mut world = new();
    world.run(&[step(0, 1, &[1, 2])]);
    if world.is_bigquery() {
        world.tamper("DROP TABLE bronze.things");
    } else {
        std::fs::remove_file(world.dir.path().join("w.duckdb")).unwrap();
    }
    world.run(&[window(&[1])]);
    gap(&mut world, step(1, 2, &[3]), "it is another table");
    assert_eq!(world.lines(ROWS), ["1 0"]);
    // A backfill between two runs changes nothing for them.
    world.run(&[step(0, 2, &[1, 2])]);
    for _ in 0..3 {
        world.run(&[window(&[7])]);
    }
    world.run(&[step(2, 3, &[3])]);
}

fn a_warehouse_restored_from_a_backup_needs_a_full_reading(new: fn() -> World) {
    let mut world = new();
    world.run(&[step(0, 1, &[1, 2])]);
    let backup = world.dir.path().join("backup.duckdb");
    if world.is_bigquery() {
        world.tamper("CREATE TABLE bronze.backup AS SELECT * FROM bronze.things");
    } else {
        std::fs::copy(world.dir.path().join("w.duckdb"), &backup).unwrap();
    }
    let second = world.extract(&[step(1, 2, &[2, 3])]);
    assert_eq!(world.load_with(&second, &Options::default())[0].error, None);
    if world.is_bigquery() {
        world.tamper("CREATE OR REPLACE TABLE bronze.things AS SELECT * FROM bronze.backup");
    } else {
        std::fs::copy(&backup, world.dir.path().join("w.duckdb")).unwrap();
    }
    let third = world.extract(&[step(2, 3, &[4])]);
    let error = refused(&world, &third);
    assert!(error.contains("--full-refresh"), "{error}");
    assert_eq!(world.lines(ROWS), ["1 1", "2 1"]);
    if !world.is_bigquery() {
        // A file that was copied as a whole knows where it is: the runs since then can be loaded again.
        for run in [&second, &third] {
            assert_eq!(world.load_with(run, &Options { force: true, ..Options::default() })[0].error, None);
        }
        assert_eq!(world.lines(ROWS), ["1 1", "2 2", "3 2", "4 3"]);
    }
    world.run(&[step(0, 4, &[1, 2, 3, 4])]);
    world.run(&[step(4, 5, &[5])]);
    assert_eq!(world.lines(ROWS), ["1 4", "2 4", "3 4", "4 4", "5 5"]);
}

fn a_table_that_was_set_back_in_place_needs_a_full_reading(new: fn() -> World) {
    let mut world = new();
    world.run(&[step(0, 1, &[1, 2]), Given { account: "b", ..step(0, 1, &[1]) }]);
    world.run(&[step(1, 2, &[3])]);
    // It stays the table that it was, and the memory beside it says that it has the third row.
    world.tamper("DELETE FROM bronze.things WHERE id = 3");
    let run = world.extract(&[step(2, 3, &[4]), Given { account: "b", ..step(1, 3, &[4]) }]);
    let units = world.load_with(&run, &Options::default());
    let of = |account: &str| units.iter().find(|unit| unit.account == account).unwrap();
    let error = of("a").error.as_ref().unwrap();
    assert!(error.contains("lacks the rows") && error.contains("--full-refresh"), "{error}");
    assert_eq!(of("b").error, None, "the other account has lost nothing");
    // Also where the full reading finds nothing to change.
    world.run(&[step(0, 3, &[]), Given { account: "b", ..step(3, 4, &[]) }]);
    world.run(&[step(3, 4, &[4])]);
    world.run(&[step(4, 5, &[])]);
    world.run(&[step(5, 6, &[5])]);
    let rows = world.lines("SELECT id FROM bronze.things WHERE _etl_account = 'a' ORDER BY id");
    assert_eq!(rows, ["1", "2", "4", "5"]);
}

fn after_an_older_run_was_forced_the_runs_follow_in_order(new: fn() -> World) {
    let mut world = new();
    let runs: Vec<RunId> = [step(0, 1, &[1, 2, 3]), step(1, 2, &[1]), step(2, 3, &[1, 2]), step(3, 4, &[3])]
        .into_iter()
        .map(|given| {
            let run = world.extract(&[given]);
            assert_eq!(world.load_with(&run, &Options::default())[0].error, None);
            run
        })
        .collect();
    assert_eq!(world.lines(ROWS), ["1 3", "2 3", "3 4"]);
    let force = Options { force: true, ..Options::default() };
    assert_eq!(world.load_with(&runs[1], &force)[0].error, None);
    assert_eq!(world.lines(ROWS), ["1 2", "2 3", "3 4"]);
    // The newest would move the checkpoint over the third, whose rows are stale now.
    let error = refused(&world, &runs[3]);
    assert!(error.contains("an older run was applied over newer ones"), "{error}");
    for run in &runs[2..] {
        assert_eq!(world.load_with(run, &force)[0].error, None);
    }
    assert_eq!(world.lines(ROWS), ["1 3", "2 3", "3 4"]);
    world.run(&[step(4, 5, &[1])]);
}

fn a_load_that_was_killed_is_healed_by_the_next(new: fn() -> World) {
    let forget = "DELETE FROM management.applied_batches WHERE run_id = ";
    // What a kill leaves unwritten: the checkpoint; the checkpoint and the memory (where rows and memory are written one after the other).
    for lacks_memory in [false, true] {
        let mut world = new();
        world.run(&[step(0, 1, &[1, 2])]);
        let before = checkpoint(&world).unwrap();
        let second = world.extract(&[step(1, 2, &[2, 3])]);
        let kill = |world: &World| {
            set_checkpoint(world, &before);
            if lacks_memory {
                world.tamper(&format!("{forget}'{second}'"));
            }
        };
        assert_eq!(world.load_with(&second, &Options::default())[0].error, None);
        kill(&world);
        let again = &world.load_with(&second, &Options::default())[0];
        assert_eq!(
            (again.status, again.rows_unchanged, again.rows_updated),
            (UnitStatus::Done, 2, 0),
            "{:?}",
            again.error
        );
        assert_eq!(checkpoint(&world).unwrap().state["at"], 2);
        // Nobody loads the run again: the next extract begins where the checkpoint is.
        kill(&world);
        world.run(&[step(1, 3, &[2, 3, 4])]);
        world.run(&[step(3, 4, &[5])]);
        assert_eq!(world.lines(ROWS), ["1 1", "2 3", "3 3", "4 3", "5 4"]);
    }
    // The table was made, and nothing else was done yet.
    let mut world = new();
    let first = world.extract(&[step(0, 1, &[1])]);
    world.load_with(&first, &Options::default());
    world.tamper("DELETE FROM bronze.things WHERE TRUE");
    world.tamper(&format!("{forget}'{first}'"));
    assert_eq!(world.load_with(&first, &Options::default())[0].rows_inserted, 1);
    world.run(&[step(1, 2, &[2])]);
}

fn tables_of_before_go_on_and_get_an_identity(new: fn() -> World) {
    let mut world = new();
    world.run(&[step(0, 1, &[1]), Given { account: "b", ..step(0, 1, &[1]) }]);
    // As an earlier version has left it.
    world.tamper("DROP TABLE management.applied_batches");
    if world.is_bigquery() {
        world.tamper("ALTER TABLE bronze.things SET OPTIONS (labels = [('team', 'sales')])");
    } else {
        world.tamper("COMMENT ON TABLE bronze.things IS 'Of the sales team.'");
    }
    for account in ["a", "b"] {
        let path = world.object(&format!("checkpoints/test/{account}/things.json"));
        let mut old: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        old.as_object_mut().unwrap().remove("table").unwrap();
        std::fs::write(&path, old.to_string()).unwrap();
    }
    world.run(&[step(1, 2, &[2])]);
    let given = checkpoint(&world).unwrap().table.expect("it has an identity now");
    if world.is_bigquery() {
        let labels = world.table().unwrap()["labels"].clone();
        assert_eq!((&labels["team"], &labels["drayage_table"]), (&json!("sales"), &json!(given)));
    } else {
        let comments = world.lines("SELECT comment FROM duckdb_tables() WHERE table_name = 'things'");
        assert_eq!(comments, [format!("Of the sales team.\ndrayage table {given}")]);
    }
    // The other account's first load comes later, and a backfill before it.
    world.run(&[Given { account: "b", ..window(&[5]) }]);
    world.run(&[Given { account: "b", ..step(1, 2, &[2]) }]);
    world.run(&[step(2, 3, &[3]), Given { account: "b", ..step(2, 3, &[3]) }]);
    assert_eq!(checkpoint(&world).unwrap().table.unwrap(), given);
    world.tamper("DROP TABLE bronze.things");
    world.run(&[Given { account: "b", ..step(0, 4, &[1]) }]);
    gap(&mut world, step(3, 4, &[4]), "it is another table");
}

fn an_empty_beginning_is_gone_on_with(new: fn() -> World) {
    let mut world = new();
    world.run(&[step(0, 1, &[])]);
    assert!(!world.has_table());
    world.run(&[step(1, 2, &[])]);
    world.run(&[step(2, 3, &[1])]);
    world.run(&[step(3, 4, &[])]);
    world.run(&[step(4, 5, &[2])]);
    assert_eq!(world.lines(ROWS), ["1 3", "2 5"]);
    world.tamper("DROP TABLE bronze.things");
    gap(&mut world, step(5, 6, &[3]), "there is no such table any more");
    gap(&mut world, step(2, 6, &[3]), "there is no such table any more");
}

fn rows_have_one_writer(new: fn() -> World) {
    let mut world = new();
    let rows = |ids: std::ops::Range<u32>| ids.map(|id| json!({"id": id, "v": 0})).collect::<Vec<_>>();
    world.run(&[Given { state: step(0, 1, &[]).state, ..snapshot("a", &rows(0..15)) }, snapshot("b", &rows(0..1))]);
    world.source = "other";
    let run = world.extract(&[snapshot("a", &rows(15..30))]);
    let error = refused(&world, &run);
    for part in ["test/a/things", "other/a/things", "--take-over", "`table`"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(world.lines("SELECT count(*) FROM bronze.things WHERE _etl_operation = 'DELETE'"), ["0"]);
    let take_over = Options { take_over: true, allow_mass_delete: true, ..Options::default() };
    assert_eq!(world.load_with(&run, &take_over)[0].error, None);
    world.run(&[snapshot("a", &rows(15..30))]);
    // The first one does not come back by itself, nor go on where it was.
    world.source = "test";
    let run = world.extract(&[step(1, 2, &[1])]);
    assert!(refused(&world, &run).contains("--take-over"));
    let error = world.load_with(&run, &take_over)[0].error.clone().unwrap();
    assert!(error.contains("--full-refresh"), "{error}");
    world.run(&[snapshot("b", &rows(0..2))]);
}
