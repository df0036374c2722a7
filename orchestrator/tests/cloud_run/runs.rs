//! Whole runs on Cloud Run: what the jobs are started with, and what becomes of the run when tasks fail, time out or are left alone.

use super::{Cloud, HELD};
use crate::world::{EXTRACT_WELL, Ended, LOAD_WELL, signal, wait_until};
use rustix::process::Signal;
use sandbox::cloud_run::{Call, ExecutionState};

#[test]
fn a_run_is_two_executions_with_what_they_need() {
    // Both tasks tell of the same unit, so that the load's one task has it all.
    let extract = format!("unit=$(echo \"$unit\" | sed s/a1/a0/); {EXTRACT_WELL}");
    let cloud = Cloud::with(&extract, LOAD_WELL, ", extract_tasks: 2, extract_timeout: 3600", |job| {
        job.env.push(("KEPT".into(), "yes".into()));
    });
    let ended = cloud.run(&["--stream", "jobs", "--force"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let run = ended.json()["run_id"].as_str().unwrap().to_owned();
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    let common = ["--pipeline", "pipeline.yaml", "--run-id", &run, "--stream=jobs"];
    let (extract, load) = (cloud.execution(0), cloud.execution(1));
    assert_eq!(extract.args, common);
    assert_eq!(load.args[..5], common);
    assert_eq!(load.args[5..], ["--force"]);
    assert_eq!((extract.tasks.len(), load.tasks.len()), (2, 1));
    for seen in [&extract, &load] {
        let mut names: Vec<&str> = seen.env.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        // Nothing of the orchestrator's own environment.
        assert_eq!(names, ["DRAYAGE_LAUNCH_TOKEN", "DRAYAGE_RUN_ID", "KEPT"]);
        assert_eq!(seen.env("DRAYAGE_RUN_ID"), Some(run.as_str()));
    }
    assert_ne!(extract.env("DRAYAGE_LAUNCH_TOKEN"), load.env("DRAYAGE_LAUNCH_TOKEN"));
    assert!(ended.err.contains("extract in Cloud Run: of 2 tasks 2 succeeded"), "{ended:?}");
    assert!(cloud.world.lease_is_free());
    let body = cloud.server.requests().into_iter().find(|request| request.method == "POST").unwrap().body;
    assert!(body.contains(r#""timeout":"3600s""#) && body.contains(r#""name":"extract-job-1""#), "{body}");
}

#[test]
fn a_stage_that_is_asked_for_again_is_started_again() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    let run = "20260131T235900Z-a1b2c3";
    assert_eq!(cloud.run(&["--run-id", run]).code, Some(0));
    for arguments in [&["--only", "load", "--run-id", run][..], &["--only", "load"], &["--run-id", run]] {
        let ended = cloud.run(arguments);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.json()["run_id"], run);
    }
    assert_eq!(cloud.jobs(), ["extract-job", "load-job", "load-job", "load-job", "extract-job", "load-job"]);
    assert!(cloud.world.lease_is_free());
}

#[test]
fn a_task_that_fails_for_good_is_told_and_what_landed_is_loaded() {
    let fail = "plan; [ $index = 1 ] && exit 3; report finished done; latest; exit 0";
    let cloud = Cloud::with(fail, LOAD_WELL, ", extract_tasks: 2", |job| job.max_retries = 2);
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let errors = ended.json()["errors"].to_string();
    let says = "extract task 2 of 2 ended with exit code 3: The container exited with an error.\\n  log: https://console.cloud";
    assert!(errors.contains(says), "{errors}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    assert_eq!(cloud.execution(0).tasks[1].retried, 2);
    assert!(ended.err.contains("1 retried"), "{ended:?}");
}

#[test]
fn a_stage_of_which_nothing_landed_is_not_loaded() {
    for (extract, code, says) in [
        ("exit 3", 3, "extract ended with exit code 3"),
        ("exit 2", 2, "extract ended with exit code 2"),
        // What a launcher says that knows no more than "failed".
        ("exit 1", 3, "extract ended with exit code 1 but left no report"),
        ("plan; kill -9 $$", 3, "extract was killed by signal 9 (SIGKILL), perhaps for want of memory"),
    ] {
        let cloud = Cloud::new(extract, LOAD_WELL);
        let ended = cloud.run(&[]);
        assert_eq!(ended.code, Some(code), "{extract}: {ended:?}");
        assert!(ended.json()["errors"].to_string().contains(says), "{extract}: {ended:?}");
        assert_eq!(cloud.jobs(), ["extract-job"]);
        assert!(cloud.world.lease_is_free());
    }
}

#[test]
fn a_job_that_does_not_start_says_why() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    std::fs::remove_file(cloud.world.path("bin/extract-job")).unwrap();
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let errors = ended.json()["errors"].to_string();
    assert!(errors.contains("The container failed to start") && errors.contains("log: https://"), "{errors}");
}

#[test]
fn units_that_failed_are_told_by_the_reports() {
    let cloud =
        Cloud::new("plan; report finished failed '500 from the API'; exit 1", "report finished skipped; exit 0");
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.json()["errors"].to_string(), r#"["extract s/a0/jobs: 500 from the API"]"#);
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn a_stage_that_takes_too_long_is_cancelled() {
    let slow = "plan; report running done; trap 'report interrupted done; exit 1' TERM; sleep 60 & wait $!";
    let cloud = Cloud::with(slow, LOAD_WELL, ", extract_timeout: 1", |_| {});
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let errors = ended.json()["errors"].to_string();
    assert!(errors.contains("extract was cancelled after its 1 s (execution extract-job-"), "{errors}");
    // What had landed by then is loaded.
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    assert_ne!(cloud.execution(0).state, ExecutionState::Running);
    assert!(cloud.world.lease_is_free());
}

#[test]
fn told_to_stop_it_leaves_the_execution_running_and_says_so() {
    let cloud = Cloud::new(HELD, LOAD_WELL);
    let polls = || cloud.server.requests().iter().filter(|request| request.call == Some(Call::GetExecution)).count();
    for how in [Signal::TERM, Signal::INT] {
        let before = polls();
        let run = cloud.start(None, &[]);
        cloud.world.wait_for("up-extract");
        // One look decides to go on with the run; the others wait for the execution.
        wait_until("polls", || polls() > before + 2);
        signal(&run, how);
        let ended = Ended::of(run);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let json = ended.json();
        assert_eq!(json["status"], "interrupted");
        let id = cloud.execution(0).id;
        let says = format!("the extract is still running in Cloud Run as execution {id}");
        assert!(json["errors"][0].as_str().unwrap().contains(&says), "{ended:?}");
        let how = format!("gcloud run jobs executions cancel {id} --project sandbox-project --region us-central1");
        assert!(ended.err.contains(&how), "{ended:?}");
        assert_eq!(cloud.execution(0).state, ExecutionState::Running);
        // The lease is the tasks' now: nobody else's run may begin.
        assert_eq!(cloud.stored("runs/lease.json")["run_id"], json["run_id"]);
        let other = cloud.run(&["--full-refresh"]);
        assert_eq!(other.code, Some(3), "{other:?}");
        assert!(other.err.contains("is still running in Cloud Run: its extract is execution"), "{other:?}");
    }
    cloud.world.touch("go");
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
    assert!(cloud.world.lease_is_free());
}

#[test]
fn what_needs_no_secret_is_checked_before_a_schedule_begins() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    let start = |programs: &str| {
        let arguments = ["schedule", "--pipeline", "pipeline.yaml", "--cron", "0 0 1 1 *"];
        let mut command = cloud.world.command(&arguments);
        command.env("DRAYAGE_RUN_ENDPOINT", cloud.server.url()).env("DRAYAGE_BIN_DIR", cloud.world.path(programs));
        command.env("DRAYAGE_LOG_FORMAT", "text");
        command.stderr(std::fs::File::create(cloud.world.path("log")).unwrap()).spawn().unwrap()
    };
    let log = || std::fs::read_to_string(cloud.world.path("log")).unwrap_or_default();
    cloud.world.answers("check", "", r#"{"severity":"ERROR","message":"p.yaml: there is no setting `api_kye`"}"#, 2);
    assert_eq!(Ended::of(start("bin")).code, Some(2), "{}", log());
    assert!(log().contains("there is no setting `api_kye`"), "{}", log());
    let asked = std::fs::read_to_string(cloud.world.path("asked")).unwrap();
    assert!(asked.contains("--without-secrets"), "{asked}");
    // Where the program is not beside this one, or all is well, it stays up, and says what it has not seen.
    for (programs, says) in [("no-programs", "could not be checked"), ("bin", "were not looked up")] {
        cloud.world.answers("check", "", "", 0);
        let process = start(programs);
        wait_until("the schedule", || log().contains("the next run is due at "));
        assert!(log().contains(says), "{programs}: {}", log());
        signal(&process, Signal::TERM);
        assert_eq!(Ended::of(process).code, Some(0));
    }
}
