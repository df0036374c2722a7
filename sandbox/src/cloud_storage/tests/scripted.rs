//! Tokens, faults, the request log, the limit on changes, and a second start on the same folder.

use std::time::Duration;

use super::*;
use crate::cloud_storage::{Fault, FaultAction, Operation};

#[tokio::test]
async fn a_token_is_needed_where_one_is_set() {
    let client = client_with(|options| options.token = Some("t0ken".to_owned())).await;
    let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=x");
    let start = || client.request(Method::POST, &path);
    assert_eq!(refused(start().send().await.unwrap()).await, (401, "required".to_owned()));
    let wrong = start().bearer_auth("other").send().await.unwrap();
    assert_eq!(refused(wrong).await, (401, "authError".to_owned()));
    let started = start().bearer_auth("t0ken").send().await.unwrap();
    assert_eq!(started.status(), 200);
    let session = header(&started, "location").unwrap();
    assert_eq!(client.http.put(session).bearer_auth("other").body("no").send().await.unwrap().status(), 401);
    let put = client.http.put(session).body("yes").send().await.unwrap();
    assert_eq!(put.status(), 200, "the session's id is permission enough");
    assert_eq!(client.get("x", "alt=media").await.status(), 401);

    let seen = client.server.requests();
    let authorised: Vec<_> = seen.iter().map(|request| (request.status, request.authorised)).collect();
    assert_eq!(authorised, [(401, false), (401, false), (200, true), (401, false), (200, true), (401, false)]);
    let id = session.split_once("upload_id=").unwrap().1;
    let text = format!("{seen:?}");
    assert!(!text.contains("t0ken") && !text.contains(id), "{text}");
}

#[tokio::test]
async fn faults_strike_what_they_are_meant_for() {
    let client = client().await;
    let limited = FaultAction::Status { code: 429, retry_after: Some(7) };
    client.server.fault(Fault::once(Operation::Upload, limited).on("part-1").after(1));
    assert_eq!(client.put("part-0", "", "x").await.status(), 200);
    assert_eq!(client.put("part-1", "", "x").await.status(), 200);
    let struck = client.put("part-1", "", "changed").await;
    assert_eq!(header(&struck, "retry-after"), Some("7"));
    assert_eq!(refused(struck).await, (429, "rateLimitExceeded".to_owned()));
    assert_eq!(client.bytes("part-1").await, b"x");

    client.server.fault(Fault::next(FaultAction::status(503)).times(2));
    assert_eq!(refused(client.get("part-0", "").await).await, (503, "backendError".to_owned()));
    assert_eq!(client.delete("part-0", "").await.status(), 503);
    assert_eq!(client.get("part-0", "").await.status(), 200);

    client.server.fault(Fault::once(Operation::Delete, FaultAction::Cut));
    let path = Client::object_path("part-0");
    assert!(client.request(Method::DELETE, &path).send().await.is_err());
    assert!(client.on_disk("part-0").is_some());
    client.server.fault(Fault::once(Operation::Delete, FaultAction::DoneThenCut));
    assert!(client.request(Method::DELETE, &path).send().await.is_err());
    assert_eq!(client.on_disk("part-0"), None);

    client.server.fault(Fault::once(Operation::Metadata, FaultAction::Slow(Duration::from_secs(3600))));
    let slow = client.request(Method::GET, &Client::object_path("part-1")).timeout(Duration::from_millis(50));
    assert!(slow.send().await.unwrap_err().is_timeout());
    client.server.fault(Fault::next(FaultAction::Cut).always());
    client.server.clear_faults();
    assert_eq!(client.get("part-1", "").await.status(), 200);
}

#[tokio::test]
async fn a_cut_upload_of_a_large_body_leaves_nothing() {
    let client = client().await;
    client.server.fault(Fault::once(Operation::Upload, FaultAction::Cut));
    let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=big");
    let upload = client.request(Method::POST, &path).body(noise(3_000_000)).send().await;
    assert!(upload.is_err());
    assert_eq!(client.on_disk("big"), None);
    let refusal = client.put("big", "&ifGenerationMatch=5", noise(3_000_000)).await;
    assert_eq!(refused(refusal).await.0, 412, "an answer to a large body must reach the client");
}

#[tokio::test]
async fn the_log_tells_what_was_asked() {
    let client = client().await;
    client.stored("a b/c", "x").await;
    client.get("a b/c", "alt=media&generation=1").await;
    client.request(Method::GET, "/nonsense").send().await.unwrap();
    let seen: Vec<_> = client
        .server
        .requests()
        .into_iter()
        .map(|seen| (seen.method, seen.operation, seen.object.unwrap_or_default(), seen.status))
        .collect();
    let expected = [
        ("POST", Some(Operation::Upload), "a b/c", 200),
        ("GET", Some(Operation::Download), "a b/c", 404),
        ("GET", None, "", 404),
    ];
    assert_eq!(
        seen,
        expected.map(|(method, operation, object, status)| (method.to_owned(), operation, object.to_owned(), status))
    );
    client.server.clear_requests();
    assert!(client.server.requests().is_empty());
}

#[tokio::test]
async fn changes_that_come_too_soon_are_limited() {
    let client = client_with(|options| options.write_interval = Some(Duration::from_secs(3600))).await;
    client.stored("lease", "one").await;
    client.stored("other", "one").await;
    assert_eq!(refused(client.put("lease", "", "two").await).await, (429, "rateLimitExceeded".to_owned()));
    assert_eq!(client.put("lease", "&ifGenerationMatch=0", "two").await.status(), 412, "preconditions come first");
    assert_eq!(client.delete("lease", "").await.status(), 429);
    assert_eq!(client.bytes("lease").await, b"one");
    let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=lease");
    let started = client.post(&path, &json!({})).await;
    let session = header(&started, "location").unwrap();
    for _ in 0..2 {
        let put = client.http.put(session).header("content-range", "bytes 0-2/3").body("two").send().await.unwrap();
        assert_eq!(put.status(), 429, "the session lives and takes the bytes again");
    }
}

#[tokio::test]
async fn a_second_start_finds_everything() {
    let mut client = client().await;
    let path = format!("{}?ifMetagenerationMatch=1", Client::object_path("a/b"));
    client.stored("a/b", "body").await;
    let patch = client.request(Method::PATCH, &path).body("{\"metadata\":{\"k\":\"v\"}}").send().await.unwrap();
    let before = object(patch).await;
    let root = client.server.root().to_owned();
    client.server = CloudStorage::start(Options { root: root.clone(), ..Options::default() }).await.unwrap();
    let after = object(client.get("a/b", "").await).await;
    for field in ["generation", "metageneration", "metadata", "contentType", "crc32c", "timeCreated", "updated"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert!(generation(&client.stored("a/b", "new").await) > generation(&before));
    let wrong = Options { root, buckets: vec!["No Bucket".to_owned()], ..Options::default() };
    assert!(CloudStorage::start(wrong).await.is_err());
}
