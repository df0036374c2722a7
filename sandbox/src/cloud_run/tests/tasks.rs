//! Tasks as processes: their environment, how many run at a time, retries and exit codes.
//! The scripts tell by their output what they were given.

use serde_json::{Value, json};

use super::super::{ExecutionState, Job, TaskState};
use super::{condition, scene, script, text};

#[tokio::test]
async fn a_task_sees_only_what_a_container_would() {
    let mut job = script("job", "pwd; env | sort; echo oops >&2");
    job.env = vec![("KEY".to_owned(), "value".to_owned())];
    let scene = scene(vec![job], |options| {
        options.base_env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    });
    let execution = scene.run_to_end("job", &json!({})).await;
    let id = text(&execution["name"]).rsplit('/').next().unwrap();
    let out = scene.out(&execution, 0, 0);
    // The shell adds variables of its own.
    let lines: Vec<_> = out.lines().filter(|line| !line.starts_with("PWD=") && !line.starts_with("SHLVL=")).collect();
    let lines: Vec<_> =
        lines.into_iter().filter(|line| !line.starts_with("_=") && !line.starts_with("OLDPWD")).collect();
    let execution_line = format!("CLOUD_RUN_EXECUTION={id}");
    let expected = [
        "/",
        &execution_line,
        "CLOUD_RUN_JOB=job",
        "CLOUD_RUN_TASK_ATTEMPT=0",
        "CLOUD_RUN_TASK_COUNT=1",
        "CLOUD_RUN_TASK_INDEX=0",
        "KEY=value",
        "PATH=/usr/bin:/bin",
    ];
    assert_eq!(lines, expected);
    assert_eq!(scene.server.log(id, 0, 0).unwrap().err, "oops\n");
    assert!(scene.server.log(id, 0, 1).is_err(), "there was no second attempt");
}

