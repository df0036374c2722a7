//! What the jobs get to see: order, tasks, arguments, environment; and what becomes of their logs.
//! Settings of the orchestrator's own environment must not slip through to them.

use crate::world::World;
use serde_json::Value;
use std::fs;

#[test]
fn stages_run_in_order_with_filters_and_their_own_modes() {
    let world = World::new();
    let ended = world.run(&[
        "--source",
        "s",
        "--account",
        "a0",
        "--account",
        "a1",
        "--stream",
        "jobs",
        "--from",
        "2026-01-01",
        "--to",
        "2026-01-02",
        "--allow-mass-delete",
        "--force",
        "--rewrite",
        "--take-over",
    ]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let calls = world.calls();
    let run = calls[0].split(' ').nth(2).unwrap();
    let common = format!("--pipeline pipeline.yaml --run-id {run} --source=s --account=a0 --account=a1 --stream=jobs");
    assert_eq!(
        calls,
        [
            format!("extract 0/1 {run} {common} --from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z"),
            format!("load 0/1 {run} {common} --allow-mass-delete --force --rewrite --take-over"),
        ]
    );
    assert!(ended.out.contains(&format!("run {run}: 1 unit done, 0 failed in ")), "{}", ended.out);
    assert!(world.lease_is_free());
}

#[test]
fn the_number_of_tasks_comes_from_the_flag_then_the_file() {
    // All tasks run at the same time: each waits for the other.
    let body = "plan; touch \"$here/../up$index\"; wait_for up$((1 - index)); report finished done; exit 0";
    let world = World::with(body, "index=0; report finished done; index=1; exit 0");
    world.pipeline("orchestrator: {extract_tasks: 2}\n");
    let of_file = world.run(&["--only", "extract"]);
    assert_eq!(of_file.code, Some(0), "{of_file:?}");
    let mut calls: Vec<String> = world.calls().iter().map(|call| call[..11].to_owned()).collect();
    calls.sort();
    assert_eq!(calls, ["extract 0/2", "extract 1/2"]);

    let world = World::new();
    world.pipeline("orchestrator: {extract_tasks: 2}\n");
    assert_eq!(world.run(&["--extract-tasks", "1"]).code, Some(0));
    assert!(world.calls()[0].starts_with("extract 0/1 "));
}

#[test]
fn flags_come_from_variables_and_reach_the_jobs_as_arguments_only() {
    let world =
        World::with("env > \"$here/../env\"; plan; report finished done; exit 0", "report finished done; exit 0");
    let variables = [
        ("DRAYAGE_PIPELINE", "pipeline.yaml"),
        ("DRAYAGE_STREAM", "jobs,customers"),
        ("DRAYAGE_ACCOUNT", ""),
        ("DRAYAGE_FULL_REFRESH", "1"),
        ("DRAYAGE_FORCE", "false"),
        ("DRAYAGE_OUTPUT", "json"),
        ("DRAYAGE_DRY_RUN", "1"),
        ("DRAYAGE_LIMIT", "5"),
        ("MY_SECRET", "s3cret"),
    ];
    let output = world.command(&["run"]).envs(variables).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let calls = world.calls();
    assert!(calls[0].ends_with(" --stream=jobs --stream=customers --full-refresh"), "{}", calls[0]);
    assert!(calls[1].ends_with(" --stream=jobs --stream=customers"), "{}", calls[1]);

    let env = fs::read_to_string(world.path("env")).unwrap();
    let run = calls[0].split(' ').nth(2).unwrap();
    let mut seen: Vec<&str> =
        env.lines().filter(|line| line.starts_with("DRAYAGE_") || line.starts_with("CLOUD_RUN_")).collect();
    seen.retain(|line| !line.starts_with("DRAYAGE_BIN_DIR="));
    seen.sort_unstable();
    let run_id = format!("DRAYAGE_RUN_ID={run}");
    let tether = "DRAYAGE_TETHER=stdin";
    assert_eq!(seen, ["CLOUD_RUN_TASK_COUNT=1", "CLOUD_RUN_TASK_INDEX=0", "DRAYAGE_LOG_FORMAT=json", &run_id, tether]);
    assert!(env.contains("MY_SECRET=s3cret"), "the jobs resolve secrets from what they inherit");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["run_id"], run);
}

#[test]
fn logs_go_to_standard_error_and_results_to_standard_output() {
    let log = r#"echo '{"severity":"INFO","message":"hello from a job"}' >&2; echo noise; "#;
    let world = World::with(&format!("{log} plan; report finished done; exit 0"), "report finished done; exit 0");
    let json = world.run(&["--output", "json"]);
    assert!(json.err.contains("hello from a job"), "{json:?}");
    assert!(json.err.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", json.err);
    let object = json.json();
    assert_eq!((&object["status"], &object["exit_code"]), (&"done".into(), &0.into()));
    assert_eq!(object["extract"][0]["rows_extracted"], 7);
    assert_eq!(object["load"][0]["rows_inserted"], 5);
    let text = world.run(&[]);
    assert!(!text.out.contains("noise") && text.out.contains("inserted"), "{text:?}");
}

#[test]
fn a_terminal_shows_the_jobs_lines_readably_and_often() {
    let log = r#"echo "{\"severity\":\"WARNING\",\"message\":\"hello every $DRAYAGE_PROGRESS_SECONDS s\"}" >&2; "#;
    let world = World::with(&format!("{log} plan; report finished done; exit 0"), "report finished done; exit 0");
    let output =
        world.command(&["run", "--pipeline", "pipeline.yaml"]).env("DRAYAGE_LOG_FORMAT", "text").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("WARNING hello every 1 s"), "{err}");
}

#[test]
fn only_load_loads_a_run_that_is_there() {
    let world = World::new();
    let none = world.run(&["--only", "load"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.err.contains("no run whose extract has finished"), "{none:?}");
    let unknown = world.run(&["--only", "load", "--run-id", "20260131T235900Z-a1b2c3"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("knows no run 20260131T235900Z-a1b2c3"), "{unknown:?}");

    let extract = world.run(&["--only", "extract"]);
    assert_eq!(extract.code, Some(0), "{extract:?}");
    let run = world.calls()[0].split(' ').nth(2).unwrap().to_owned();
    assert!(
        extract
            .out
            .contains(&format!("to load it: orchestrator run --pipeline pipeline.yaml --only load --run-id {run}"))
    );
    for arguments in
        [vec!["--only", "load"], vec!["--only", "load", "--run-id", "latest"], vec!["--only", "load", "--run-id", &run]]
    {
        let ended = world.run(&arguments);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(world.calls().last().unwrap().starts_with(&format!("load 0/1 {run} ")));
    }
    assert_eq!(world.stages(), ["extract", "load", "load", "load"]);
    assert!(world.lease_is_free());
}
