//! Every scripted fault, as its victim sees it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sandbox::fault::{Fault, FaultAction};

use crate::client::{Client, by_id, client, id};

const JOBS: &str = "jpm/jobs?pageSize=10";

async fn struck(action: FaultAction) -> (Client, reqwest::Response) {
    let client = client(100, |_| {}).await;
    client.server.script(Fault::once("/jobs", action));
    let response = client.send(JOBS).await;
    (client, response)
}

#[tokio::test]
async fn statuses_and_bodies() {
    let body = "{\"odd\":1}".to_owned();
    let retry_after = "2.5".to_owned();
    // action, status, part of the content type, part of the body
    let cases = [
        (FaultAction::Status(500), 500, "json", "\"status\":500"),
        (FaultAction::Status(403), 403, "json", "Forbidden"),
        (FaultAction::Status(7), 500, "json", "traceId"),
        (FaultAction::StatusWithBody(409, body), 409, "json", "{\"odd\":1}"),
        (FaultAction::TooManyRequests { retry_after }, 429, "json", "2.5 seconds"),
        (FaultAction::Html, 200, "text/html", "<!DOCTYPE html>"),
        (FaultAction::EmptyBody, 200, "json", ""),
        (FaultAction::Redirect("http://elsewhere.invalid/".to_owned()), 302, "json", ""),
    ];
    for (action, status, kind, part) in cases {
        let name = format!("{action:?}");
        let (client, response) = struck(action).await;
        assert_eq!(response.status(), status, "{name}");
        let headers = response.headers().clone();
        assert!(headers["content-type"].to_str().unwrap().contains(kind), "{name}");
        assert_eq!(headers.get("retry-after").is_some(), status == 429, "{name}");
        assert_eq!(headers.get("location").is_some(), status == 302, "{name}");
        let text = response.text().await.unwrap();
        assert!(text.contains(part) && (!part.is_empty() || text.is_empty()), "{name}: {text}");
        assert_eq!(client.status(JOBS).await, 200, "{name} strikes once");
    }
}

#[tokio::test]
async fn spoilt_and_cut_bodies() {
    let (client, response) = struck(FaultAction::WrongJson).await;
    let text = response.text().await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_err() && text.len() > 1000);

    client.server.script(Fault::once("/jobs", FaultAction::CutBody { after_bytes: 700 }));
    let mut response = client.send(JOBS).await;
    assert_eq!(response.status(), 200);
    assert!(response.content_length().unwrap() > 5000);
    let mut got = 0;
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => got += chunk.len(),
            other => break other,
        }
    };
    assert!(end.is_err(), "the connection closes early");
    assert_eq!(got, 700);

    client.server.script(Fault::once("/jobs", FaultAction::CutBody { after_bytes: usize::MAX }));
    assert!(client.send(JOBS).await.bytes().await.is_err(), "the last byte is missing");
}

#[tokio::test]
async fn slow_and_hanging_answers() {
    let wait = Duration::from_millis(150);
    let client = client(100, |_| {}).await;
    client.server.script(Fault::once("/jobs", FaultAction::Slow(wait)));
    let start = Instant::now();
    assert_eq!(client.page(JOBS).await.records.len(), 10);
    assert!(start.elapsed() >= wait);
    client.server.script(Fault::once("/jobs", FaultAction::Hang(wait)));
    let start = Instant::now();
    let answer = client.request(JOBS).send().await;
    assert!(match answer {
        Ok(response) => response.bytes().await.is_err(),
        Err(_) => true,
    });
    assert!(start.elapsed() >= wait);
    client.server.script(Fault::once("/jobs", FaultAction::Hang(Duration::from_secs(60))));
    let answer = client.request(JOBS).timeout(wait).send().await;
    assert!(answer.is_err_and(|error| error.is_timeout()));
    assert_eq!(client.server.requests().last().map(|seen| seen.status), Some(0), "never answered");
}

#[tokio::test]
async fn unauthorized_drops_the_token() {
    let (mut client, response) = struck(FaultAction::Unauthorized).await;
    assert_eq!(response.status(), 401);
    assert_eq!(client.status(JOBS).await, 401, "the token stays bad");
    client.token = client.log_in().await;
    assert_eq!(client.status(JOBS).await, 200);
}