#[tokio::test]
async fn a_task_is_tried_again_until_it_succeeds() {
    let job = Job {
        max_retries: 3,
        ..script("job", r#"echo "try $CLOUD_RUN_TASK_ATTEMPT"; [ "$CLOUD_RUN_TASK_ATTEMPT" = 2 ]"#)
    };
    let scene = scene(vec![job], |_| {});
    let execution = scene.run_to_end("job", &json!({})).await;
    assert_eq!(condition(&execution, "Completed")["state"], "CONDITION_SUCCEEDED");
    assert_eq!((&execution["retriedCount"], &execution["failedCount"]), (&json!(1), &Value::Null));
    assert_eq!(scene.out(&execution, 0, 2), "try 2\n");
    let task = &scene.tasks(&execution).await[0];
    assert_eq!((&task["retried"], &task["index"], &task["maxRetries"]), (&json!(2), &Value::Null, &json!(3)));
    assert_eq!(task["lastAttemptResult"], json!({"status": {}}), "a success has no exit code");
}

#[tokio::test]
async fn a_task_that_keeps_failing_fails_the_execution_with_its_exit_code() {
    let text_of = r#"[ "$CLOUD_RUN_TASK_INDEX" != 1 ] || exit 3"#;
    let job = Job { max_retries: 1, task_count: 3, ..script("job", text_of) };
    let scene = scene(vec![job], |_| {});
    let operation = scene.run("job", &json!({})).await;
    let operation = scene.wait(&operation).await;
    assert!(text(&operation["error"]["message"]).contains("2/3 tasks were a success"), "{operation}");
    assert_eq!(operation["response"], Value::Null);
    let execution = &operation["metadata"];
    let completed = condition(execution, "Completed");
    assert_eq!(
        (&completed["state"], &completed["executionReason"]),
        (&json!("CONDITION_FAILED"), &json!("NON_ZERO_EXIT_CODE"))
    );
    assert!(text(&completed["message"]).contains("-task1 failed"), "{completed}");
    let counts = ["succeededCount", "failedCount", "retriedCount"].map(|name| &execution[name]);
    assert_eq!(counts, [&json!(2), &json!(1), &json!(1)]);
    let tasks = scene.tasks(execution).await;
    assert_eq!(tasks[1]["lastAttemptResult"]["exitCode"], 3);
    assert_ne!(tasks[1]["lastAttemptResult"]["status"]["code"], Value::Null);
    assert_eq!(condition(&tasks[1], "Completed")["state"], "CONDITION_FAILED");
    assert_eq!(tasks[2]["index"], 2);
    assert!(text(&tasks[2]["name"]).ends_with("-task2"));
    let seen = &scene.server.executions()[0];
    assert_eq!((seen.state, seen.tasks[1].exit_code), (ExecutionState::Failed, Some(3)));
}

#[tokio::test]
async fn tasks_can_be_read_in_pages() {
    let scene = scene(vec![Job { task_count: 3, ..script("job", "true") }], |_| {});
    let execution = scene.run_to_end("job", &json!({})).await;
    let list = format!("{}/tasks", text(&execution["name"]));
    let (_, first) = scene.get(&format!("{list}?pageSize=2")).await;
    let (_, second) = scene.get(&format!("{list}?pageSize=2&pageToken={}", text(&first["nextPageToken"]))).await;
    let indexes = |page: &Value| -> Vec<u64> {
        page["tasks"].as_array().unwrap().iter().map(|task| task["index"].as_u64().unwrap_or(0)).collect()
    };
    assert_eq!((indexes(&first), indexes(&second)), (vec![0, 1], vec![2]));
    assert_eq!(second["nextPageToken"], Value::Null);
}

#[tokio::test]
async fn only_so_many_tasks_run_at_a_time() {
    // Every task leaves a mark while it runs, and counts the marks.
    let text_of =
        r#"mkdir "$DIR/$CLOUD_RUN_TASK_INDEX"; sleep 0.05; ls "$DIR" | wc -l; rmdir "$DIR/$CLOUD_RUN_TASK_INDEX""#;
    let marks = tempfile::TempDir::new().unwrap();
    let mut job = Job { task_count: 5, parallelism: 2, ..script("job", text_of) };
    job.env = vec![("DIR".to_owned(), marks.path().display().to_string())];
    let scene = scene(vec![job], |_| {});
    let execution = scene.run_to_end("job", &json!({})).await;
    assert_eq!((&execution["parallelism"], &execution["succeededCount"]), (&json!(2), &json!(5)));
    for task in 0..5 {
        let seen: usize = scene.out(&execution, task, 0).trim().parse().unwrap();
        assert!((1..=2).contains(&seen), "task {task} saw {seen}");
    }
}

#[tokio::test]
async fn all_tasks_run_at_once_unless_told_otherwise() {
    // Every task waits until all have come: one after the other none would end.
    let text_of = r#"mkdir "$DIR/$CLOUD_RUN_TASK_INDEX"; while [ "$(ls "$DIR" | wc -l)" -lt 3 ]; do sleep 0.01; done"#;
    let marks = tempfile::TempDir::new().unwrap();
    let mut job = Job { task_count: 3, ..script("job", text_of) };
    job.env = vec![("DIR".to_owned(), marks.path().display().to_string())];
    let scene = scene(vec![job], |_| {});
    let execution = scene.run_to_end("job", &json!({})).await;
    assert_eq!((&execution["parallelism"], &execution["succeededCount"]), (&json!(3), &json!(3)));
}

#[tokio::test]
async fn a_program_that_is_missing_fails_its_task() {
    let scene = scene(vec![Job { max_retries: 1, ..Job::new("job", "/nowhere/program") }], |_| {});
    let execution = scene.run_to_end("job", &json!({})).await;
    assert_eq!((&execution["failedCount"], &execution["retriedCount"]), (&json!(1), &json!(1)));
    let last = &scene.tasks(&execution).await[0]["lastAttemptResult"];
    assert!(text(&last["status"]["message"]).contains("failed to start"), "{last}");
    assert_eq!((&last["exitCode"], &last["termSignal"]), (&Value::Null, &Value::Null));
    assert_eq!(scene.server.executions()[0].tasks[0].state, TaskState::Failed);
}
