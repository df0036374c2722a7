//! What a requester sends: bodies of every kind, headers and parameters as a mapping or as one template.

use crate::fake_api::{FakeApi, check, manifest, ok, read, stream};
use serde_json::{Value, json};

async fn api() -> FakeApi {
    FakeApi::start(|_| ok(json!({"items": [{"id": 1}]}))).await
}

/// The one request that a requester with these fields sends: method, query, content types, body.
async fn sent(requester: Value) -> (String, String, Vec<String>, String) {
    let api = api().await;
    let config = json!({"api": api.url, "ids": [1, 2], "body": {"a": 1}, "day": "2024-01-01"});
    let printed = read(&manifest(&[stream("items", requester.clone())]), &config).await;
    assert_eq!(printed.ids(), [1], "{requester}: {}", printed.log);
    let seen = api.seen().remove(0);
    let types = seen.header("content-type").into_iter().map(str::to_owned).collect();
    (seen.method, seen.query, types, seen.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_every_kind() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    let typed = |kind: &str, value: Value| json!({"request_body": {"type": kind, "value": value}});
    let query = "query { items(since: \"{{ config.day }}\") { id } }";
    let cases = [
        (typed("RequestBodyPlainText", json!("<day>{{ config.day }}</day>")), "", "<day>2024-01-01</day>"),
        (typed("RequestBodyPlainText", json!("{\"a\": 1}")), "", "{\"a\": 1}"),
        (
            typed(
                "RequestBodyUrlEncodedForm",
                json!({"d": "{{ config.day }}", "i": "{{ config.ids }}", "n": "{{ config.none }}"}),
            ),
            FORM,
            "d=2024-01-01&i=1&i=2",
        ),
        (
            typed(
                "RequestBodyJsonObject",
                json!({"d": "{{ config.day }}", "n": {"i": "{{ config.ids }}", "x": "{{ config.none }}"}}),
            ),
            JSON,
            r#"{"d":"2024-01-01","n":{"i":[1,2]}}"#,
        ),
        (
            typed("RequestBodyGraphQL", json!({"query": query, "variables": {"n": 5}})),
            JSON,
            r#"{"query":"query { items(since: \"2024-01-01\") { id } }","variables":{"n":5}}"#,
        ),
        (json!({"request_body_data": "a=1&b={{ config.day }}"}), "", "a=1&b=2024-01-01"),
        (json!({"request_body_data": "{{ config.body }}"}), FORM, "a=1"),
        (json!({"request_body_data": {"a": "{{ config.ids }}"}}), FORM, "a=1&a=2"),
        (json!({"request_body_json": "{{ config.body }}"}), JSON, r#"{"a":1}"#),
        (json!({"request_body_json": "{'d': '{{ config.day }}', 't': True}"}), JSON, r#"{"d":"2024-01-01","t":true}"#),
        (
            json!({"request_body_json": "{\"d\": \"{{ config.day }}\", \"t\": true}"}),
            JSON,
            r#"{"d":"2024-01-01","t":true}"#,
        ),
        (json!({"request_body_json": {}}), "", ""),
    ];
    for (fields, kind, body) in cases {
        for method in ["GET", "POST"] {
            let mut requester = fields.clone();
            requester["http_method"] = json!(method);
            let (got, _, types, content) = sent(requester.clone()).await;
            assert_eq!((got.as_str(), content.as_str()), (method, body), "{requester}");
            assert_eq!(types, if kind.is_empty() { vec![] } else { vec![kind] }, "{requester}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_content_type_of_the_manifest_is_the_only_one() {
    let bodies = [
        json!({"request_body_json": {"a": 1}}),
        json!({"request_body_data": {"a": "1"}}),
        json!({"request_body_data": "x"}),
    ];
    for mut requester in bodies {
        requester["http_method"] = json!("POST");
        requester["request_headers"] = json!({"Content-Type": "application/vnd.api+json"});
        let (_, _, types, _) = sent(requester.clone()).await;
        assert_eq!(types, ["application/vnd.api+json"], "{requester}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_and_headers_as_mappings_or_as_one_template() {
    let cases = [
        (
            json!({"request_parameters": {"q": "{{ config.day }}", "i": "{{ config.ids }}", "n": "{{ config.none }}"}}),
            "q=2024-01-01&i=1&i=2",
        ),
        (
            json!({"request_parameters": "{{ {'q': config.day, 'i': config.ids, 'n': None, 't': True} }}"}),
            "q=2024-01-01&i=1&i=2&t=True",
        ),
        (json!({"request_parameters": "{% if config.none %}{'a': 1}{% endif %}"}), ""),
        (json!({"path": "items?a=1&b=2", "request_parameters": {"a": "1", "b": "3"}}), "a=1&b=2&b=3"),
    ];
    for (requester, query) in cases {
        assert_eq!(sent(requester.clone()).await.1, query, "{requester}");
    }
    let api = api().await;
    let requester = json!({"request_headers": "{{ {'X-Day': config.day, 'X-None': None} }}"});
    let printed = read(&manifest(&[stream("items", requester)]), &json!({"api": api.url, "day": "d1"})).await;
    assert_eq!(printed.ids(), [1], "{}", printed.log);
    let seen = api.seen().remove(0);
    assert_eq!((seen.header("x-day"), seen.header("x-none")), (vec!["d1"], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_request_is_an_error_and_sends_nothing() {
    let cases = [
        (json!({"request_parameters": "{{ config.day }}"}), "gives no mapping"),
        (json!({"request_body_json": "{{ config.day }}"}), "neither a mapping nor a JSON object"),
        (json!({"request_body_json": "{{ config.ids }}"}), "gives no mapping"),
        (json!({"request_parameters": "{{ {'a': config.body} }}"}), "cannot be a mapping"),
    ];
    for (mut requester, part) in cases {
        let api = api().await;
        requester["http_method"] = json!("POST");
        let config = json!({"api": api.url, "ids": [1, 2], "body": {"a": 1}, "day": "2024-01-01"});
        let printed = read(&manifest(&[stream("items", requester.clone())]), &config).await;
        assert_eq!((printed.code, api.seen().len()), (Some(1), 0), "{requester}: {}", printed.log);
        assert!(printed.log.contains(part), "{requester}: {}", printed.log);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_meant_is_refused_before_a_run() {
    let cases = [
        (
            json!({"request_body_json": {"a": 1}, "request_body_data": "x"}),
            "both `request_body_data` and `request_body_json`",
        ),
        (
            json!({"request_body_json": {"a": 1}, "request_body": {"type": "RequestBodyPlainText", "value": "x"}}),
            "has both",
        ),
        (
            json!({"request_body": {"type": "RequestBodyXml", "value": "x"}}),
            "the component RequestBodyXml is not supported",
        ),
        (json!({"request_body": {"type": "RequestBodyGraphQL", "value": {"q": "x"}}}), "needs `query`"),
        (json!({"request_body": {"type": "RequestBodyJsonObject", "value": "x"}}), "`value` must be a mapping"),
        (json!({"request_body": {"type": "RequestBodyPlainText"}}), "needs `value`"),
        (json!({"request_parameters": {"f": {"type": "QueryProperties"}}}), "(QueryProperties)"),
        (json!({"read_timeout_in_seconds": 0}), "`read_timeout_in_seconds` must be"),
        (json!({"http_method": "PUT"}), "must be GET or POST"),
    ];
    for (requester, part) in cases {
        let printed = check(&manifest(&[stream("items", requester.clone())])).await;
        assert_eq!(printed.code, Some(2), "{requester}: {}", printed.log);
        assert!(printed.log.contains(part), "{requester}: {}", printed.log);
    }
}
