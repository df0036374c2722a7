//! How tasks are stopped: at their time-out, by a cancel, and with the server.
//! SIGTERM first, SIGKILL after the grace, and nothing that a task has started outlives it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::super::{CloudRun, ExecutionState, Job, Options, TaskState};
use super::{PATIENCE, condition, place, scene, script, text};

const TERM: i32 = 15;
const KILL: i32 = 9;

#[tokio::test]
async fn a_timeout_asks_first_and_then_kills() {
    let text_of = r#"
        case "$CLOUD_RUN_TASK_INDEX" in
            0) trap 'echo cleaned; exit 7' TERM ;;
            1) trap '' TERM ;;
        esac
        while :; do sleep 0.02; done"#;
    let job = Job { task_count: 3, timeout: Duration::from_secs(2), ..script("job", text_of) };
    let scene = scene(vec![job], |options| options.grace = Duration::from_millis(200));
    let execution = scene.run_to_end("job", &json!({})).await;
    assert_eq!(execution["failedCount"], 3);
    assert_eq!(condition(&execution, "Completed")["executionReason"], "NON_ZERO_EXIT_CODE");
    let ends: Vec<(Value, Value)> = scene
        .tasks(&execution)
        .await
        .iter()
        .map(|task| &task["lastAttemptResult"])
        .map(|last| (last["exitCode"].clone(), last["termSignal"].clone()))
        .collect();
    let expected = [(json!(7), Value::Null), (Value::Null, json!(KILL)), (Value::Null, json!(TERM))];
    assert_eq!(ends, expected);
    assert_eq!(scene.out(&execution, 0, 0), "cleaned\n");
}

#[tokio::test]
async fn each_attempt_has_its_own_time_and_a_success_after_it_is_none() {
    let text_of = "trap 'exit 0' TERM; while :; do sleep 0.02; done";
    let job = Job { max_retries: 1, ..script("job", text_of) };
    let scene = scene(vec![job], |_| {});
    let execution = scene.run_to_end("job", &json!({"overrides": {"timeout": "0.5s"}})).await;
    assert_eq!((&execution["failedCount"], &execution["retriedCount"]), (&json!(1), &json!(1)));
    let last = &scene.tasks(&execution).await[0]["lastAttemptResult"];
    assert_eq!(last["status"]["code"], 4, "the time was over, whatever the program said: {last}");
}

#[tokio::test]
async fn a_cancel_stops_what_runs_and_starts_nothing_more() {
    let text_of = "trap 'echo cleaned; exit 9' TERM; echo ready; while :; do sleep 0.02; done";
    let job = Job { task_count: 3, parallelism: 1, max_retries: 3, ..script("job", text_of) };
    let scene = scene(vec![job], |_| {});
    let run = scene.run("job", &json!({})).await;
    let name = text(&run["metadata"]["name"]);
    scene.until(&run["metadata"], 0, "ready").await;
    let (_, running) = scene.get(name).await;
    assert_eq!(
        (&running["runningCount"], &condition(&running, "Started")["state"]),
        (&json!(1), &json!("CONDITION_SUCCEEDED"))
    );
    assert_eq!(condition(&running, "Completed")["state"], "CONDITION_RECONCILING");
    let cancel = format!("{name}:cancel");
    let (status, answer) = scene.post(&cancel, &json!({"etag": "\"old\""})).await;
    assert_eq!((status, &answer["error"]["status"]), (409, &json!("ABORTED")));
    let (status, checked) = scene.post(&cancel, &json!({"validateOnly": true})).await;
    assert_eq!((status, &checked["done"]), (200, &json!(true)));
    assert_eq!(scene.server.executions()[0].state, ExecutionState::Running, "a check cancels nothing");

    let (status, stopping) = scene.post(&cancel, &json!({})).await;
    assert_eq!(status, 200);
    let done = scene.wait(&stopping).await;
    assert_eq!(done["response"]["name"], name, "the cancel itself succeeded");
    assert_eq!(scene.wait(&run).await["error"]["code"], 1, "the run did not");
    let (_, execution) = scene.get(name).await;
    let completed = condition(&execution, "Completed");
    assert_eq!((&completed["state"], &completed["executionReason"]), (&json!("CONDITION_FAILED"), &json!("CANCELLED")));
    assert_eq!((&execution["cancelledCount"], &execution["failedCount"]), (&json!(3), &Value::Null));
    assert_eq!(scene.out(&execution, 0, 0), "ready\ncleaned\n");
    assert!(scene.server.log(name, 1, 0).is_err(), "the second task never started");
    let seen = &scene.server.executions()[0];
    assert_eq!((seen.state, seen.tasks[0].exit_code), (ExecutionState::Cancelled, Some(9)));
    assert_eq!(seen.tasks[2].state, TaskState::Cancelled);

    let (status, answer) = scene.post(&cancel, &json!({})).await;
    assert_eq!((status, &answer["error"]["status"]), (400, &json!("FAILED_PRECONDITION")));
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let scene = scene(vec![script("job", "echo ready; exec sleep 600")], |_| {});
    let run = scene.run("job", &json!({})).await;
    let (status, answer) = scene.post(&format!("{}:wait", text(&run["name"])), &json!({"timeout": "0.05s"})).await;
    assert_eq!((status, &answer["done"]), (200, &Value::Null));
}

