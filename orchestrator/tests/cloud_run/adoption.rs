//! Orchestrators that are killed: their retries, and the next ones that are asked for the same, go on with the run.
//! A run's stages have one execution each, wherever the kill struck.

use super::{Cloud, HELD};
use crate::world::{EXTRACT_WELL, Ended, LOAD_WELL, signal, wait_until};
use rustix::process::Signal;
use sandbox::cloud_run::{Call, Fault, FaultAction};
use serde_json::Value;
use std::process::Child;
use std::time::Duration;

fn kill(mut run: Child) {
    signal(&run, Signal::KILL);
    run.wait().unwrap();
}

/// Makes the lease's holder one of another machine, of which nobody can tell that it is dead.
fn move_away(cloud: &Cloud) {
    for path in ["runs/lease.json", "runs/executions/orchestrator-1.json"] {
        let file = cloud.world.path("landing").join(path);
        let text = std::fs::read_to_string(&file).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let holder = if value["holder"].is_null() { &value["holders"][0] } else { &value["holder"] };
        let boot = holder["boot"].as_str().unwrap().to_owned();
        assert!(!boot.is_empty());
        std::fs::write(&file, text.replace(&boot, "another machine's boot")).unwrap();
    }
}

#[test]
fn a_retry_goes_on_with_the_extract_of_the_attempt_that_was_killed() {
    let cloud = Cloud::new(HELD, LOAD_WELL);
    let first = cloud.start(Some(("orchestrator-1", 0)), &[]);
    cloud.world.wait_for("up-extract");
    kill(first);
    move_away(&cloud);
    // Another orchestrator must not begin: the lease is fresh, and nobody knows that its holder is dead.
    let stranger = Ended::of(cloud.start(Some(("orchestrator-2", 0)), &[]));
    assert_eq!(stranger.code, Some(3), "{stranger:?}");
    assert!(stranger.err.contains("is going on: its lease is held by orchestrator"), "{stranger:?}");

    let second = cloud.start(Some(("orchestrator-1", 1)), &[]);
    wait_until("the takeover", || cloud.stored("runs/lease.json")["holder"]["pid"] == second.id());
    cloud.world.touch("go");
    let ended = Ended::of(second);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    let run = ended.json()["run_id"].clone();
    assert_eq!(cloud.execution(0).env("DRAYAGE_RUN_ID"), run.as_str());
    assert_eq!(ended.json()["extract"][0]["rows_extracted"], 7);
    assert!(cloud.world.lease_is_free());

    // One more attempt, though all is done: it tells the same and starts nothing.
    let third = Ended::of(cloud.start(Some(("orchestrator-1", 2)), &[]));
    assert_eq!((third.code, &third.json()["run_id"]), (Some(0), &run), "{third:?}");
    assert_eq!(third.json()["load"][0]["rows_inserted"], 5);
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    // The first attempt of another execution is a run of its own.
    let next = Ended::of(cloud.start(Some(("orchestrator-3", 0)), &[]));
    assert_eq!(next.code, Some(0), "{next:?}");
    assert_ne!(next.json()["run_id"], run);
    assert_eq!(cloud.jobs().len(), 4);
}

