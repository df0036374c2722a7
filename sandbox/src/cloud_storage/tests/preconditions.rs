//! Preconditions on reads, writes and deletes, and the create-only write whose answer is lost.

use super::*;
use crate::cloud_storage::{Fault, FaultAction, Operation};

#[tokio::test]
async fn writes() {
    let client = client().await;
    let put = |query: String, body: &'static str| {
        let client = &client;
        async move { client.put("x", &query, body).await.status().as_u16() }
    };
    assert_eq!(put("&ifGenerationMatch=7".to_owned(), "no").await, 412);
    assert_eq!(put("&ifGenerationNotMatch=0".to_owned(), "no").await, 304);
    assert_eq!(put("&ifMetagenerationMatch=1".to_owned(), "no").await, 412);
    assert_eq!(put("&ifGenerationMatch=0".to_owned(), "one").await, 200);
    assert_eq!(put("&ifGenerationMatch=0".to_owned(), "no").await, 412);
    let first = generation(&object(client.get("x", "").await).await);
    assert_eq!(put(format!("&ifGenerationMatch={}", first - 1), "no").await, 412);
    assert_eq!(put(format!("&ifGenerationNotMatch={first}"), "no").await, 304);
    assert_eq!(put("&ifGenerationMatch=soon".to_owned(), "no").await, 400);
    assert_eq!(client.bytes("x").await, b"one");
    assert_eq!(put(format!("&ifGenerationMatch={first}&ifMetagenerationMatch=1"), "two").await, 200);
    assert_eq!(put(format!("&ifGenerationMatch={first}"), "no").await, 412);
    assert_eq!(client.bytes("x").await, b"two");
}

#[tokio::test]
async fn reads_and_deletes() {
    let client = client().await;
    let live = generation(&client.stored("x", "body").await);
    let cases = [
        (format!("ifGenerationMatch={live}"), 200),
        (format!("ifGenerationMatch={}", live + 1), 412),
        (format!("ifGenerationNotMatch={live}"), 304),
        ("ifMetagenerationMatch=1".to_owned(), 200),
        ("ifMetagenerationMatch=2".to_owned(), 412),
        ("ifMetagenerationNotMatch=1".to_owned(), 304),
        (format!("generation={live}"), 200),
        (format!("generation={}", live + 1), 404),
    ];
    for (query, status) in cases {
        assert_eq!(client.get("x", &query).await.status(), status, "{query}");
        assert_eq!(client.get("x", &format!("alt=media&{query}")).await.status(), status, "media, {query}");
        if status != 200 {
            assert_eq!(client.delete("x", &query).await.status(), status, "delete, {query}");
        }
    }
    assert_eq!(client.delete("x", &format!("ifGenerationMatch={live}")).await.status(), 204);
    assert_eq!(refused(client.delete("x", "").await).await, (404, "notFound".to_owned()));
    assert_eq!(refused(client.get("x", "").await).await, (404, "notFound".to_owned()));
    let missing = client.get("x", "alt=media").await;
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.text().await.unwrap(), format!("No such object: {BUCKET}/x"), "plain text, as the real service");
}

#[tokio::test]
async fn a_created_object_whose_answer_is_lost() {
    let client = client().await;
    for action in [FaultAction::DoneThenCut, FaultAction::DoneThenStatus(503)] {
        let name = format!("lease-{action:?}").replace(['(', ')'], "");
        client.server.fault(Fault::once(Operation::Upload, action.clone()));
        let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&ifGenerationMatch=0&name={name}");
        let first = client.request(reqwest::Method::POST, &path).body("mine").send().await;
        match action {
            FaultAction::DoneThenCut => assert!(first.is_err()),
            _ => assert_eq!(first.unwrap().status(), 503),
        }
        let again = client.put(&name, "&ifGenerationMatch=0", "mine").await;
        assert_eq!(refused(again).await, (412, "conditionNotMet".to_owned()));
        let found = object(client.get(&name, "").await).await;
        assert_eq!(found["crc32c"], crc32c(b"mine"), "the client can tell its own success");
    }
}

#[tokio::test]
async fn one_of_many_creates_wins() {
    let client = client().await;
    let puts = (0..8).map(|number| client.put("lease.json", "&ifGenerationMatch=0", format!("holder {number}")));
    let statuses: Vec<_> = futures::future::join_all(puts).await.iter().map(|put| put.status().as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7);
    let winner = statuses.iter().position(|status| *status == 200).unwrap();
    assert_eq!(client.bytes("lease.json").await, format!("holder {winner}").into_bytes());
}
