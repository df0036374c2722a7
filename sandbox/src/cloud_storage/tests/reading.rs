//! Downloads: headers, ranges, faults on the way, and files that somebody else put there.

use super::*;
use crate::cloud_storage::{Fault, FaultAction, Operation};

impl Client {
    async fn range(&self, name: &str, range: &str) -> Response {
        let path = format!("{}?alt=media", Self::object_path(name));
        self.request(Method::GET, &path).header("range", range).send().await.unwrap()
    }
}

#[tokio::test]
async fn headers_of_a_download() {
    let client = client().await;
    let stored = client.stored("a/b", "hello world").await;
    let response = client.get("a/b", "alt=media").await;
    for (name, value) in [
        ("content-length", "11"),
        ("content-type", "text/plain"),
        ("x-goog-generation", stored["generation"].as_str().unwrap()),
        ("x-goog-metageneration", "1"),
        ("x-goog-hash", "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww=="),
        ("x-goog-stored-content-length", "11"),
        ("x-goog-stored-content-encoding", "identity"),
        ("etag", stored["etag"].as_str().unwrap()),
    ] {
        assert_eq!(header(&response, name), Some(value), "{name}");
    }
    assert_eq!(response.text().await.unwrap(), "hello world");
    let link = client.http.get(stored["mediaLink"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(link.text().await.unwrap(), "hello world");
}

#[tokio::test]
async fn ranges_of_a_large_object() {
    let client = client().await;
    let body = noise(700_000);
    client.stored("big", body.clone()).await;
    for (range, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=262143-600000", 262_143, 600_001), ("bytes=-10", 699_990, 700_000)]
    {
        let response = client.range("big", range).await;
        assert_eq!(response.status(), 206);
        let expected = format!("bytes {from}-{}/700000", to - 1);
        assert_eq!(header(&response, "content-range"), Some(expected.as_str()));
        assert_eq!(response.bytes().await.unwrap(), body[from..to], "{range}");
    }
    let beyond = client.range("big", "bytes=700000-").await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, Some("bytes */700000")));
}

#[tokio::test]
async fn faults_on_the_way() {
    let client = client().await;
    let body = noise(300_000);
    client.stored("big", body.clone()).await;
    client.server.fault(Fault::once(Operation::Download, FaultAction::CutBody { after_bytes: 280_000 }));
    let mut response = client.get("big", "alt=media").await;
    assert_eq!(header(&response, "content-length"), Some("300000"));
    let mut got = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(bytes)) => got.extend_from_slice(&bytes),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(error.is_some());
    assert_eq!(got, body[..280_000]);
    client.server.fault(Fault::once(Operation::Download, FaultAction::CorruptByte { at: 299_999 }));
    let spoilt = client.bytes("big").await;
    assert_eq!(spoilt[..299_999], body[..299_999]);
    assert_ne!(spoilt[299_999], body[299_999]);
    assert_eq!(client.bytes("big").await, body);
}

#[tokio::test]
async fn a_download_under_way_survives_a_new_generation() {
    let client = client().await;
    let body = noise(4_000_000);
    client.stored("big", body.clone()).await;
    let mut response = client.get("big", "alt=media").await;
    let mut got = response.chunk().await.unwrap().unwrap().to_vec();
    client.stored("big", "new").await;
    while let Some(bytes) = response.chunk().await.unwrap() {
        got.extend_from_slice(&bytes);
    }
    assert!(got == body, "all bytes come from one generation");
    assert_eq!(client.bytes("big").await, b"new");
}

#[tokio::test]
async fn files_that_somebody_put_there_are_objects() {
    let client = client().await;
    let path = client.server.object_path(BUCKET, "from/outside");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "hello world").unwrap();
    let first = object(client.get("from/outside", "").await).await;
    assert_eq!((&first["crc32c"], &first["size"]), (&json!("yZRlqg=="), &json!("11")));
    assert_eq!(object(client.get("from/outside", "").await).await, first, "its generation stays");
    std::fs::write(&path, "changed").unwrap();
    let second = object(client.get("from/outside", "").await).await;
    assert!(generation(&second) > generation(&first));
    assert_eq!(client.bytes("from/outside").await, b"changed");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(client.get("from/outside", "").await.status(), 404);
    assert_eq!(client.put("from/outside", "&ifGenerationMatch=0", "back").await.status(), 200);
}
