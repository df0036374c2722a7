//! Resumable uploads: pieces, questions, resuming after cuts and lost answers, and everything that is refused.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::cloud_storage::{Fault, FaultAction, Operation};

const QUANTUM: usize = 256 * 1024;

impl Client {
    async fn start(&self, name: &str, query: &str, resource: &Value) -> Response {
        let name = encoded(name);
        self.post(&format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name={name}{query}"), resource).await
    }

    async fn session(&self, name: &str) -> String {
        let response = self.start(name, "", &json!({})).await;
        assert_eq!(response.status(), 200);
        header(&response, "location").unwrap().to_owned()
    }

    async fn try_piece(&self, session: &str, range: &str, body: &[u8]) -> reqwest::Result<Response> {
        self.http.put(session).header("content-range", range).body(body.to_vec()).send().await
    }

    async fn piece(&self, session: &str, range: &str, body: &[u8]) -> Response {
        self.try_piece(session, range, body).await.unwrap()
    }
}

/// How many bytes a 308 says are kept.
fn kept(response: &Response) -> usize {
    assert_eq!(response.status(), 308);
    header(response, "range").map_or(0, |range| range.strip_prefix("bytes=0-").unwrap().parse::<usize>().unwrap() + 1)
}

#[tokio::test]
async fn pieces_become_an_object_with_the_last_one() {
    let client = client().await;
    let body = noise(2 * QUANTUM + 100);
    let resource = json!({"contentType": "application/gzip", "metadata": {"run_id": "r1"}, "crc32c": crc32c(&body)});
    let started = client.start("big", "", &resource).await;
    let session = header(&started, "location").unwrap().to_owned();
    assert_eq!(kept(&client.piece(&session, "bytes */*", b"").await), 0);
    assert_eq!(kept(&client.piece(&session, "bytes 0-524287/*", &body[..2 * QUANTUM]).await), 2 * QUANTUM);
    assert_eq!(kept(&client.piece(&session, "bytes */*", b"").await), 2 * QUANTUM);
    assert_eq!(client.get("big", "").await.status(), 404, "nothing to be seen before the end");
    assert_eq!(client.on_disk("big"), None);
    let stored = object(client.piece(&session, "bytes 524288-524387/524388", &body[2 * QUANTUM..]).await).await;
    assert_eq!((&stored["contentType"], &stored["metadata"]["run_id"]), (&json!("application/gzip"), &json!("r1")));
    assert_eq!(client.bytes("big").await, body);
    let again = object(client.piece(&session, "bytes */*", b"").await).await;
    assert_eq!(again, stored, "a finished session goes on answering");
}

#[tokio::test]
async fn other_ways_to_end() {
    let client = client().await;
    let body = noise(QUANTUM);
    for (name, ranges) in [
        ("size known late", vec!["bytes 0-262143/*", "bytes */262144"]),
        ("size never told", vec!["bytes 0-*/*"]),
        ("in one piece", vec!["bytes 0-262143/262144"]),
    ] {
        let session = client.session(name).await;
        let mut rest = Some(&body);
        let mut last = None;
        for range in ranges {
            last = Some(client.piece(&session, range, rest.take().map_or(&b""[..], |body| body)).await);
        }
        object(last.unwrap()).await;
        assert_eq!(client.bytes(name).await, body, "{name}");
    }
    let session = client.session("empty").await;
    assert_eq!(object(client.piece(&session, "bytes */0", b"").await).await["size"], "0");
    let session = client.session("bare").await;
    object(client.http.put(&session).body("bare").send().await.unwrap()).await;
    assert_eq!(client.bytes("bare").await, b"bare");
}

#[tokio::test]
async fn resuming_after_cuts_and_lost_answers() {
    let client = client().await;
    let body = noise(3 * QUANTUM);
    let session = client.session("big").await;
    client.server.fault(Fault::once(Operation::Chunk, FaultAction::Cut));
    assert!(client.try_piece(&session, "bytes 0-262143/*", &body[..QUANTUM]).await.is_err());
    assert_eq!(kept(&client.piece(&session, "bytes */*", b"").await), 0);
    client.server.fault(Fault::once(Operation::Chunk, FaultAction::DoneThenCut));
    assert!(client.try_piece(&session, "bytes 0-262143/*", &body[..QUANTUM]).await.is_err());
    assert_eq!(kept(&client.piece(&session, "bytes */*", b"").await), QUANTUM);
    client.server.fault(Fault::once(Operation::Chunk, FaultAction::KeepPart { bytes: 1000 }));
    let half = client.piece(&session, "bytes 262144-524287/*", &body[QUANTUM..2 * QUANTUM]).await;
    assert_eq!(kept(&half), QUANTUM + 1000);
    // Bytes that are there already are passed over.
    let rest = client.piece(&session, "bytes 262144-524287/*", &body[QUANTUM..2 * QUANTUM]).await;
    assert_eq!(kept(&rest), 2 * QUANTUM);
    client.server.fault(Fault::once(Operation::Finish, FaultAction::DoneThenStatus(503)));
    let last = client.piece(&session, "bytes 524288-786431/786432", &body[2 * QUANTUM..]).await;
    assert_eq!(last.status(), 503);
    let stored = object(client.piece(&session, "bytes */*", b"").await).await;
    assert_eq!(client.bytes("big").await, body);
    assert_eq!(generation(&object(client.get("big", "").await).await), generation(&stored));
}

#[tokio::test]
async fn a_client_that_breaks_off_can_go_on() {
    let client = client().await;
    let body = noise(QUANTUM);
    let session = client.session("big").await;
    let (_, address) = client.server.url().split_once("//").unwrap();
    let path = session.strip_prefix(client.server.url()).unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-range: bytes 0-262143/262144\r\ncontent-length: 262144\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&body[..QUANTUM / 2]).await.unwrap();
    socket.shutdown().await.unwrap();
    // The server closes its side once it has seen the break.
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let so_far = kept(&client.piece(&session, "bytes */*", b"").await);
    assert_eq!(so_far, QUANTUM / 2);
    let range = format!("bytes {so_far}-262143/262144");
    object(client.piece(&session, &range, &body[so_far..]).await).await;
    assert_eq!(client.bytes("big").await, body);
}

