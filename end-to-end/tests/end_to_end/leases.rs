//! Two orchestrators on one landing zone: the second one stops and names the first. The jobs of a killed one end with it, before the next
//! run begins; what it holds blocks nobody.

use crate::model::Model;
use crate::programs::{Ended, Running, lives, wait_until};
use crate::world::{ACCOUNTS, World, files};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::fault::FaultAction;
use sandbox::request_log::RequestSeen;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

const FOR_EVER: FaultAction = FaultAction::Hang(Duration::from_secs(600));
const RUN: &str = "20260131T235900Z-a1b2c3";

#[test]
fn the_second_run_stops_and_a_killed_one_does_not_block() {
    let world = World::new(60, 20);
    world.script(&ACCOUNTS[0], "/campaigns", None, 1, FaultAction::Hang(Duration::from_secs(600)));
    let mut first = world.start("orchestrator", &["run"], "first.log");
    let asked = || world.api.requests().iter().any(|request| request.path.contains("/900100/campaigns"));
    wait_until("the first run's request", asked);

    let second = world.run(&[]).expect(3);
    second.says("its lease is held by orchestrator");
    second.says(&format!("process {} on", first.id()));
    // The jobs by themselves are held off as well.
    world.call("extract-job", &[]).expect(3).says("its lease is held by orchestrator");
    world
        .call("load-job", &["--run-id", "20260131T235900Z-a1b2c3"])
        .expect(3)
        .says("its lease is held by orchestrator");
    assert!(!world.path("w.duckdb").exists());

    first.kill();
    let mut model = Model::default();
    world.run(&[]).expect(0).says("taking over the lease");
    model.observe(&world, |_, _| true);
    model.check(&world.warehouse());
    assert!(!world.path("landing/runs/lease.json").exists());

    assert!(first.orphans().iter().all(|id| !lives(*id)), "its jobs have ended with it");
    world.run_and_check(2, &mut model, &[]);
}

