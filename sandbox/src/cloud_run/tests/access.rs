//! Who is let in, and what is answered for what does not exist.
//! Every refusal but the front end's is Google's error body.

use serde_json::json;

use super::{place, scene, script, text};

#[tokio::test]
async fn the_token_is_asked_for() {
    let scene = scene(vec![script("job", "true")], |options| options.token = Some("secret".to_owned()));
    let job = format!("{}/jobs/job", place());
    let with = |token: &str| scene.http.get(scene.url(&job)).bearer_auth(token).send();
    let (status, answer) = scene.get(&job).await;
    assert_eq!((status, &answer["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    assert_eq!(with("wrong").await.unwrap().status(), 401);
    assert_eq!(with("secret").await.unwrap().status(), 200);
    scene.server.set_token(Some("next".to_owned()));
    assert_eq!(with("secret").await.unwrap().status(), 401, "a token can end");
    assert_eq!(with("next").await.unwrap().status(), 200);
    let seen: Vec<_> = scene.server.requests().iter().map(|seen| seen.has_authorization).collect();
    assert_eq!(seen, [false, true, true, true, true]);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let scene = scene(vec![script("job", "true"), script("other", "true")], |_| {});
    let execution = scene.run_to_end("job", &json!({})).await;
    let of_other = text(&execution["name"]).replace("jobs/job/", "jobs/other/");
    let names = [
        format!("{}/jobs/none", place()),
        format!("{}/jobs/none/executions", place()),
        format!("{}/jobs/job/executions/job-none", place()),
        format!("{}/jobs/job/executions/job-none/tasks", place()),
        format!("{}/operations/none", place()),
        of_other,
    ];
    for name in names {
        let (status, answer) = scene.get(&name).await;
        assert_eq!((status, &answer["error"]["status"]), (404, &json!("NOT_FOUND")), "{name}");
    }
    for name in ["jobs/none:run", "jobs/job/executions/job-none:cancel", "operations/none:wait"] {
        let (status, answer) = scene.post(&format!("{}/{name}", place()), &json!({})).await;
        assert_eq!((status, &answer["error"]["code"]), (404, &json!(404)), "{name}");
    }
    let (status, page) = scene.get(&format!("{}/jobs/job:run", place())).await;
    assert_eq!(status, 404);
    assert!(text(&page).starts_with("<!DOCTYPE html>"), "no method of the API: {page}");
}

#[tokio::test]
async fn other_projects_and_regions_are_denied() {
    let scene = scene(vec![script("job", "true")], |_| {});
    for place in ["projects/another/locations/us-central1", "projects/sandbox-project/locations/europe-west1"] {
        let (status, answer) = scene.get(&format!("{place}/jobs/job")).await;
        assert_eq!((status, &answer["error"]["status"]), (403, &json!("PERMISSION_DENIED")), "{place}");
    }
    let (status, answer) = scene.get(&format!("{}/jobs/job?filter=x", place())).await;
    assert_eq!((status, &answer["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
}
