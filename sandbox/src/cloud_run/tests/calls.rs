//! The shapes of answers: names, numbers, conditions, lists and pages.
//! And the bodies of `jobs.run`: what overrides do, and what is refused.

use serde_json::{Value, json};

use super::super::{Call, ExecutionState};
use super::{condition, place, scene, script, text};

#[tokio::test]
async fn a_run_is_answered_with_an_operation_about_an_execution() {
    let scene = scene(vec![script("job", "true")], |_| {});
    let operation = scene.run("job", &json!({})).await;
    assert!(text(&operation["name"]).starts_with("projects/123456/locations/us-central1/operations/"));
    assert_eq!(operation["done"], Value::Null, "false is left out");
    let fresh = &operation["metadata"];
    assert_eq!(fresh["@type"], "type.googleapis.com/google.cloud.run.v2.Execution");
    let name = text(&fresh["name"]);
    assert!(name.starts_with("projects/123456/locations/us-central1/jobs/job/executions/job-"), "{name}");
    assert_eq!(
        (&fresh["taskCount"], &fresh["generation"], &fresh["failedCount"]),
        (&json!(1), &json!("1"), &Value::Null)
    );
    assert_eq!(fresh["reconciling"], true);
    assert_eq!(fresh["template"]["timeout"], "600s");
    assert_eq!(fresh["template"]["maxRetries"], 0, "0 is no default here");
    assert_eq!(condition(fresh, "Completed")["state"], "CONDITION_PENDING");
    assert!(chrono::DateTime::parse_from_rfc3339(text(&fresh["createTime"])).is_ok());

    let done = scene.wait(&operation).await;
    assert_eq!(done["response"]["name"], name);
    let (_, execution) = scene.get(name).await;
    for kind in ["Completed", "Started", "ResourcesAvailable"] {
        assert_eq!(condition(&execution, kind)["state"], "CONDITION_SUCCEEDED", "{kind}");
    }
    assert_eq!((&execution["succeededCount"], &execution["runningCount"]), (&json!(1), &Value::Null));
    assert!(execution["completionTime"].is_string() && execution["startTime"].is_string());
    assert!(text(&execution["logUri"]).contains("execution_name"));
    assert_eq!(execution["reconciling"], Value::Null);
    let by_id = name.replace("123456", "sandbox-project");
    assert_eq!(scene.get(&by_id).await, (200, execution), "the project's id names it too");
    assert_eq!(scene.get(text(&operation["name"])).await, (200, done));
}

