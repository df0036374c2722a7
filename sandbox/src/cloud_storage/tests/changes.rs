//! New metadata, composition and copies.

use super::*;

#[tokio::test]
async fn patches_merge_and_count() {
    let client = client().await;
    let stored = client.stored("x", "body").await;
    let patch = |body: Value, query: &'static str| {
        let request = client.request(Method::PATCH, &format!("{}?{query}", Client::object_path("x")));
        async move { request.body(body.to_string()).send().await.unwrap() }
    };
    let first = object(patch(json!({"metadata": {"a": "1", "b": "2"}}), "").await).await;
    assert_eq!((&first["metadata"]["a"], &first["metageneration"]), (&json!("1"), &json!("2")));
    assert_eq!(first["generation"], stored["generation"]);
    assert_ne!(first["etag"], stored["etag"]);
    let second = object(patch(json!({"metadata": {"a": null}, "contentType": null}), "").await).await;
    assert_eq!(second["metadata"], json!({"b": "2"}));
    assert_eq!(second["contentType"], "application/octet-stream");
    assert_eq!(refused(patch(json!({}), "ifMetagenerationMatch=1").await).await.0, 412);
    assert_eq!(refused(patch(json!({"metadata": {"a": 1}}), "").await).await.0, 400);
    assert_eq!(object(client.get("x", "").await).await["metageneration"], "3");
    let put = client.request(Method::PUT, &Client::object_path("x")).body("{\"contentType\":\"a/b\"}");
    let replaced = object(put.send().await.unwrap()).await;
    assert_eq!((&replaced["contentType"], replaced.get("metadata")), (&json!("a/b"), None));
    assert_eq!(client.bytes("x").await, b"body");
}

#[tokio::test]
async fn compose_joins_the_sources_in_order() {
    let client = client().await;
    let mut sources = Vec::new();
    for (name, body) in [("part-0", "hello"), ("part-1", " "), ("part-2", "world")] {
        let stored = client.stored(name, body).await;
        let wanted = json!({"ifGenerationMatch": stored["generation"]});
        sources.push(json!({"name": name, "generation": stored["generation"], "objectPreconditions": wanted}));
    }
    let path = format!("{}/compose?ifGenerationMatch=0", Client::object_path("all/of it"));
    let body = json!({"destination": {"contentType": "text/x", "metadata": {"k": "v"}}, "sourceObjects": sources});
    let composed = object(client.post(&path, &body).await).await;
    assert_eq!((&composed["crc32c"], composed.get("md5Hash")), (&json!("yZRlqg=="), None));
    assert_eq!((&composed["componentCount"], &composed["contentType"]), (&json!(3), &json!("text/x")));
    assert_eq!(client.bytes("all/of it").await, b"hello world");
    let hash = client.get("all/of it", "alt=media").await;
    assert_eq!(header(&hash, "x-goog-hash"), Some("crc32c=yZRlqg=="));
    assert_eq!(refused(client.post(&path, &body).await).await.0, 412);

    let compose = |sources: Value| {
        let path = format!("{}/compose", Client::object_path("again"));
        let client = &client;
        async move { client.post(&path, &json!({"sourceObjects": sources})).await }
    };
    let nested = object(compose(json!([{"name": "all/of it"}, {"name": "part-0"}])).await).await;
    assert_eq!(nested["componentCount"], json!(4));
    for (sources, status) in [
        (json!([]), 400),
        (json!(vec![json!({"name": "part-0"}); 33]), 400),
        (json!([{"name": "nothing"}]), 404),
        (json!([{"name": "part-0", "generation": "1"}]), 404),
        (json!([{"name": "part-0", "objectPreconditions": {"ifGenerationMatch": "1"}}]), 412),
    ] {
        assert_eq!(refused(compose(sources.clone()).await).await.0, status, "{sources}");
    }
    assert_eq!(client.bytes("again").await, b"hello worldhello");
}

#[tokio::test]
async fn copies_keep_bytes_and_settings() {
    let client = client_with(|options| options.buckets.push("archive".to_owned())).await;
    let source = client.stored("a/x", "body").await;
    let to = |verb: &str, name: &str| format!("{}/{verb}/b/archive/o/{}", Client::object_path("a/x"), encoded(name));
    let answer = object(client.post(&to("rewriteTo", "b/y"), &json!({})).await).await;
    assert_eq!((&answer["done"], &answer["totalBytesRewritten"]), (&json!(true), &json!("4")));
    let copy = &answer["resource"];
    assert_eq!(
        (&copy["bucket"], &copy["name"], &copy["contentType"]),
        (&json!("archive"), &json!("b/y"), &json!("text/plain"))
    );
    assert_eq!(copy["crc32c"], source["crc32c"]);
    assert_eq!(std::fs::read(client.server.object_path("archive", "b/y")).unwrap(), b"body");
    let copied = object(client.post(&to("copyTo", "z"), &json!({"contentType": "a/b"})).await).await;
    assert_eq!((&copied["name"], &copied["contentType"]), (&json!("z"), &json!("a/b")));
    let contested = format!("{}?ifGenerationMatch=0", to("rewriteTo", "b/y"));
    assert_eq!(refused(client.post(&contested, &json!({})).await).await.0, 412);
    let stale = format!("{}?ifSourceGenerationMatch=1", to("rewriteTo", "new"));
    assert_eq!(refused(client.post(&stale, &json!({})).await).await.0, 412);
    let moved = Client::object_path("nothing") + "/rewriteTo/b/archive/o/n";
    assert_eq!(refused(client.post(&moved, &json!({})).await).await.0, 404);
}
