//! Run twice = run once; an older batch is refused; a checkpoint moves only with what was loaded.

use crate::world::{Given, World, incremental, on_each_warehouse, snapshot};
use contract::batch::{BatchMode, Write};
use contract::report::{Remedy, UnitStatus};
use contract::stored::read_checkpoint;
use contract::unit::Unit;
use load_job::run::Options;
use serde_json::{Value, json};

on_each_warehouse! {
    a_batch_loaded_twice_changes_nothing_the_second_time,
    a_new_run_leaves_unchanged_rows_alone,
    an_older_batch_is_refused_unless_forced,
    what_was_applied_last_counts_not_the_greatest_run_id,
    rewrite_writes_every_row_anew,
    a_dry_run_tells_the_plan_and_changes_nothing;
    // Decided before any warehouse is asked.
    on_duckdb_alone:
    a_run_from_the_future_blocks_no_other,
    checkpoints_move_with_the_load_and_never_with_a_window,
}

const ALL: &str = "SELECT * FROM bronze.things ORDER BY _etl_row_hash, _etl_operation, _etl_synced";

fn records(count: u32, v: &str) -> Vec<Value> {
    (0..count).map(|id| json!({"id": id, "v": v})).collect()
}

fn a_batch_loaded_twice_changes_nothing_the_second_time(new: fn() -> World) {
    for write in [None, Some(Write::Append), Some(Write::Replace)] {
        let mut world = new();
        let keys = if write.is_none() { vec!["id"] } else { vec![] };
        let mut all = records(50, "x");
        all.extend(records(10, "x"));
        let run = world.extract(&[Given { write, keys, ..snapshot("a", &all) }]);
        let first = world.load_with(&run, &Options::default());
        assert_eq!(first[0].rows_repeated, if write == Some(Write::Replace) { 0 } else { 10 }, "{write:?}");
        let before = world.lines(ALL);
        let again = world.load_with(&run, &Options::default());
        assert_eq!(world.lines(ALL), before, "{write:?}");
        let counts = (again[0].rows_inserted, again[0].rows_updated, again[0].rows_deleted);
        assert_eq!(counts, (0, 0, 0), "{write:?}");
        assert_eq!(again[0].rows_unchanged, if write == Some(Write::Replace) { 60 } else { 50 }, "{write:?}");
    }
}

fn a_new_run_leaves_unchanged_rows_alone(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &records(5, "x"))]);
    let before = world.lines(ALL);
    let units = world.run(&[snapshot("a", &records(5, "x"))]);
    assert_eq!(world.lines(ALL), before);
    assert_eq!(units[0].rows_unchanged, 5);
}

fn an_older_batch_is_refused_unless_forced(new: fn() -> World) {
    let mut world = new();
    let old = world.extract(&[snapshot("a", &records(3, "old"))]);
    world.run(&[snapshot("a", &records(3, "new"))]);
    let refused = world.load_with(&old, &Options::default());
    assert_eq!(refused[0].status, UnitStatus::Failed);
    assert!(refused[0].error.as_ref().unwrap().contains("--force"), "{:?}", refused[0].error);
    assert_eq!(refused[0].remedy, Some(Remedy::Force));
    assert_eq!(world.lines("SELECT DISTINCT v FROM bronze.things"), ["new"]);
    let forced = world.load_with(&old, &Options { force: true, ..Options::default() });
    assert_eq!(forced[0].rows_updated, 3);
}

fn what_was_applied_last_counts_not_the_greatest_run_id(new: fn() -> World) {
    let mut world = new();
    let first = world.extract(&[snapshot("a", &records(3, "first"))]);
    let second = world.extract(&[snapshot("a", &records(3, "second"))]);
    let third = world.extract(&[snapshot("a", &records(3, "third"))]);
    let forced = Options { force: true, ..Options::default() };
    for (run, options) in [(&third, &Options::default()), (&first, &forced), (&second, &Options::default())] {
        let units = world.load_with(run, options);
        assert_eq!(
            (units[0].status, units[0].rows_updated + units[0].rows_inserted),
            (UnitStatus::Done, 3),
            "{units:?}"
        );
    }
    let refused = world.load_with(&first, &Options::default());
    assert_eq!(refused[0].status, UnitStatus::Failed, "older than the second, which was applied last");
    assert_eq!(world.lines("SELECT DISTINCT v FROM bronze.things"), ["second"]);
}