#[tokio::test]
async fn overrides_are_laid_over_the_job() {
    let mut job = script("job", r#"echo "$A|$B|$C|$CLOUD_RUN_TASK_INDEX/$CLOUD_RUN_TASK_COUNT|$0 $*""#);
    job.env = vec![("A".to_owned(), "a".to_owned()), ("B".to_owned(), "b".to_owned())];
    let scene = scene(vec![job.clone()], |_| {});
    let args = json!(["-c", job.args[1], "x", "--run-id", "r 1"]);
    let env = json!([{"name": "B", "value": "b2"}, {"name": "C", "value": "c"}]);
    let overrides =
        json!({"overrides": {"containerOverrides": [{"args": args, "env": env}], "taskCount": 2, "timeout": "3600s"}});
    let execution = scene.run_to_end("job", &overrides).await;
    assert_eq!(scene.out(&execution, 0, 0), "a|b2|c|0/2|x --run-id r 1\n");
    assert_eq!(scene.out(&execution, 1, 0), "a|b2|c|1/2|x --run-id r 1\n");
    let container = &execution["template"]["containers"][0];
    assert_eq!(container["args"], args);
    assert_eq!(
        container["env"],
        json!([{"name": "A", "value": "a"}, {"name": "B", "value": "b2"}, {"name": "C", "value": "c"}])
    );
    assert_eq!((&execution["template"]["timeout"], &execution["taskCount"]), (&json!("3600s"), &json!(2)));
    let plain = scene.run_to_end("job", &json!({})).await;
    assert_eq!(scene.out(&plain, 0, 0), "a|b||0/1|job \n", "the job itself has not changed");
    let seen = scene.server.executions();
    assert_eq!((seen[0].env("B"), seen[0].args.last().unwrap().as_str()), (Some("b2"), "r 1"));
    assert_eq!((seen[1].env("B"), seen[1].state), (Some("b"), ExecutionState::Succeeded));
}

#[tokio::test]
async fn cleared_args_are_none() {
    let mut job = script("job", "");
    job.command = "/bin/echo".into();
    let scene = scene(vec![job], |_| {});
    let body = json!({"overrides": {"container_overrides": [{"name": "job-1", "clear_args": true}]}});
    let execution = scene.run_to_end("job", &body).await;
    assert_eq!(scene.out(&execution, 0, 0), "\n");
    assert_eq!(execution["template"]["containers"][0]["args"], Value::Null);
}

#[tokio::test]
async fn wrong_bodies_are_refused_and_start_nothing() {
    let scene = scene(vec![script("job", "true")], |_| {});
    let container = |container: Value| json!({"overrides": {"containerOverrides": [container]}});
    let cases = [
        (json!([]), "object"),
        (json!({"parallelism": 1}), "Unknown name \"parallelism\""),
        (json!({"overrides": {"maxRetries": 1}}), "Unknown name \"maxRetries\" at 'overrides'"),
        (json!({"overrides": {"taskCount": "many"}}), "overrides.task_count"),
        (json!({"overrides": {"taskCount": -1}}), "Task count"),
        (json!({"overrides": {"timeout": 60}}), "overrides.timeout"),
        (json!({"overrides": {"timeout": "604801s"}}), "Timeout"),
        (container(json!({"command": ["x"]})), "overrides.container_overrides[0]"),
        (container(json!({"args": "--x"})), "overrides.container_overrides[0].args"),
        (container(json!({"name": "sidecar"})), "sidecar"),
        (container(json!({"args": ["x"], "clearArgs": true})), "cleared"),
        (container(json!({"env": [{"name": "CLOUD_RUN_TASK_INDEX", "value": "7"}]})), "reserved env names"),
        (container(json!({"env": [{"name": "A", "value": 7}]})), "env[0].value"),
        (container(json!({"env": {"A": "7"}})), "overrides.container_overrides[0].env"),
        (container(json!({"env": [{"value": "7"}]})), "no environment variable"),
    ];
    for (body, part) in cases {
        let (status, answer) = scene.post(&format!("{}/jobs/job:run", place()), &body).await;
        let error = &answer["error"];
        assert_eq!(
            (status, &error["code"], &error["status"]),
            (400, &json!(400), &json!("INVALID_ARGUMENT")),
            "{body}"
        );
        assert!(text(&error["message"]).contains(part), "{body}: {error}");
    }
    assert!(scene.server.executions().is_empty());
}

#[tokio::test]
async fn a_check_and_a_wrong_etag_start_nothing() {
    let scene = scene(vec![script("job", "true")], |_| {});
    let checked = scene.run("job", &json!({"validateOnly": true})).await;
    assert_eq!(checked["done"], true);
    assert_eq!(scene.get(text(&checked["name"])).await.0, 404);
    let (status, answer) = scene.post(&format!("{}/jobs/job:run", place()), &json!({"etag": "\"old\""})).await;
    assert_eq!((status, &answer["error"]["status"]), (409, &json!("ABORTED")));
    assert!(scene.server.executions().is_empty());
    let (_, job) = scene.get(&format!("{}/jobs/job", place())).await;
    assert_eq!(
        (text(&job["name"]), &job["executionCount"]),
        ("projects/123456/locations/us-central1/jobs/job", &Value::Null)
    );
    let execution = scene.run_to_end("job", &json!({"etag": job["etag"]})).await;
    let (_, job) = scene.get(&format!("{}/jobs/job", place())).await;
    let newest = &job["latestCreatedExecution"];
    assert_eq!(newest["completionStatus"], "EXECUTION_SUCCEEDED");
    assert!(text(&execution["name"]).ends_with(text(&newest["name"])));
    assert_eq!(job["executionCount"], 1);
}

#[tokio::test]
async fn a_listing_finds_the_execution_that_carries_a_marker() {
    let scene = scene(vec![script("job", "true"), script("other", "true")], |_| {});
    let marked =
        |run_id: &str| json!({"overrides": {"containerOverrides": [{"env": [{"name": "RUN_ID", "value": run_id}]}]}});
    let list = format!("{}/jobs/job/executions", place());
    assert_eq!(scene.get(&list).await, (200, json!({})), "an empty list is left out");
    let mut names = Vec::new();
    for run_id in ["r1", "r2", "r3"] {
        names.insert(0, scene.run("job", &marked(run_id)).await["metadata"]["name"].clone());
    }
    scene.run("other", &marked("r2")).await;
    let (_, first) = scene.get(&format!("{list}?pageSize=2")).await;
    let (_, second) = scene.get(&format!("{list}?pageSize=2&pageToken={}", text(&first["nextPageToken"]))).await;
    assert_eq!(second["nextPageToken"], Value::Null);
    let all: Vec<Value> =
        [&first, &second].iter().flat_map(|page| page["executions"].as_array().unwrap().clone()).collect();
    assert_eq!(all.iter().map(|execution| execution["name"].clone()).collect::<Vec<_>>(), names, "newest first");
    let carries = |execution: &&Value| execution["template"]["containers"][0]["env"][0]["value"] == "r2";
    let found: Vec<_> = all.iter().filter(carries).map(|execution| &execution["name"]).collect();
    assert_eq!(found, [&names[1]]);
    let (_, everywhere) = scene.get(&format!("{}/jobs/-/executions", place())).await;
    assert_eq!(everywhere["executions"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn requests_are_kept_with_their_bodies() {
    let scene = scene(vec![script("job", "true")], |_| {});
    let operation = scene.run("job", &json!({"overrides": {"taskCount": 1}})).await;
    scene.wait(&operation).await;
    scene.get("nowhere?x=1").await;
    let seen: Vec<_> = scene.server.requests();
    let calls: Vec<_> = seen.iter().map(|request| (request.method.as_str(), request.call, request.status)).collect();
    let expected = [("POST", Some(Call::Run), 200), ("POST", Some(Call::Operation), 200), ("GET", None, 404)];
    assert_eq!(calls, expected);
    assert_eq!(seen[0].body, r#"{"overrides":{"taskCount":1}}"#);
    assert_eq!((seen[2].path.as_str(), seen[2].query.as_str()), ("/v2/nowhere", "x=1"));
}