/// A job whose script holds a named pipe open as long as it or anything it has started lives.
fn piped(folder: &Path, text: &str) -> (Job, PathBuf) {
    let pipe = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let env = vec![("PIPE".to_owned(), pipe.display().to_string())];
    (Job { env, ..script("job", &format!("exec 3>\"$PIPE\"; {text}")) }, pipe)
}

/// What is read from a pipe until nobody holds it any more. Sends a signal when the first line is there.
fn drain(pipe: PathBuf) -> (oneshot::Receiver<()>, oneshot::Receiver<String>) {
    let ((first, first_line), (all, end)) = (oneshot::channel(), oneshot::channel());
    // A thread of its own: a test that gives up must not wait for it.
    std::thread::spawn(move || {
        let mut lines = BufReader::new(std::fs::File::open(pipe).unwrap());
        let mut text = String::new();
        lines.read_line(&mut text).unwrap();
        let _ = first.send(());
        lines.read_to_string(&mut text).unwrap();
        let _ = all.send(text);
    });
    (first_line, end)
}

#[tokio::test]
async fn nothing_outlives_the_server() {
    let folder = tempfile::TempDir::new().unwrap();
    let (job, pipe) = piped(folder.path(), "trap '' TERM; sleep 600 & echo ready >&3; wait");
    let server = CloudRun::start(Options { jobs: vec![job], ..Options::new(folder.path()) }).unwrap();
    let (ready, end) = drain(pipe);
    let url = format!("{}/v2/{}/jobs/job:run", server.url(), place());
    assert_eq!(reqwest::Client::new().post(url).send().await.unwrap().status(), 200);
    timeout(PATIENCE, ready).await.unwrap().unwrap();
    drop(server);
    let text = timeout(PATIENCE, end).await.expect("nobody is left who holds the pipe").unwrap();
    assert_eq!(text, "ready\n");
}

#[tokio::test]
async fn what_a_task_leaves_behind_ends_with_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let (job, pipe) = piped(folder.path(), "sleep 600 & echo left");
    let scene = scene(vec![job], |_| {});
    let (_, end) = drain(pipe);
    let execution = scene.run_to_end("job", &json!({})).await;
    assert_eq!(scene.out(&execution, 0, 0), "left\n");
    assert_eq!(timeout(PATIENCE, end).await.expect("nobody is left who holds the pipe").unwrap(), "");
}

#[test]
fn wrong_options_are_refused() {
    let start = |jobs: Vec<Job>| {
        CloudRun::start(Options { jobs, ..Options::new("/nowhere") }).err().map(|error| error.to_string())
    };
    assert_eq!(start(vec![script("a", ""), script("a", "")]).unwrap(), "two jobs are called 'a'");
    assert!(start(vec![Job { task_count: 0, ..script("a", "") }]).unwrap().contains("no tasks"));
    let env = vec![("CLOUD_RUN_JOB".to_owned(), "x".to_owned())];
    assert!(start(vec![Job { env, ..script("a", "") }]).unwrap().contains("reserved"));
    assert_eq!(start(vec![script("a", ""), script("b", "")]), None);
}