#[tokio::test]
async fn faults_on_the_token_endpoint() {
    let client = client(100, |_| {}).await;
    let faults = [FaultAction::Status(503), FaultAction::WrongJson];
    for action in faults {
        client.server.script(Fault { tenant: Some("t1".to_owned()), ..Fault::once("/connect/token", action) });
    }
    assert_eq!(client.ask_token("cid2", "secret2").await.0, 200, "another tenant is spared");
    assert_eq!(client.ask_token("cid1", "secret1").await.0, 503);
    let (status, body) = client.ask_token("cid1", "secret1").await;
    assert!(status == 200 && serde_json::from_str::<serde_json::Value>(&body).is_err());
    assert_eq!(client.ask_token("cid1", "secret1").await.0, 200);
}

#[tokio::test]
async fn faults_wait_and_can_be_cleared() {
    let client = client(100, |_| {}).await;
    client.server.script(Fault::once("/jobs", FaultAction::Status(500)).after(2).always());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.status(JOBS).await);
    }
    assert_eq!(statuses, [200, 200, 500, 500]);
    client.server.clear_script();
    assert_eq!(client.status(JOBS).await, 200);
}

#[tokio::test]
async fn pages_and_tokens_that_repeat() {
    let client = client(250, |_| {}).await;
    client.server.script(Fault::once("/tenant/t1/jobs", FaultAction::RepeatPage).always());
    let first = client.page("jpm/jobs?page=1&pageSize=100").await;
    let ninth = client.page("jpm/jobs?page=9&pageSize=100").await;
    assert!(first.has_more && ninth.has_more);
    assert_eq!(first.records, ninth.records);

    client.server.script(Fault::once("/export/jobs", FaultAction::RepeatToken).after(1).always());
    let token = |body: &str| body.split("\"continueFrom\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let next = token(&client.get("jpm/export/jobs").await);
    let again = client.get(&format!("jpm/export/jobs?from={next}")).await;
    assert_eq!(token(&again), next);
    assert!(again.starts_with("{\"hasMore\":true"));

    client.server.script(Fault::once("/customers", FaultAction::WrongTotal));
    let wrong = client.page("crm/customers?active=Any&includeTotal=true").await.total;
    assert_eq!(wrong, Some(125 + 7));
}

#[tokio::test]
async fn lists_that_shift_under_the_reader() {
    // action after the first page, records seen, distinct ones, ids never seen, total afterwards
    let cases = [
        (FaultAction::RemoveRecord { index: 3 }, 299, 299, 1, 299),
        (FaultAction::AddRecord, 301, 300, 1, 301),
        (FaultAction::MoveRecord { index: 3 }, 300, 299, 1, 300),
        (FaultAction::MoveRecord { index: 250 }, 300, 300, 0, 300),
        (FaultAction::RemoveRecord { index: 9999 }, 300, 300, 0, 300),
    ];
    for (action, seen, distinct, missed, total) in cases {
        for order in ["", "?sort=%2BId"] {
            let client = client(300, |_| {}).await;
            client.server.script(Fault::once("/jobs", action.clone()));
            let pages = client.list(&format!("jpm/jobs{order}"), 100).await;
            assert_eq!(pages[0].total, Some(300));
            assert_eq!(pages.last().unwrap().total, Some(total), "{action:?}");
            let ids: Vec<_> = pages.iter().flat_map(|page| &page.records).map(|record| id(record)).collect();
            let unique: BTreeSet<_> = ids.iter().copied().collect();
            assert_eq!((ids.len(), unique.len()), (seen, distinct), "{action:?}");
            let now = by_id(&client.server.truth("t1", "jobs"));
            assert_eq!(now.len() as u64, total);
            assert_eq!(now.keys().filter(|id| !unique.contains(id)).count(), missed, "{action:?}");
            let calm = client.records(&format!("jpm/jobs{order}"), 100).await;
            assert_eq!(by_id(&calm), now, "{action:?}: calm afterwards");
            client.server.set_generation(2);
            let later = client.records("jpm/jobs", 100).await;
            assert_eq!(by_id(&later), by_id(&client.server.truth("t1", "jobs")));
        }
    }
}

#[tokio::test]
async fn shifts_reach_the_feed_once() {
    let client = client(300, |_| {}).await;
    let (_, token) = client.feed("jpm/export/jobs", None).await;
    for action in [FaultAction::RemoveRecord { index: 5 }, FaultAction::AddRecord] {
        client.server.script(Fault::once("/tenant/t1/jobs", action));
        client.get(JOBS).await;
    }
    let (rows, next) = client.feed("jpm/export/jobs", Some(&token)).await;
    let active: Vec<_> = rows.iter().map(|row| row.contains("\"active\":true")).collect();
    assert_eq!(active, [false, true]);
    assert!(client.feed("jpm/export/jobs", Some(&next)).await.0.is_empty());
}
