//! Exit codes: of the run from those of its stages, and of everything that keeps a run from beginning.
//! In every case the lease is given back.

use crate::world::{LOAD_WELL, World};

#[test]
fn the_exit_code_follows_from_the_stages() {
    const WELL: &str = "plan; report finished done; exit 0";
    const PARTLY: &str = "plan; report finished failed '500 from the API'; exit 1";
    let both = &["extract", "load"][..];
    let first = &["extract"][..];
    let table = [
        (WELL, LOAD_WELL, both, 0, "done", ""),
        (PARTLY, "report finished skipped; exit 0", both, 1, "partly_failed", "extract s/a0/jobs: 500 from the API"),
        (WELL, "report finished failed 'no column'; exit 1", both, 1, "partly_failed", "load s/a0/jobs: no column"),
        (
            "echo 'error: no such key' >&2; exit 2",
            LOAD_WELL,
            first,
            2,
            "failed",
            "extract ended with exit code 2: error: no such key",
        ),
        ("exit 3", LOAD_WELL, first, 3, "failed", "extract ended with exit code 3"),
        (WELL, "exit 3", both, 3, "failed", "load ended with exit code 3"),
        (WELL, "exit 2", both, 2, "failed", "load ended with exit code 2"),
        (PARTLY, "exit 3", both, 3, "failed", "load ended with exit code 3"),
        // Killed: what the task had finished is loaded all the same.
        (
            "plan; report running done; kill -9 $$",
            LOAD_WELL,
            both,
            1,
            "partly_failed",
            "extract was killed by signal 9 (SIGKILL",
        ),
        ("plan; kill -9 $$", LOAD_WELL, first, 3, "failed", "extract was killed by signal 9 (SIGKILL"),
        (WELL, "kill -9 $$", both, 3, "failed", "load was killed by signal 9 (SIGKILL"),
        (
            WELL,
            "echo \"thread 'main' panicked\" >&2; exit 101",
            both,
            3,
            "failed",
            "exit code 101: thread 'main' panicked",
        ),
        // The load cannot even be started: the extract is told all the same.
        ("rm \"$here/load-job\"; plan; report finished done; exit 0", LOAD_WELL, first, 3, "failed", "cannot start "),
        // An exit of 0 without a report proves nothing.
        (WELL, "exit 0", both, 1, "partly_failed", "load ended with exit code 0 but left no report"),
        ("plan; exit 0", LOAD_WELL, both, 1, "partly_failed", "extract ended with exit code 0 but left no report"),
        (WELL, "echo '{' > \"$runs/load-0-of-1.json\"; exit 0", both, 1, "partly_failed", "its report cannot be used"),
    ];
    for (extract, load, stages, code, status, says) in table {
        let world = World::with(extract, load);
        let ended = world.run(&["--output", "json"]);
        let case = format!("{extract} | {load}: {ended:?}");
        assert_eq!(ended.code, Some(code), "{case}");
        assert_eq!(world.stages(), stages, "{case}");
        let json = ended.json();
        assert_eq!((&json["status"], &json["exit_code"]), (&status.into(), &code.into()), "{case}");
        assert!(json["errors"].to_string().replace("\\\"", "\"").contains(says), "{case}");
        assert!(world.lease_is_free(), "{case}");
    }
}

#[test]
fn a_task_that_was_killed_is_named_and_the_other_tasks_units_are_loaded() {
    let world = World::with("plan; [ $index = 1 ] && kill -9 $$; report finished done; exit 0", LOAD_WELL);
    let ended = world.run(&["--extract-tasks", "2"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("extract task 2 of 2 was killed by signal 9"), "{ended:?}");
    assert_eq!(world.stages().len(), 3);
}

#[test]
fn a_report_of_an_earlier_attempt_proves_nothing() {
    let world = World::new();
    let run = "20260131T235900Z-a1b2c3";
    assert_eq!(world.run(&["--run-id", run]).code, Some(0));
    world.job("extract-job", "kill -9 $$");
    let ended = world.run(&["--run-id", run]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(world.stages(), ["extract", "load", "extract"]);
}

#[test]
fn what_keeps_a_run_from_beginning() {
    let command = |world: &World, arguments: &[&str]| {
        let output = world.command(arguments).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let of_file = |text: &str| {
        let world = World::new();
        world.pipeline(text);
        let ended = command(&world, &["run", "--pipeline", "pipeline.yaml"]);
        assert!(world.calls().is_empty());
        ended
    };
    let missing = |name: &str| {
        let world = World::new();
        std::fs::remove_file(world.path("bin").join(name)).unwrap();
        let ended = command(&world, &["run", "--pipeline", "pipeline.yaml"]);
        assert!(world.calls().is_empty() && world.lease_is_free());
        ended
    };
    let blocked = || {
        let world = World::new();
        world.touch("landing");
        command(&world, &["run", "--pipeline", "pipeline.yaml"])
    };
    let flags = |arguments: &[&str]| command(&World::new(), arguments);
    let cloud =
        "orchestrator: {launcher: {cloud_run: {project: p, region: r, extract_job: e, load_job: l, load_tasks: 2}}}\n";
    let table = [
        (of_file("orchestratr: {}\nnotify: {slak: x}\n"), 2, "did you mean `orchestrator`"),
        (of_file(cloud), 2, "a DuckDB file cannot be shared by Cloud Run tasks"),
        (missing("extract-job"), 3, "the program extract-job is not in"),
        (missing("load-job"), 3, "cargo build"),
        (blocked(), 3, "the landing zone cannot be used"),
        (flags(&["run", "--pipeline", "none.yaml"]), 2, "cannot be read"),
        (flags(&["run"]), 2, "--pipeline <FILE>"),
        (
            flags(&["run", "--pipeline", "pipeline.yaml", "--account", "a7"]),
            2,
            "--account a7: there is no such account",
        ),
        (flags(&["run", "--pipeline", "pipeline.yaml", "--source", "z"]), 2, "--source z: there is no such source"),
        (flags(&["run", "--pipeline", "pipeline.yaml", "--run-id", "x"]), 2, "is no run id"),
        (flags(&["fly"]), 2, "unrecognized subcommand 'fly'"),
    ];
    for ((code, text), expected, says) in table {
        assert_eq!(code, Some(expected), "{says}: {text}");
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[test]
fn json_is_printed_also_when_nothing_begins() {
    let world = World::new();
    let ended = world.run(&["--output", "json", "--account", "nobody"]);
    assert_eq!(ended.code, Some(2));
    let json = ended.json();
    assert_eq!((&json["status"], &json["exit_code"]), (&"failed".into(), &2.into()));
    assert!(json["errors"][0].as_str().unwrap().contains("no such account"));
}
