//! Job ids, locations, states, requests that are refused.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_job_id_runs_once() {
    let scene = Scene::new().await;
    scene.sql(&format!("CREATE TABLE {} (n INT64)", scene.table("t"))).await;
    let job = Scene::query_job("once", &format!("INSERT INTO {} (n) VALUES (1)", scene.table("t")));
    scene.run(&job).await;
    let (status, answer) = scene.post("jobs", job).await;
    let expected = format!("Already Exists: Job {}:EU.once", scene.project);
    assert_eq!((status, reason(&answer), message(&answer)), (409, "duplicate", expected.as_str()));
    assert_eq!(scene.count("t").await, 1);
}

#[tokio::test]
async fn a_job_is_running_first_and_is_found_in_its_location_alone() {
    let scene = Scene::new().await;
    let (_, answer) = scene.post("jobs", Scene::query_job("slow", "SELECT 1 AS x")).await;
    assert_eq!(answer["status"], json!({"state": "RUNNING"}));
    assert_eq!(answer["jobReference"]["location"], "EU");
    assert_eq!(scene.get("jobs/slow?location=EU").await.1["status"]["state"], "RUNNING");
    let (_, done) = scene.get("jobs/slow?location=eu").await;
    assert_eq!(done["status"], json!({"state": "DONE"}));
    assert_eq!(done["statistics"]["query"]["statementType"], "SELECT");
    assert_eq!(scene.get("jobs/slow?location=US").await.0, 404);
    let (_, rows) = scene.get("queries/slow?location=EU").await;
    assert_eq!((&rows["rows"], &rows["jobComplete"]), (&json!([{"f": [{"v": "1"}]}]), &json!(true)));
}

#[tokio::test]
async fn results_of_a_running_job_are_not_complete() {
    let scene = Scene::new().await;
    scene.post("jobs", Scene::query_job("slow", "SELECT 1 AS x")).await;
    assert_eq!(scene.get("queries/slow?location=EU").await.1["jobComplete"], false);
    assert_eq!(scene.get("queries/slow?location=EU").await.1["totalRows"], "1");
}

#[tokio::test]
async fn a_query_that_fails_is_a_job_with_an_error() {
    let scene = Scene::new().await;
    let cases = [
        ("a", format!("SELECT * FROM {}", scene.table("nope")), "notFound"),
        ("b", format!("SELECT * FROM `{}.nope.t`", scene.project), "notFound"),
        ("c", "SELECT nope FROM UNNEST([1]) AS x".to_owned(), "invalidQuery"),
    ];
    for (id, sql, expected) in cases {
        let job = scene.run(&Scene::query_job(id, &sql)).await;
        assert_eq!(reason(&job), expected, "{job}");
        let (status, answer) = scene.get(&format!("queries/{id}?location=EU")).await;
        assert_eq!((status >= 400, reason(&answer)), (true, expected));
    }
}

#[tokio::test]
async fn requests_that_make_no_job() {
    let scene = Scene::new().await;
    let query = |extra: Value| {
        let mut configuration = json!({"query": {"query": "SELECT 1", "useLegacySql": false}});
        for (key, value) in extra.as_object().unwrap() {
            configuration[key] = value.clone();
        }
        configuration
    };
    let cases = [
        ("bad.id", query(json!({}))),
        ("labels", query(json!({"labels": {"Upper": "x"}}))),
        ("syntax", json!({"query": {"query": "SELEC 1", "useLegacySql": false}})),
        ("legacy", json!({"query": {"query": "SELECT 1"}})),
        ("both", query(json!({"load": {}}))),
        ("none", json!({})),
    ];
    for (id, configuration) in cases {
        let (status, answer) = scene.post("jobs", Scene::job(id, &configuration)).await;
        assert_eq!(status, 400, "{id}: {answer}");
        assert_eq!(scene.get(&format!("jobs/{id}?location=EU")).await.0, 404, "{id}");
    }
    // A refused request does not take the id.
    scene.run(&Scene::query_job("syntax", "SELECT 1")).await;
}

#[tokio::test]
async fn a_dataset_is_seen_from_its_location_alone() {
    let scene = Scene::new().await;
    scene.sql(&format!("CREATE TABLE {} (n INT64)", scene.table("t"))).await;
    let sql = format!("SELECT n FROM {}", scene.table("t"));
    let configuration = json!({"query": {"query": sql, "useLegacySql": false}});
    scene
        .post("jobs", json!({"jobReference": {"jobId": "far", "location": "US"}, "configuration": configuration}))
        .await;
    scene.get("jobs/far").await;
    assert_eq!(reason(&scene.get("jobs/far").await.1), "notFound");
    let (_, answer) = scene.post("jobs", json!({"configuration": configuration})).await;
    assert_eq!(answer["jobReference"]["location"], "EU");
}

#[tokio::test]
async fn a_token_and_a_project_can_be_asked_for() {
    let scene = Scene::with(Options { token: Some("secret".to_owned()), ..Options::default() }).await;
    assert_eq!(scene.get("datasets/d").await.0, 401);
    let url = format!("{}/bigquery/v2/projects/{}/datasets/d", scene.gate.url(), scene.project);
    let answer = scene.client.get(url).bearer_auth("secret").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let scene = Scene::with(Options { projects: vec!["other".to_owned()], ..Options::default() }).await;
    let (status, answer) = scene.get("datasets/d").await;
    assert_eq!((status, reason(&answer)), (404, "notFound"));
}

#[tokio::test]
async fn what_was_sent_is_logged() {
    let scene = Scene::new().await;
    scene.run(&Scene::query_job("logged", "SELECT 1")).await;
    scene.sql("SELECT 2").await;
    assert_eq!(scene.gate.queries(), ["SELECT 1", "SELECT 2"]);
    let requests = scene.gate.requests();
    assert_eq!((requests[0].job_id(), requests[0].status), (Some("logged"), 200));
    scene.gate.clear_requests();
    assert!(scene.gate.queries().is_empty());
}
