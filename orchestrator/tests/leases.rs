//! Two runs of one pipeline never overlap: the second stops with exit 3, or waits.
//! What a killed run has left is taken over.

use crate::world::{Ended, LOAD_WELL, World, holder_of, signal, wait_until};
use rustix::process::Signal;
use std::fs::File;
use std::process::Child;

const HELD: &str = "plan; touch \"$here/../up\"; wait_for go; report finished done; latest; exit 0";

/// A run that says that it waits for the other.
fn waiting(world: &World) -> Child {
    let log = world.path("log");
    let mut command = world.command(&["run", "--pipeline", "pipeline.yaml", "--output", "json", "--wait"]);
    let run = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
    wait_until("the second run", || std::fs::read_to_string(&log).unwrap().contains("waiting: run "));
    run
}

#[test]
fn a_second_run_stops_and_says_who_holds_the_lease() {
    let world = World::with(HELD, LOAD_WELL);
    let run = "20260131T235900Z-a1b2c3";
    let first = world.start(&["--run-id", run]);
    world.wait_for("up");
    // The same run id too: only the jobs may join a lease.
    for arguments in [vec![], vec!["--run-id", run]] {
        let second = world.run(&arguments);
        assert_eq!(second.code, Some(3), "{second:?}");
        let says = format!("run {run} is going on: its lease is held by orchestrator (process {} on ", first.id());
        assert!(second.err.contains(&says), "{second:?}");
        assert!(!world.lease_is_free());
    }
    world.touch("go");
    assert_eq!(Ended::of(first).code, Some(0));
    assert_eq!(world.stages(), ["extract", "load"]);
    assert!(world.lease_is_free());
}

#[test]
fn a_run_that_waits_begins_after_the_other_with_a_later_id() {
    let world = World::with(HELD, LOAD_WELL);
    let first = world.start(&[]);
    world.wait_for("up");
    let second = waiting(&world);
    world.touch("go");
    let (first, second) = (Ended::of(first), Ended::of(second));
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
    assert_eq!(world.stages(), ["extract", "load", "extract", "load"]);
    let id = |ended: &Ended| ended.json()["run_id"].as_str().unwrap()[..16].to_owned();
    assert!(id(&first) < id(&second));
}

#[test]
fn a_run_that_waits_can_be_stopped() {
    let world = World::with(HELD, LOAD_WELL);
    let first = world.start(&[]);
    world.wait_for("up");
    let second = waiting(&world);
    signal(&second, Signal::TERM);
    let second = Ended::of(second);
    assert_eq!(second.code, Some(3), "{second:?}");
    world.touch("go");
    assert_eq!(Ended::of(first).code, Some(0));
}

#[test]
fn the_lease_of_a_killed_run_is_taken_over() {
    let world = World::with(HELD, LOAD_WELL);
    let mut first = world.start(&[]);
    world.wait_for("up");
    signal(&first, Signal::KILL);
    let killed = first.id();
    first.wait().unwrap();
    assert_eq!(holder_of(&world.path("landing"))["pid"], killed);
    world.job("extract-job", "plan; report finished done; exit 0");
    let second = world.run(&[]);
    world.touch("go");
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.err.contains("taking over the lease"), "{second:?}");
    assert!(world.lease_is_free());
    // The first run's script must be gone before its folder is.
    wait_until("the first script", || world.path("landing/runs/latest.json").exists());
}
