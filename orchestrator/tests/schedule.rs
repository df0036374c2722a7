//! `orchestrator schedule` as a process: it outlives failing runs and broken files, and stops when told to.
//! Which times are due is tested where they are computed.

use crate::world::{Ended, LOAD_WELL, World, signal, wait_until};
use rustix::process::Signal;
use sandbox::slack::Slack;
use std::fs::{self, File};
use std::process::Child;

const EVERY_SECOND: &str = "* * * * * *";

fn start(world: &World, arguments: &[&str]) -> Child {
    let mut command = world.command(&[&["schedule", "--pipeline", "pipeline.yaml"], arguments].concat());
    command.stderr(File::create(world.path("log")).unwrap()).spawn().unwrap()
}

fn wait_for_log(world: &World, what: &str) {
    wait_until(what, || fs::read_to_string(world.path("log")).unwrap_or_default().contains(what));
}

#[test]
fn it_goes_on_through_failures_until_it_is_told_to_stop() {
    let slack = Slack::start().unwrap();
    // The first run takes so long that a due time passes, fails, and leaves a broken file behind.
    let world = World::with("cd \"$here/..\"; sleep 1.2; echo 'landin: x' > pipeline.yaml; exit 3", LOAD_WELL);
    let notify = format!("notify: {{slack_webhook: \"{}\"}}\n", slack.webhook());
    world.pipeline(&notify);
    let process = start(&world, &["--cron", EVERY_SECOND, "--account", "a0", "--output", "json"]);
    wait_for_log(&world, "pipeline.yaml has ");
    wait_for_log(&world, "passed meanwhile and");
    assert_eq!(world.stages(), ["extract"]);

    world.job("extract-job", "plan; report finished done; latest; exit 0");
    world.pipeline(&notify);
    wait_until("a run that is loaded", || world.stages().contains(&"load".to_owned()));

    world.job(
        "extract-job",
        "plan; trap 'echo told >> \"$here/../told\"; kill $!; report interrupted done; exit 1' TERM; \
         touch \"$here/../up\"; sleep 60 & wait $!",
    );
    world.wait_for("up");
    signal(&process, Signal::TERM);
    let ended = Ended::of(process);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(fs::read_to_string(world.path("told")).unwrap(), "told\n");
    assert!(world.lease_is_free());
    assert!(world.calls().iter().all(|call| call.contains("--account=a0")));

    // One object a run, also for those that could not begin.
    let status = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["status"].clone();
    let statuses: Vec<_> = ended.out.lines().map(status).collect();
    assert_eq!(statuses[..2], ["failed", "failed"], "{ended:?}");
    assert!(statuses.contains(&"done".into()) && statuses.last().unwrap() == "interrupted", "{statuses:?}");

    // Each has told; the broken file's message went where the last good one said.
    let texts: Vec<String> =
        slack.messages().iter().map(|message| message.body["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts.len(), statuses.len(), "{texts:?}");
    assert_eq!(texts[0], ":x: *pipeline.yaml*: the run failed");
    assert_eq!(texts[1], ":x: *pipeline.yaml*: there was no run");
    assert_eq!(texts.last().unwrap(), ":x: *pipeline.yaml*: the run was interrupted");
}

#[test]
fn between_runs_it_stops_at_once() {
    for how in [Signal::TERM, Signal::INT] {
        let world = World::new();
        let process = start(&world, &["--cron", "0 0 1 1 *"]);
        wait_for_log(&world, "the next run is due at ");
        signal(&process, how);
        let ended = Ended::of(process);
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
        assert!(world.calls().is_empty());
    }
}

#[test]
fn what_is_wrong_from_the_start_is_said_at_the_start() {
    let world = World::new();
    let of = |arguments: &[&str]| -> Ended {
        world.command(&[&["schedule", "--pipeline", "pipeline.yaml"], arguments].concat()).output().unwrap().into()
    };
    let broken = || {
        world.pipeline("orchestratr: {}\n");
        of(&["--at", "02:30"])
    };
    let unset = || {
        world.answers("check", "", r#"{"severity":"ERROR","message":"p.yaml: the variable ST_KEY is not set"}"#, 2);
        let ended = of(&["--at", "02:30"]);
        world.answers("check", "", "", 0);
        ended
    };
    for (ended, says) in [
        (of(&[]), "--at <HH:MM"),
        (of(&["--cron", "0 0 30 2 *"]), "it never comes"),
        (of(&["--at", "02:30", "--account", "a7"]), "--account a7: there is no such account"),
        (unset(), "the variable ST_KEY is not set"),
        (broken(), "did you mean `orchestrator`"),
    ] {
        assert_eq!(ended.code, Some(2), "{says}: {ended:?}");
        assert!(ended.err.contains(says), "{says}: {ended:?}");
    }
}

#[test]
fn schedules_that_meet_wait_and_the_same_order_waits_once() {
    let hold = "plan; touch \"$here/../up-$run\"; wait_for go; report finished done; latest; exit 0";
    let world = World::with(hold, LOAD_WELL);
    let first = world.start(&["--run-id", "20260131T235900Z-a1b2c3"]);
    world.wait_for("up-20260131T235900Z-a1b2c3");
    // Two of one order, by a schedule and by hand, and one of another.
    let schedule = start(&world, &["--cron", EVERY_SECOND, "--account", "a0", "--output", "json"]);
    wait_for_log(&world, "waiting: run 20260131T235900Z-a1b2c3 is going on");
    let waiting = || fs::read_dir(world.path("landing/runs/waiting")).map_or(0, Iterator::count);
    wait_until("the schedule's note", || waiting() == 1);
    let same = world.start(&["--account", "a0", "--wait"]);
    let other = world.start(&["--account", "a1", "--wait"]);
    wait_until("the other one's note", || waiting() == 2);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(world.calls().len(), 1);
    world.touch("go");
    assert_eq!(Ended::of(first).code, Some(0));
    let same = Ended::of(same);
    assert_eq!((same.code, &same.json()["status"]), (Some(0), &"merged".into()), "{same:?}");
    let other = Ended::of(other);
    assert_eq!((other.code, &other.json()["status"]), (Some(0), &"done".into()), "{other:?}");
    signal(&schedule, Signal::TERM);
    let ended = Ended::of(schedule);
    let stands = same.json()["run_id"].as_str().unwrap().to_owned();
    assert!(ended.out.contains(&stands), "{stands}: {ended:?}");
}