/// Starts a run on the heels of one that was killed, and looks on: as long as a job of the killed one lives, the new one has not begun.
fn follow(world: &World, killed: &Running, arguments: &[&str]) {
    let all: Vec<&str> = ["run"].into_iter().chain(arguments.iter().copied()).collect();
    let (killed_at, mut ended_within) = (Instant::now(), None);
    let mut next = world.start("orchestrator", &all, "next.log");
    // Those that were held still so that they could not end before their orchestrator.
    for id in killed.orphans().iter().filter(|id| lives(**id)) {
        signal(*id, Signal::CONT);
    }
    while !next.is_over() {
        let has_begun = next.log().contains("taking over the lease");
        let left = killed.orphans().iter().any(|id| lives(*id));
        assert!(!(has_begun && left), "both are at work: {}", next.log());
        if !left {
            ended_within.get_or_insert(killed_at.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(next.wait(), Some(0), "{}", next.log());
    assert!(next.log().contains("taking over the lease"), "{}", next.log());
    // A second, and what a busy machine adds to it.
    assert!(ended_within.is_some_and(|time| time < Duration::from_secs(4)), "{ended_within:?}");
}

#[test]
fn the_jobs_of_a_killed_run_are_gone_before_the_next_one_begins() {
    let world = World::new(400, 20);
    let mut model = Model::default();
    for (generation, again) in [(1, &["--run-id", RUN][..]), (2, &[][..])] {
        world.api.set_generation(generation);
        world.api.clear_requests();
        world.script(&ACCOUNTS[0], "/campaigns", Some("page=2&"), 1, FOR_EVER);
        let first = [&["run", "--full-refresh"][..], again].concat();
        let mut run = world.start("orchestrator", &first, "first.log");
        // The very request that hangs, not one under way beside it: a fault that is left over would hold up the next run.
        let hangs = |request: &RequestSeen| {
            request.status == 0 && request.path.contains("/900100/campaigns") && request.query.contains("page=2&")
        };
        wait_until("the page", || world.api.requests().iter().any(hangs));
        run.kill();
        follow(&world, &run, &[&["--full-refresh"][..], again].concat());
        model.observe(&world, |_, _| true);
        model.check(&world.warehouse());

        let mut run = world.start("orchestrator", &first, "first.log");
        let load = run.child("load-job");
        let is_noted =
            || fs::read_to_string(world.path("landing/runs/lease.json")).is_ok_and(|text| text.contains("load-job"));
        wait_until("the load under the lease", is_noted);
        signal(load, Signal::STOP);
        run.kill();
        follow(&world, &run, &[&["--full-refresh"][..], again].concat());
        model.check_after_a_break(&world.warehouse());
    }
}

#[test]
fn a_run_that_is_killed_as_soon_as_its_job_starts_leaves_nothing_at_work() {
    let world = World::new(60, 20);
    for attempt in 0..5 {
        let mut run = world.start("orchestrator", &["run", "--run-id", RUN], "first.log");
        let job = run.child("extract-job");
        std::thread::sleep(Duration::from_millis(attempt * 4));
        run.kill();
        let killed_at = Instant::now();
        world.run(&["--run-id", RUN, "--only", "extract"]).expect(0);
        assert!(!lives(job) || killed_at.elapsed() < Duration::from_secs(2));
    }
    world.run(&["--only", "load", "--run-id", RUN]).expect(0);
    let mut model = Model::default();
    model.observe(&world, |_, _| true);
    model.check(&world.warehouse());
}

fn signal(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn a_stopped_job_of_a_killed_run_keeps_the_next_one_out_and_is_named() {
    let world = World::new(60, 20);
    world.script(&ACCOUNTS[0], "/campaigns", None, 1, FOR_EVER);
    let mut first = world.start("orchestrator", &["run"], "first.log");
    let job = first.child("extract-job");
    wait_until("its request", || world.api.requests().iter().any(|request| request.path.contains("/campaigns")));
    // All others have been answered: a request that is on its way when the job stops would arrive later.
    let answered = || world.api.requests().len();
    wait_until("the end of all other units", || {
        let before = answered();
        std::thread::sleep(std::time::Duration::from_millis(300));
        before == answered()
    });
    signal(job, Signal::STOP);
    first.kill();
    let refused = world.run(&[]).expect(3);
    refused.says(&format!("has lost its orchestrator, but its extract-job (process {job} "));
    refused.says(&format!("kill -9 {job}"));
    let asked = world.api.requests().len();
    signal(job, Signal::CONT);
    wait_until("the job's end", || !lives(job));
    assert_eq!(world.api.requests().len(), asked, "it has asked for nothing more");
    let mut model = Model::default();
    world.run_and_check(1, &mut model, &[]);
}

#[test]
fn a_job_ends_with_its_orchestrator_and_says_so() {
    let world = World::new(60, 20);
    world.script(&ACCOUNTS[0], "/campaigns", Some("page=2&"), 1, FOR_EVER);
    let mut command = world.command("extract-job", &["--run-id", RUN]);
    let mut job = command.env("DRAYAGE_TETHER", "stdin").stdin(Stdio::piped()).spawn().unwrap();
    let other = world.path(&format!("landing/batches/servicetitan/bluebird/campaigns/{RUN}/batch.json"));
    wait_until("another batch", || other.exists());
    assert!(job.try_wait().unwrap().is_none(), "it works as long as the pipe is open");
    let cut_at = Instant::now();
    drop(job.stdin.take());
    let ended = Ended::of(job.wait_with_output().unwrap()).expect(1);
    assert!(cut_at.elapsed() < Duration::from_secs(3), "{:?}", cut_at.elapsed());
    ended.says("the orchestrator that started this job has ended, so the job ends too");
    ended.says("stopped by the end of its orchestrator");
    assert!(!world.path(&format!("landing/batches/servicetitan/acme/campaigns/{RUN}/batch.json")).exists());
    assert!(!world.path("landing/runs/latest.json").exists());
    // One that is started without an orchestrator goes on under the same id, with whatever standard input.
    let mut by_hand = std::process::Command::new("/bin/sh");
    crate::programs::clean(&mut by_hand);
    world.settle(&mut by_hand);
    let script = format!("exec '{}' --run-id {RUN} <&-", crate::programs::folder().join("extract-job").display());
    Ended::of(by_hand.args(["-c", &script]).output().unwrap()).expect(0);
}

#[test]
fn a_job_that_cannot_end_by_itself_is_gone_within_moments_too() {
    let world = World::new(60, 20);
    fs::create_dir_all(world.path("landing/.tmp")).unwrap();
    let lock = File::create(world.path("landing/.tmp/runs__lease.json.lock")).unwrap();
    lock.lock().unwrap();
    for (program, arguments) in [("extract-job", &["--run-id", RUN][..]), ("load-job", &["--run-id", RUN][..])] {
        let mut command = world.command(program, arguments);
        let mut job = command.env("DRAYAGE_TETHER", "stdin").stdin(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let cut_at = Instant::now();
        drop(job.stdin.take());
        let ended = Ended::of(job.wait_with_output().unwrap());
        assert_ne!(ended.code, Some(0), "{}", ended.text());
        // Where it hears of it while it waits, it says so itself.
        let told = ["the orchestrator that started this job has ended", "stopped by the end of its orchestrator"];
        assert!(told.iter().any(|words| ended.text().contains(words)), "{}", ended.text());
        assert!(cut_at.elapsed() < Duration::from_secs(2), "{:?}", cut_at.elapsed());
    }
}

#[test]
fn a_lock_that_somebody_holds_stops_a_run_in_time_and_names_him() {
    let world = World::new(60, 20);
    fs::create_dir_all(world.path("landing/.tmp")).unwrap();
    let lock = File::create(world.path("landing/.tmp/runs__lease.json.lock")).unwrap();
    lock.lock().unwrap();
    let mut stopped = world.start("orchestrator", &["run"], "stopped.log");
    std::thread::sleep(Duration::from_millis(500));
    let told_at = Instant::now();
    signal(stopped.id(), Signal::TERM);
    assert_eq!(stopped.wait(), Some(3), "{}", stopped.log());
    assert!(told_at.elapsed() < Duration::from_secs(6), "{:?}", told_at.elapsed());
    assert!(stopped.log().contains("stopped by SIGTERM while waiting for the lease"), "{}", stopped.log());

    let begun = Instant::now();
    let refused = world.run(&[]).expect(3);
    refused.says(&format!("process {} ", std::process::id()));
    refused.says("has held the lock");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    drop(lock);
    world.run_and_check(1, &mut Model::default(), &[]);
}

#[test]
fn what_a_run_writes_is_nobody_elses_to_read_or_to_lock() {
    let world = World::new(60, 20);
    world.run(&[]).expect(0);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let landing = world.path("landing");
    assert_eq!(mode(&landing), 0o700);
    assert_eq!(mode(&world.path("w.duckdb")), 0o600);
    let files = files(&landing);
    assert!(files.iter().any(|file| file.extension().is_some_and(|extension| extension == "lock")));
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        assert_eq!(mode(file.parent().unwrap()), 0o700, "{}", file.display());
    }
}

#[test]
fn a_run_from_the_future_is_refused_by_every_program() {
    let world = World::new(60, 20);
    let ahead = "20991231T235959Z-a1b2c3";
    for (program, arguments) in [
        ("orchestrator", &["run", "--run-id", ahead][..]),
        ("orchestrator", &["run", "--only", "load", "--run-id", ahead]),
        ("extract-job", &["--run-id", ahead]),
        ("load-job", &["--run-id", ahead]),
    ] {
        let refused = world.call(program, arguments).expect(2);
        refused.says(ahead);
        refused.says("lies in the future");
        refused.says("date -u");
    }
    // A machine whose clock was wrong has left one, all the same.
    fs::create_dir_all(world.path("landing/runs")).unwrap();
    let latest =
        format!("{{\"run_id\": \"{ahead}\", \"finished_at\": \"2026-01-31T23:59:59Z\", \"durations_ms\": {{}}}}");
    fs::write(world.path("landing/runs/latest.json"), latest).unwrap();
    for (program, arguments) in [("load-job", &[][..]), ("orchestrator", &["run", "--only", "load"])] {
        let refused = world.call(program, arguments).expect(2);
        refused.says(ahead);
        refused.says("lies in the future");
        refused.says("--run-id");
    }
    let mut model = Model::default();
    world.run_and_check(1, &mut model, &[]);
    assert!(!fs::read_to_string(world.path("landing/runs/latest.json")).unwrap().contains(ahead));
    world.run(&["--only", "load"]).expect(0);
}