fn a_run_from_the_future_blocks_no_other(new: fn() -> World) {
    let mut world = new();
    let early = world.extract(&[snapshot("a", &records(3, "early"))]);
    world.run(&[snapshot("a", &records(3, "before"))]);
    world.set_clock("20991231T2359");
    let ahead = world.extract(&[snapshot("a", &records(3, "ahead"))]);
    let refused = world.load_with(&ahead, &Options::default());
    assert_eq!((refused[0].status, refused[0].remedy), (UnitStatus::Failed, Some(Remedy::Force)));
    let error = refused[0].error.as_ref().unwrap();
    assert!(error.contains("ahead of the clock") && error.contains("--run-id"), "{error}");
    let forced = Options { force: true, ..Options::default() };
    assert_eq!(world.load_with(&ahead, &forced)[0].status, UnitStatus::Done);

    world.set_clock("20260102T0000");
    let units = world.run(&[snapshot("a", &records(3, "after"))]);
    assert_eq!(world.lines("SELECT DISTINCT v FROM bronze.things"), ["after"]);
    let warned =
        units[0].warnings.iter().any(|text| text.contains(ahead.as_str()) && text.contains("ahead of the clock"));
    assert!(warned, "{:?}", units[0].warnings);
    // What is older than the runs of the right clock stays so, and nobody is warned for ever.
    assert_eq!(world.load_with(&early, &Options::default())[0].status, UnitStatus::Failed);
    assert_eq!(world.run(&[snapshot("a", &records(3, "later"))])[0].warnings, [""; 0]);
}

fn rewrite_writes_every_row_anew(new: fn() -> World) {
    let mut world = new();
    let run = world.extract(&[snapshot("a", &records(3, "x"))]);
    world.load_with(&run, &Options::default());
    let again = world.load_with(&run, &Options { rewrite: true, ..Options::default() });
    assert_eq!(again[0].rows_updated, 3);
    assert_eq!(world.lines("SELECT DISTINCT _etl_operation FROM bronze.things"), ["UPDATE"]);
}

fn checkpoints_move_with_the_load_and_never_with_a_window(new: fn() -> World) {
    let mut world = new();
    let unit = Unit::new("test", "a", "things").unwrap();
    let checkpoint = |world: &World| world.runtime.block_on(read_checkpoint(world.landing().as_ref(), &unit)).unwrap();
    assert_eq!(checkpoint(&world), None);
    let run = world.extract(&[incremental("a", &records(2, "x"))]);
    assert_eq!(checkpoint(&world), None, "an extract alone moves nothing");
    world.load_with(&run, &Options { dry_run: true, ..Options::default() });
    assert_eq!(checkpoint(&world), None, "a dry run moves nothing");
    world.load_with(&run, &Options::default());
    let moved = checkpoint(&world).unwrap();
    assert_eq!((moved.run_id, moved.state), (run.clone(), json!({"at": "later"})));
    world.run(&[Given { mode: BatchMode::Window, state: Some(json!("window")), ..incremental("a", &records(2, "y")) }]);
    assert_eq!(checkpoint(&world).unwrap().run_id, run, "a backfill moves nothing");
}

fn a_dry_run_tells_the_plan_and_changes_nothing(new: fn() -> World) {
    let mut world = new();
    let first = world.extract(&[snapshot("a", &records(4, "x"))]);
    let dry = Options { dry_run: true, ..Options::default() };
    let plan = world.load_with(&first, &dry);
    assert_eq!(plan[0].rows_inserted, 4);
    assert!(!world.has_table(), "a dry run makes no table");
    world.load_with(&first, &Options::default());
    let before = world.lines(ALL);
    let mut changed = records(3, "x");
    changed[0] = json!({"id": 0, "v": "y"});
    changed.push(json!({"id": 9, "v": "x"}));
    let second = world.extract(&[snapshot("a", &changed)]);
    let plan = &world.load_with(&second, &dry)[0];
    let counts = (plan.rows_inserted, plan.rows_updated, plan.rows_suspected, plan.rows_unchanged);
    assert_eq!((counts, plan.rows_deleted), ((1, 1, 1, 2), 0));
    assert_eq!(world.lines(ALL), before);
    assert_eq!(world.suspects("a"), [""; 0], "nothing is written down");
}
