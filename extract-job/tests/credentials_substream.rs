//! Where credentials go when a parent's record names the address: to hosts that the manifest and the settings name, and to no other.

use crate::credentials::{assert_bare, assert_signed, config, login, ways};
use crate::fake_api::{FakeApi, manifest, ok, read, stream};
use serde_json::{Value, json};

/// A stream that asks the address in its parent's records.
fn child(requester: &Value, fields: Value) -> Value {
    let mut requester = requester.clone();
    requester.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut child = stream("child", requester.clone());
    let mut own = requester;
    own.as_object_mut()
        .unwrap()
        .extend(json!({"url_base": "{{ config.api }}", "path": "items"}).as_object().unwrap().clone());
    child["retriever"]["partition_router"] = json!({
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [
            {"type": "ParentStreamConfig", "parent_key": "url", "partition_field": "url", "stream": stream("items", own)},
        ],
    });
    child
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_from_a_record_on_another_host_gets_nothing() {
    for (way, requester, expected) in ways() {
        for fields in [
            json!({"url_base": "{{ stream_slice.url }}", "path": ""}),
            json!({"url_base": "{{ config.api }}", "path": "{{ stream_slice.url }}"}),
        ] {
            let other = FakeApi::start(|_| ok(json!({"items": [{"id": 2}]}))).await;
            let url = format!("{}/child", other.url);
            let api = FakeApi::start(move |seen| {
                login(seen).unwrap_or_else(|| ok(json!({"items": [{"id": 1, "url": url}]})))
            });
            let api = api.await;
            let printed = read(&manifest(&[child(&requester, fields)]), &config(&api)).await;
            assert_eq!(printed.ids(), [2], "{way}: {}", printed.log);
            assert_signed(&api, "/items", &expected, way);
            assert_bare(&other, way);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_from_a_record_on_the_sources_own_host_is_signed() {
    for (way, requester, expected) in ways() {
        let api = FakeApi::start(|seen| {
            let host = seen.header("host")[0].to_owned();
            login(seen).unwrap_or_else(|| match seen.path.as_str() {
                "/items" => ok(json!({"items": [{"id": 1, "url": format!("http://{host}/child")}]})),
                _ => ok(json!({"items": [{"id": 2}]})),
            })
        });
        let api = api.await;
        let fields = json!({"url_base": "{{ stream_slice.url }}", "path": ""});
        let printed = read(&manifest(&[child(&requester, fields)]), &config(&api)).await;
        assert_eq!(printed.ids(), [2], "{way}: {}", printed.log);
        assert_signed(&api, "/child", &expected, way);
    }
}
