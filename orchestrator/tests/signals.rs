//! SIGTERM and ctrl-c: the jobs are told, have time to end cleanly, and the run says that it was stopped.
//! No stage begins after that, and the lease is given back.

use crate::world::{Ended, LOAD_WELL, World, signal};
use rustix::process::Signal;

/// A job that ends cleanly when it is told to stop.
fn stoppable(before: &str, report: &str) -> String {
    format!(
        "{before} trap 'echo told >> \"$here/../told\"; kill $!; {report}; exit 1' TERM; \
         touch \"$here/../up\"; sleep 60 & wait $!"
    )
}

#[test]
fn a_stopped_extract_ends_cleanly_and_nothing_is_loaded() {
    for how in [Signal::TERM, Signal::INT] {
        let world = World::with(&stoppable("plan;", "report interrupted done"), LOAD_WELL);
        let run = world.start(&[]);
        world.wait_for("up");
        signal(&run, how);
        let ended = Ended::of(run);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let json = ended.json();
        assert_eq!(json["status"], "interrupted", "{ended:?}");
        assert!(json["errors"][0].as_str().unwrap().contains("; the load was not started"), "{ended:?}");
        assert_eq!(world.stages(), ["extract"]);
        assert_eq!(std::fs::read_to_string(world.path("told")).unwrap(), "told\n");
        assert!(world.lease_is_free());
    }
}

#[test]
fn a_stopped_load_is_told_as_such() {
    let load = stoppable("", "report interrupted done");
    let world = World::with("plan; report finished done; exit 0", &load);
    let run = world.start(&[]);
    world.wait_for("up");
    signal(&run, Signal::TERM);
    let ended = Ended::of(run);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let json = ended.json();
    assert_eq!(json["status"], "interrupted");
    assert_eq!(json["errors"][0], "the run was stopped by SIGTERM");
    assert!(world.lease_is_free());
}

#[test]
fn every_task_is_told() {
    let body =
        stoppable("plan;", "report interrupted done").replace("touch \"$here/../up\"", "touch \"$here/../up$index\"");
    let world = World::with(&body, LOAD_WELL);
    let run = world.start(&["--extract-tasks", "3"]);
    ["up0", "up1", "up2"].iter().for_each(|name| world.wait_for(name));
    signal(&run, Signal::TERM);
    let ended = Ended::of(run);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(std::fs::read_to_string(world.path("told")).unwrap().lines().count(), 3);
}
