//! Scripted faults: what the client sees, and what has happened all the same.
//! A lost answer is the important one: the run has started and the client does not know.

use std::time::Duration;

use serde_json::json;

use super::super::{Call, Fault, FaultAction};
use super::{Scene, eventually, place, scene, script, text};

async fn run(scene: &Scene) -> reqwest::Result<reqwest::Response> {
    scene.http.post(scene.url(&format!("{}/jobs/job:run", place()))).body("{}").send().await
}

#[tokio::test]
async fn a_status_before_the_effect_starts_nothing() {
    let scene = scene(vec![script("job", "true")], |_| {});
    scene.server.fault(Fault::once(Call::Run, FaultAction::Status(429)));
    scene.server.fault(Fault::once(Call::Run, FaultAction::StatusWithBody(503, "<html>busy</html>".to_owned())));
    scene.server.fault(Fault::once(Call::Run, FaultAction::PermissionDenied));
    let (status, answer) = super::read(run(&scene).await.unwrap()).await;
    assert_eq!((status, &answer["error"]["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
    let (status, answer) = super::read(run(&scene).await.unwrap()).await;
    assert_eq!((status, text(&answer)), (503, "<html>busy</html>"));
    let (status, answer) = super::read(run(&scene).await.unwrap()).await;
    assert_eq!(status, 403);
    assert!(text(&answer["error"]["message"]).contains("'run.jobs.run' denied on resource 'projects/sandbox-project/"));
    assert!(scene.server.executions().is_empty());
    assert_eq!(run(&scene).await.unwrap().status(), 200);
}

#[tokio::test]
async fn overrides_need_a_permission_of_their_own() {
    let scene = scene(vec![script("job", "true")], |_| {});
    scene.server.fault(Fault::once(Call::Run, FaultAction::PermissionDenied));
    let body = json!({"overrides": {"taskCount": 1}});
    let (_, answer) = scene.post(&format!("{}/jobs/job:run", place()), &body).await;
    assert!(text(&answer["error"]["message"]).contains("'run.jobs.runWithOverrides' denied"), "{answer}");
}

#[tokio::test]
async fn a_cut_before_the_effect_starts_nothing_and_one_after_it_has_started_the_run() {
    let scene = scene(vec![script("job", "echo done")], |_| {});
    scene.server.fault(Fault::once(Call::Run, FaultAction::Cut));
    let error = run(&scene).await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    assert!(scene.server.executions().is_empty());

    scene.server.fault(Fault::once(Call::Run, FaultAction::CutAfter));
    run(&scene).await.unwrap_err();
    scene.server.fault(Fault::once(Call::Run, FaultAction::StatusAfter(503)));
    assert_eq!(run(&scene).await.unwrap().status(), 503);
    let statuses: Vec<_> = scene.server.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [0, 0, 503]);
    let (_, list) = scene.get(&format!("{}/jobs/job/executions", place())).await;
    let executions = list["executions"].as_array().unwrap();
    assert_eq!(executions.len(), 2, "both runs were started though nobody was told");
    for execution in executions {
        scene.until(execution, 0, "done").await;
    }
}

#[tokio::test]
async fn a_slow_run_starts_though_the_client_leaves() {
    let scene = scene(vec![script("job", "echo done")], |_| {});
    scene.server.fault(Fault::once(Call::Run, FaultAction::Slow(Duration::from_secs(600))));
    let url = scene.url(&format!("{}/jobs/job:run", place()));
    let sent = tokio::spawn(scene.http.post(url).body("{}").send());
    eventually("an execution", || !scene.server.executions().is_empty()).await;
    assert!(!sent.is_finished());
    sent.abort();
    scene.until(&json!({"name": scene.server.executions()[0].name}), 0, "done").await;
}

#[tokio::test]
async fn each_method_has_its_own_faults() {
    let scene = scene(vec![script("job", "true")], |_| {});
    let operation = scene.run("job", &json!({})).await;
    scene.wait(&operation).await;
    let execution = text(&operation["metadata"]["name"]);
    let names = [
        (Call::GetJob, format!("{}/jobs/job", place())),
        (Call::GetExecution, execution.to_owned()),
        (Call::ListExecutions, format!("{}/jobs/job/executions", place())),
        (Call::ListTasks, format!("{execution}/tasks")),
        (Call::Operation, text(&operation["name"]).to_owned()),
    ];
    for (call, _) in &names {
        scene.server.fault(Fault::once(*call, FaultAction::Status(500)).after(1));
    }
    for (call, name) in &names {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(scene.get(name).await.0);
        }
        assert_eq!(seen, [200, 500, 200], "{call:?}");
    }
    scene.server.fault(Fault::once(Call::Cancel, FaultAction::Status(503)).always());
    assert_eq!(scene.post(&format!("{execution}:cancel"), &json!({})).await.0, 503);
    scene.server.clear_faults();
    assert_eq!(scene.post(&format!("{execution}:cancel"), &json!({})).await.0, 400);
}
