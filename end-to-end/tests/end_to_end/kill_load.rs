//! Load-job killed at every moment of its work: before, in and after its transactions, and between a commit and its checkpoint.
//! After each kill the next run makes the tables equal to the undisturbed ones, and nothing was ever deleted falsely. A load alone marks
//! nothing: what is gone is marked by the next whole run.

use crate::model::Model;
use crate::programs::Running;
use crate::world::{World, copy, remove};
use std::fs;
use std::time::{Duration, Instant};

const STREAMS: &str = "campaigns,employees,jobs,invoices,activities,jobs_export";
const FIRST: &str = "20260131T235900Z-aaaaaa";
const SECOND: &str = "20260131T235901Z-bbbbbb";

fn loaded(_: &str, stream: &str) -> bool {
    STREAMS.split(',').any(|name| name == stream)
}

/// A world of about 20 000 records with the first run loaded and the second one extracted; saved before the first and before the second load.
/// The tables as they are after either load alone.
fn prepared() -> (World, Model, Model) {
    let world = World::new(2500, 1000);
    let mut model = Model::default();
    world.run(&["--only", "extract", "--run-id", FIRST, "--stream", STREAMS]).expect(0);
    model.observe(&world, loaded);
    let first = model.clone();
    world.save("before-first");
    world.call("load-job", &["--run-id", FIRST]).expect(0);
    world.api.set_generation(2);
    world.run(&["--only", "extract", "--run-id", SECOND, "--stream", STREAMS, "--full-refresh"]).expect(0);
    model.observe_a_load_alone(&world, loaded);
    assert!(model.suspects("campaigns") > 0 && model.suspects("employees") > 0);
    world.save("before-second");
    (world, first, model)
}

fn load(world: &World, run_id: &str) -> Running {
    world.start("load-job", &["--run-id", run_id], "load.log")
}

/// How long the load takes when nobody disturbs it.
fn undisturbed(world: &World, run_id: &str) -> Duration {
    let start = Instant::now();
    world.call("load-job", &["--run-id", run_id]).expect(0);
    start.elapsed()
}

#[test]
fn at_moments_all_over_the_load() {
    let (world, first, second) = prepared();
    let mut killed = 0;
    for (start, run_id, generation, model) in
        [("before-first", FIRST, 1, &first), ("before-second", SECOND, 2, &second)]
    {
        world.api.set_generation(generation);
        world.restore(start);
        let whole = undisturbed(&world, run_id);
        for attempt in 0..6 {
            world.restore(start);
            let mut running = load(&world, run_id);
            // Neither the first nor the last moments: there is nothing to disturb.
            std::thread::sleep(whole.mul_f64((f64::from(attempt) + 1.0) / 7.5));
            killed += usize::from(!running.is_over());
            running.kill();
            model.check_that_nothing_is_deleted_falsely(&world);
            // The next run: the same batches again, or all of it anew.
            if attempt % 3 == 2 {
                let mut model = model.clone();
                world.run(&["--stream", STREAMS]).expect(0);
                model.observe(&world, loaded);
                assert_eq!(model.deleted("campaigns") > 0, generation == 2);
                model.check_after_a_break(&world.warehouse());
            } else {
                world.run(&["--only", "load", "--run-id", run_id]).expect(0);
                model.check_after_a_break(&world.warehouse());
            }
        }
    }
    assert!(killed >= 4, "only {killed} of 12 loads were still at work when they were killed");
}

/// Between the passes, within the second one, and between it and the commit: the log tells when each phase of a table is over.
#[test]
fn in_both_passes_and_between_them() {
    let (world, _, model) = prepared();
    let mut killed = 0;
    for (phase, times) in [("staged", 2), ("compared", 1), ("compared", 5), ("shaped", 2)] {
        world.restore("before-second");
        let mut command = world.command("load-job", &["--run-id", SECOND]);
        command.env("DRAYAGE_LOG", "load_job=debug");
        let mut running = Running::start(command, world.path("load.log"));
        let is_there = |running: &Running| running.log().matches(&format!(r#""message":"{phase}""#)).count() >= times;
        while !is_there(&running) && !running.is_over() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(is_there(&running), "{}", running.log());
        killed += usize::from(!running.is_over());
        running.kill();
        model.check_that_nothing_is_deleted_falsely(&world);
        world.run(&["--only", "load", "--run-id", SECOND]).expect(0);
        model.check_after_a_break(&world.warehouse());
    }
    assert!(killed >= 3, "only {killed} of 4 loads were still at work when they were killed");
}

#[test]
fn as_soon_as_something_is_committed() {
    let (world, _, mut model) = prepared();
    let wal = world.path("w.duckdb.wal");
    let size = || fs::metadata(&wal).map_or(0, |file| file.len());
    // The log grows when a transaction commits; the checkpoint of that table is written after it.
    for commits in [1, 2, 4] {
        world.restore("before-second");
        let mut running = load(&world, SECOND);
        let (mut seen, mut grown) = (size(), 0);
        while grown < commits && !running.is_over() {
            let now = size();
            grown += u32::from(now > seen);
            seen = now;
        }
        running.kill();
        model.check_that_nothing_is_deleted_falsely(&world);
        world.run(&["--only", "load", "--run-id", SECOND]).expect(0);
        model.check_after_a_break(&world.warehouse());
    }

    // Between the commit and the checkpoint, for certain: the tables are new and the checkpoints are still the old ones.
    world.restore("before-second");
    world.call("load-job", &["--run-id", SECOND]).expect(0);
    model.check(&world.warehouse());
    remove(&world.path("landing/checkpoints"));
    copy(&world.path("before-second/landing/checkpoints"), &world.path("landing/checkpoints"));
    // The next run changes no row but those that two readings have lacked now.
    world.run(&["--stream", STREAMS]).expect(0);
    model.observe(&world, loaded);
    assert!(model.deleted("campaigns") > 0 && model.suspects("campaigns") == 0);
    model.check(&world.warehouse());
}