#[test]
fn a_retry_goes_on_with_the_load() {
    let cloud = Cloud::new(EXTRACT_WELL, HELD);
    let first = cloud.start(Some(("orchestrator-1", 0)), &[]);
    cloud.world.wait_for("up-load");
    kill(first);
    // The load ends while nobody waits for it.
    cloud.world.touch("go");
    cloud.wait_for_end(1);
    let ended = Ended::of(cloud.start(Some(("orchestrator-1", 1)), &[]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let json = ended.json();
    assert_eq!((&json["extract"][0]["rows_extracted"], &json["load"][0]["rows_inserted"]), (&7.into(), &5.into()));
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn a_kill_between_the_note_and_the_call_starts_the_stage_once() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    cloud.server.fault(Fault::once(Call::Run, FaultAction::Cut).always());
    let first = cloud.start(Some(("orchestrator-1", 0)), &[]);
    let tried = || cloud.server.requests().iter().any(|request| request.call == Some(Call::Run));
    wait_until("a try", tried);
    kill(first);
    cloud.server.clear_faults();
    let ended = Ended::of(cloud.start(Some(("orchestrator-1", 1)), &[]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn a_kill_between_the_call_and_its_answer_starts_the_stage_once() {
    for retry in [Some(("orchestrator-1", 1)), None] {
        let cloud = Cloud::new(HELD, LOAD_WELL);
        cloud.server.fault(Fault::once(Call::Run, FaultAction::Slow(Duration::from_secs(30))));
        let first = cloud.start(Some(("orchestrator-1", 0)), &[]);
        cloud.world.wait_for("up-extract");
        kill(first);
        let second = cloud.start(retry, &[]);
        wait_until("the takeover", || cloud.stored("runs/lease.json")["holder"]["pid"] == second.id());
        cloud.world.touch("go");
        let ended = Ended::of(second);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    }
}

#[test]
fn told_to_stop_before_the_answer_it_says_that_it_does_not_know() {
    let cloud = Cloud::new(HELD, LOAD_WELL);
    cloud.server.fault(Fault::once(Call::Run, FaultAction::Slow(Duration::from_secs(30))));
    let first = cloud.start(None, &[]);
    cloud.world.wait_for("up-extract");
    signal(&first, Signal::TERM);
    let first = Ended::of(first);
    assert_eq!(first.code, Some(1), "{first:?}");
    let says = "whether the extract was started in Cloud Run is not known; to see: `gcloud run jobs executions list";
    assert!(first.err.contains(says), "{first:?}");
    assert!(!cloud.world.lease_is_free());
    cloud.world.touch("go");
    let second = cloud.run(&[]);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(second.json()["run_id"], first.json()["run_id"]);
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn the_next_orchestrator_goes_on_with_the_run_if_it_is_asked_for_the_same() {
    let cloud = Cloud::new(HELD, LOAD_WELL);
    let first = cloud.start(None, &["--stream", "jobs", "--stream", "customers"]);
    cloud.world.wait_for("up-extract");
    kill(first);
    // Asked for something else, it must not begin while tasks are at work.
    for arguments in [&[][..], &["--stream", "jobs"], &["--only", "load"], &["--run-id", "20260131T235900Z-a1b2c3"]] {
        let other = cloud.run(arguments);
        assert!(matches!(other.code, Some(2 | 3)), "{arguments:?}: {other:?}");
        let says = ["is still running in Cloud Run: its extract is execution", "no run whose extract has finished"];
        assert!(says.iter().any(|says| other.err.contains(says)), "{arguments:?}: {other:?}");
    }
    let second = cloud.start(None, &["--stream", "customers", "--stream", "jobs"]);
    wait_until("the takeover", || cloud.stored("runs/lease.json")["holder"]["pid"] == second.id());
    cloud.world.touch("go");
    let ended = Ended::of(second);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("going on with a run that its orchestrator has left"), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    assert!(cloud.world.lease_is_free());
}

#[test]
fn an_extract_that_was_never_loaded_is_loaded_by_the_next() {
    let cloud = Cloud::new(HELD, LOAD_WELL);
    let first = cloud.start(None, &[]);
    cloud.world.wait_for("up-extract");
    kill(first);
    cloud.world.touch("go");
    cloud.wait_for_end(0);
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json()["run_id"].as_str(), cloud.execution(0).env("DRAYAGE_RUN_ID"));
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn a_run_that_is_over_is_not_gone_on_with() {
    let cloud = Cloud::new(EXTRACT_WELL, HELD);
    let first = cloud.start(None, &[]);
    cloud.world.wait_for("up-load");
    kill(first);
    cloud.world.touch("go");
    cloud.wait_for_end(1);
    let next = cloud.run(&[]);
    assert_eq!(next.code, Some(0), "{next:?}");
    assert_ne!(next.json()["run_id"].as_str(), cloud.execution(0).env("DRAYAGE_RUN_ID"));
    assert_eq!(cloud.jobs(), ["extract-job", "load-job", "extract-job", "load-job"]);
}

#[test]
fn one_that_waits_begins_when_the_other_order_has_ended() {
    let cloud = Cloud::new(HELD, LOAD_WELL);
    let first = cloud.start(None, &["--only", "extract"]);
    cloud.world.wait_for("up-extract");
    kill(first);
    let second = cloud.start(None, &["--wait"]);
    let looks = || cloud.server.requests().iter().filter(|request| request.call == Some(Call::GetExecution)).count();
    let before = looks();
    wait_until("looks of the one that waits", || looks() > before + 2);
    cloud.world.touch("go");
    let ended = Ended::of(second);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("waiting: run "), "{ended:?}");
    assert_ne!(ended.json()["run_id"].as_str(), cloud.execution(0).env("DRAYAGE_RUN_ID"));
    assert_eq!(cloud.jobs(), ["extract-job", "extract-job", "load-job"]);
}

#[test]
fn a_second_load_that_was_asked_for_is_not_taken_for_the_first() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    let run = "20260131T235900Z-a1b2c3";
    assert_eq!(cloud.run(&["--run-id", run]).code, Some(0));
    // The kill strikes when the lease is held, but the second load is not even noted: the job is asked for once before that.
    let asked = || cloud.server.requests().iter().filter(|request| request.call == Some(Call::GetJob)).count();
    let before = asked();
    cloud.server.fault(Fault::once(Call::GetJob, FaultAction::Status(503)).after(1).always());
    let load = ["--only", "load", "--run-id", run];
    let first = cloud.start(Some(("orchestrator-1", 0)), &load);
    wait_until("the start of the second load", || asked() > before + 1);
    kill(first);
    cloud.server.clear_faults();
    let ended = Ended::of(cloud.start(Some(("orchestrator-1", 1)), &load));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("going on with the run of an earlier attempt"), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job", "load-job"]);
    // And now it is done.
    let again = Ended::of(cloud.start(Some(("orchestrator-1", 2)), &load));
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(cloud.jobs().len(), 3);
}

#[test]
fn the_command_that_is_shown_goes_on_with_what_was_left() {
    for is_over in [false, true] {
        let cloud = Cloud::new(HELD, LOAD_WELL);
        let first = cloud.start(None, &["--stream", "jobs"]);
        cloud.world.wait_for("up-extract");
        let run = cloud.execution(0).env("DRAYAGE_RUN_ID").unwrap().to_owned();
        signal(&first, Signal::TERM);
        assert_eq!(Ended::of(first).code, Some(1));
        if is_over {
            cloud.world.touch("go");
            cloud.wait_for_end(0);
        }
        let second = cloud.start(None, &["--run-id", &run, "--stream=jobs"]);
        wait_until("the takeover", || is_over || cloud.stored("runs/lease.json")["holder"]["pid"] == second.id());
        cloud.world.touch("go");
        let ended = Ended::of(second);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.json()["run_id"], run);
        assert_eq!(cloud.jobs(), ["extract-job", "load-job"], "{is_over}");
        assert!(cloud.world.lease_is_free());
    }
}