#[tokio::test]
async fn bad_pieces_are_refused_and_change_nothing() {
    let client = client().await;
    let session = client.session("big").await;
    let piece = noise(QUANTUM);
    for (range, length) in [
        ("bytes 0-999/*", 1000),
        ("bytes 0-999/5000", 1000),
        ("bytes 262144-524287/*", QUANTUM),
        ("bytes 0-262143/*", 10),
        ("bytes 0-9/10", 11),
        ("bytes 9-0/*", 10),
        ("lines 0-9/10", 10),
    ] {
        let response = client.piece(&session, range, &piece[..length]).await;
        assert_eq!(refused(response).await, (400, "invalid".to_owned()), "{range}");
        assert_eq!(kept(&client.piece(&session, "bytes */*", b"").await), 0, "{range}");
    }
    let no_such = session.replace("upload_id=", "upload_id=0");
    assert_eq!(refused(client.piece(&no_such, "bytes */*", b"").await).await.0, 404);
    assert_eq!(client.http.delete(&session).send().await.unwrap().status(), 499);
    assert_eq!(client.piece(&session, "bytes 0-9/10", &piece[..10]).await.status(), 410);
    assert_eq!(client.on_disk("big"), None);
}

#[tokio::test]
async fn checksums_are_checked_at_the_end() {
    let client = client().await;
    let wrong = crc32c(b"other");
    let started = client.start("early", "", &json!({"crc32c": wrong})).await;
    let session = header(&started, "location").unwrap().to_owned();
    let refusal = client.piece(&session, "bytes 0-3/4", b"body").await;
    assert_eq!(refused(refusal).await, (400, "invalid".to_owned()));
    assert_eq!(refused(client.piece(&session, "bytes */*", b"").await).await.0, 400, "the session is lost");
    for (hash, status) in [(wrong, 400), (crc32c(b"body"), 200)] {
        let session = client.session("late").await;
        let request = client.http.put(&session).header("content-range", "bytes 0-3/4");
        let response = request.header("x-goog-hash", format!("crc32c={hash}")).body("body").send().await.unwrap();
        assert_eq!(response.status(), status);
    }
    assert_eq!(client.on_disk("early"), None);
}

#[tokio::test]
async fn preconditions_hold_at_the_start_and_at_the_end() {
    let client = client().await;
    let started = client.start("contested", "&ifGenerationMatch=0", &json!({})).await;
    let session = header(&started, "location").unwrap().to_owned();
    client.stored("contested", "stranger").await;
    let refusal = client.piece(&session, "bytes 0-3/4", b"mine").await;
    assert_eq!(refused(refusal).await, (412, "conditionNotMet".to_owned()));
    let refusal = client.start("contested", "&ifGenerationMatch=0", &json!({})).await;
    assert_eq!(refused(refusal).await, (412, "conditionNotMet".to_owned()));
    assert_eq!(client.bytes("contested").await, b"stranger");
}
