//! The load alone, once more: it rebuilds the tables of a run, and a second time it changes nothing.

use crate::model::Model;
use crate::world::{World, files, remove};
use serde_json::Value;

#[test]
fn the_load_alone_rebuilds_the_tables_of_a_run() {
    let world = World::new(150, 60);
    let mut model = Model::default();
    let report: Value = serde_json::from_str(&world.run(&["--output", "json"]).expect(0).out).unwrap();
    let first = report["run_id"].as_str().unwrap();
    model.observe(&world, |_, _| true);
    model.check(&world.warehouse());
    assert!(!world.api.requests().is_empty());

    world.api.clear_requests();
    remove(&world.path("w.duckdb"));
    remove(&world.path("w.duckdb.wal"));
    let again = ["--only", "load", "--run-id", first];
    world.run(&again).expect(0);
    model.check(&world.warehouse());
    let before = world.warehouse().everything();
    // Twice, and as the latest run: not one row and not one `_etl_synced` is another.
    for arguments in [&again[..], &["--only", "load"], &["--only", "load", "--run-id", "latest"]] {
        world.run(arguments).expect(0);
        assert!(world.warehouse().everything() == before, "{arguments:?} changed rows");
    }
    assert!(world.api.requests().is_empty(), "a load asks the API for nothing");

    // An older batch is refused, and nothing is done, unless it is asked for.
    world.run_and_check(2, &mut model, &[]);
    let newer = world.warehouse().everything();
    world.run(&again).expect(1).says("is older than run");
    assert!(world.warehouse().everything() == newer);
    world.call("load-job", &["--run-id", first, "--dry-run"]).expect(1);
    world.run(&[&again[..], &["--force"]].concat()).expect(0);
    assert!(world.warehouse().everything() != newer);

    // What was marked is live again, and an older batch makes no suspects of the rows that it cannot have.
    world.api.set_generation(1);
    model.observe_a_load_alone(&world, |_, _| true);
    assert_eq!((model.marked(&world.warehouse()), model.deleted("campaigns")), (0, 0));
    assert_eq!(files(&world.path("landing/suspects")), Vec::<std::path::PathBuf>::new());

    // The newer batch again: what it lacks is a suspect, and the next run finds out that it is gone.
    world.api.set_generation(2);
    world.run(&["--only", "load"]).expect(0);
    model.observe_a_load_alone(&world, |_, _| true);
    assert!(model.suspects("campaigns") > 0 && model.deleted("campaigns") == 0);
    model.check_after_a_break(&world.warehouse());
    world.run(&[]).expect(0);
    model.observe(&world, |_, _| true);
    assert!(model.suspects("campaigns") == 0 && model.deleted("campaigns") > 0);
    model.check_after_a_break(&world.warehouse());
}

#[test]
fn a_dry_run_tells_what_would_be_and_changes_nothing() {
    let world = World::new(100, 60);
    world.quick_run(&[]).expect(0);
    world.api.set_generation(2);
    world.quick_run(&["--only", "extract"]).expect(0);
    let before = world.warehouse().everything();
    world.call("load-job", &["--dry-run"]).expect(0).says("would be +");
    assert!(world.warehouse().everything() == before);
}
