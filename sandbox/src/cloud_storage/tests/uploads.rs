//! Uploads in one request: media and multipart, checksums, names, files on disk.

use super::*;

/// As the official client does: the resource, the bytes, and where they are not known before, the hashes.
async fn multipart(client: &Client, query: &str, resource: &Value, body: &[u8], trailer: Option<Value>) -> Response {
    let mut sent =
        format!("--edge\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{resource}\r\n").into_bytes();
    sent.extend_from_slice(b"--edge\r\nContent-Disposition: form-data; name=\"media\"\r\n\r\n");
    sent.extend_from_slice(body);
    if let Some(trailer) = trailer {
        sent.extend_from_slice(format!("\r\n--edge\r\nContent-Type: application/json\r\n\r\n{trailer}").as_bytes());
    }
    sent.extend_from_slice(b"\r\n--edge--\r\n");
    let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart{query}");
    let request = client.request(Method::POST, &path).header("content-type", "multipart/related; boundary=edge");
    request.body(sent).send().await.unwrap()
}

#[tokio::test]
async fn multipart_keeps_settings_and_bytes() {
    let client = client().await;
    let body = b"line 1\r\n--edg\r\n\0\xff line 2";
    let resource = json!({
        "name": "batches/a b/part-0.gz", "contentType": "application/gzip", "metadata": {"run_id": "r1"},
        "crc32c": crc32c(body), "cacheControl": "no-store",
    });
    let stored = object(multipart(&client, "", &resource, body, None).await).await;
    assert_eq!(client.on_disk("batches/a b/part-0.gz").unwrap(), body);
    assert_eq!(client.bytes("batches/a b/part-0.gz").await, body);
    let read = object(client.get("batches/a b/part-0.gz", "").await).await;
    assert_eq!(read, stored);
    let expected = [
        ("kind", json!("storage#object")),
        ("name", json!("batches/a b/part-0.gz")),
        ("bucket", json!(BUCKET)),
        ("size", json!(body.len().to_string())),
        ("contentType", json!("application/gzip")),
        ("cacheControl", json!("no-store")),
        ("metadata", json!({"run_id": "r1"})),
        ("metageneration", json!("1")),
        ("crc32c", json!(crc32c(body))),
        ("storageClass", json!("STANDARD")),
    ];
    for (field, value) in expected {
        assert_eq!(read[field], value, "{field}");
    }
}

#[tokio::test]
async fn wrong_checksums_are_refused_and_leave_nothing() {
    let client = client().await;
    let wrong = crc32c(b"other");
    let good = crc32c(b"body");
    let cases = [
        (json!({"crc32c": wrong}), None),
        (json!({"md5Hash": "AAAAAAAAAAAAAAAAAAAAAA=="}), None),
        (json!({}), Some(json!({"crc32c": wrong}))),
        (json!({"crc32c": good}), Some(json!({"md5Hash": "AAAAAAAAAAAAAAAAAAAAAA=="}))),
    ];
    for (resource, trailer) in cases {
        let response = multipart(&client, "&name=x", &resource, b"body", trailer).await;
        assert_eq!(refused(response).await, (400, "invalid".to_owned()), "{resource}");
        assert_eq!(client.on_disk("x"), None);
    }
    let response = multipart(&client, "&name=x", &json!({}), b"body", Some(json!({"crc32c": good}))).await;
    assert_eq!(response.status(), 200);
    let request = client.request(Method::POST, &format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=y"));
    let response = request.header("x-goog-hash", format!("crc32c={wrong}")).body("body").send().await.unwrap();
    assert_eq!(refused(response).await.0, 400);
    let leftovers = std::fs::read_dir(client.server.root().join(".uploads")).unwrap().count();
    assert_eq!(leftovers, 0, "refused bytes must not pile up");
}

#[tokio::test]
async fn generations_rise_and_overwriting_is_whole() {
    let client = client().await;
    let mut last = 0;
    for round in 0..20 {
        let stored = client.stored("lease.json", format!("round {round}")).await;
        assert!(generation(&stored) > last);
        last = generation(&stored);
    }
    assert_eq!(client.bytes("lease.json").await, b"round 19");
    assert_eq!(client.stored("lease.json", "").await["size"], json!("0"));
    assert_eq!(client.bytes("lease.json").await, b"");
}

#[tokio::test]
async fn names_that_cannot_be_files_are_refused() {
    let client = client().await;
    client.stored("a/b", "x").await;
    for name in ["a", "a/b/c", "../out", "a//c", "folder/", "/abs", "x/./y", "a\nb"] {
        assert_eq!(refused(client.put(name, "", "x").await).await, (400, "invalid".to_owned()), "{name}");
    }
    let missing = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media");
    let response = client.request(Method::POST, &missing).body("x").send().await.unwrap();
    assert_eq!(refused(response).await, (400, "required".to_owned()));
    assert_eq!(client.on_disk("a/b").unwrap(), b"x");
}

#[tokio::test]
async fn an_unknown_bucket_is_a_404_until_it_is_created() {
    let client = client().await;
    let path = "/upload/storage/v1/b/archive/o?uploadType=media&name=x";
    let put = || client.request(Method::POST, path).body("x").send();
    assert_eq!(refused(put().await.unwrap()).await, (404, "notFound".to_owned()));
    let create = || async { client.post("/storage/v1/b?project=p", &json!({"name": "archive"})).await };
    assert_eq!(object(create().await).await["name"], "archive");
    assert_eq!(refused(create().await).await, (409, "conflict".to_owned()));
    assert_eq!(put().await.unwrap().status(), 200);
    let list = object(client.request(Method::GET, "/storage/v1/b?project=p").send().await.unwrap()).await;
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|bucket| &bucket["name"]).collect();
    assert_eq!(names, ["archive", BUCKET]);
    let get = |bucket: &str| client.request(Method::GET, &format!("/storage/v1/b/{bucket}")).send();
    assert_eq!(object(get("archive").await.unwrap()).await["id"], "archive");
    assert_eq!(refused(get("nothing").await.unwrap()).await.0, 404);
    assert_eq!(refused(get(".metadata").await.unwrap()).await.0, 404);
}
