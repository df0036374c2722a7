//! Scripted faults: lost answers, cut connections, jobs that fail or take long.

use serde_json::json;

use super::super::{Effect, Fault, Operation};
use super::*;

async fn insert(scene: &Scene, id: &str) -> reqwest::Result<(u16, Value)> {
    let job = Scene::query_job(id, &format!("INSERT INTO {} (n) VALUES (1)", scene.table("t")));
    scene.send(Method::POST, "jobs", Some(&job)).await
}

async fn scene() -> Scene {
    let scene = Scene::new().await;
    scene.sql(&format!("CREATE TABLE {} (n INT64)", scene.table("t"))).await;
    scene
}

#[tokio::test]
async fn an_answer_is_lost_but_the_job_has_run() {
    let scene = scene().await;
    scene.gate.fault(Fault::once(Operation::JobInsert, Effect::CutAfter));
    assert!(insert(&scene, "lost").await.is_err());
    assert_eq!(insert(&scene, "lost").await.unwrap().0, 409);
    assert_eq!(reason(&scene.wait("lost").await), "");
    assert_eq!(scene.count("t").await, 1);
    scene.gate.fault(Fault::once(Operation::JobInsert, Effect::FailedAfter { status: 503 }));
    assert_eq!(insert(&scene, "failed").await.unwrap().0, 503);
    assert_eq!(insert(&scene, "failed").await.unwrap().0, 409);
    assert_eq!(scene.count("t").await, 2);
}

#[tokio::test]
async fn a_request_that_does_not_arrive_does_nothing() {
    let scene = scene().await;
    for effect in [Effect::CutBefore, Effect::unavailable(), Effect::Html { status: 502 }] {
        scene.gate.fault(Fault::once(Operation::JobInsert, effect.clone()).on("INSERT INTO"));
        let answer = insert(&scene, "again").await;
        assert!(answer.as_ref().map_or(true, |(status, _)| *status >= 500), "{effect:?}: {answer:?}");
    }
    assert_eq!(scene.count("t").await, 0);
    assert_eq!(insert(&scene, "again").await.unwrap().0, 200);
    assert_eq!(scene.count("t").await, 1);
}

#[tokio::test]
async fn a_job_can_end_with_an_error_without_having_run() {
    let scene = scene().await;
    scene
        .gate
        .fault(Fault::once(Operation::JobInsert, Effect::job_fails("jobRateLimitExceeded", "Too many.")).on("first"));
    insert(&scene, "other").await.unwrap();
    insert(&scene, "first").await.unwrap();
    assert_eq!(reason(&scene.wait("first").await), "jobRateLimitExceeded");
    assert_eq!(reason(&scene.wait("other").await), "");
    assert_eq!(scene.count("t").await, 1);
}

#[tokio::test]
async fn a_job_can_take_long() {
    let scene = scene().await;
    scene.gate.fault(Fault::once(Operation::JobInsert, Effect::MorePolls(3)));
    insert(&scene, "slow").await.unwrap();
    let mut states = Vec::new();
    for _ in 0..5 {
        states.push(scene.get("jobs/slow?location=EU").await.1["status"]["state"].clone());
    }
    assert_eq!(states, ["RUNNING", "RUNNING", "RUNNING", "RUNNING", "DONE"]);
    scene.gate.fault(Fault::once(Operation::JobInsert, Effect::Running(Duration::from_secs(3600))));
    insert(&scene, "endless").await.unwrap();
    for _ in 0..5 {
        assert_eq!(scene.get("jobs/endless?location=EU").await.1["status"]["state"], "RUNNING");
    }
}

#[tokio::test]
async fn polls_and_table_calls_fail_too() {
    let scene = scene().await;
    insert(&scene, "polled").await.unwrap();
    scene.gate.fault(Fault::once(Operation::JobGet, Effect::unavailable()).on("INSERT INTO").times(2));
    scene.gate.fault(Fault::once(Operation::TableGet, Effect::refused(403, "rateLimitExceeded", "Slow down.")));
    for expected in [503, 503, 200] {
        assert_eq!(scene.get("jobs/polled?location=EU").await.0, expected);
    }
    let (status, answer) = scene.get("datasets/d/tables/t").await;
    assert_eq!((status, reason(&answer)), (403, "rateLimitExceeded"));
    assert_eq!(scene.get("datasets/d/tables/t").await.0, 200);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_its_job() {
    let scene = scene().await;
    let job = Scene::query_job("left", &format!("INSERT INTO {} (n) VALUES (1)", scene.table("t")));
    let url = format!("{}/bigquery/v2/projects/{}/jobs", scene.gate.url(), scene.project);
    // The job is taken, but cannot run before the client has gone.
    let turn = scene.gate.gate.turn().await;
    let client = tokio::spawn(scene.client.post(url).body(job.to_string()).send());
    while scene.get("jobs/left?location=EU").await.0 == 404 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.abort();
    assert!(client.await.is_err());
    drop(turn);
    assert_eq!(scene.wait("left").await["status"], json!({"state": "DONE"}));
    assert_eq!(insert(&scene, "left").await.unwrap().0, 409);
    assert_eq!(scene.count("t").await, 1);
}
