//! Answers that are large, or that records many times as large are made of: each is bounded by something that has a name.

use crate::own_manifest::{Asked, Bench, Said, manifest, of, requester, stream};
use contract::report::UnitStatus;
use serde_json::{Value, json};
use std::time::Duration;

fn text(status: u16, body: String) -> Said {
    Said { status, body, wait: Duration::ZERO }
}

/// A stream whose error handler has these filters.
fn handled(name: &str, filters: &Value) -> Value {
    let handler = json!({"error_handler": {"type": "DefaultErrorHandler", "response_filters": filters}});
    stream(name, &json!({"requester": requester(name, &handler)}), &json!({}))
}

fn filter(fields: &Value) -> Value {
    let mut filter = json!({"type": "HttpResponseFilter"});
    filter.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    filter
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_beyond_the_bound_fails_its_stream_and_names_the_setting() {
    let page = |_: &Asked| Said::ok(&json!({"items": [{"id": 1, "text": "x".repeat(2 << 20)}]}));
    let bench = Bench::new(&manifest(&[stream("items", &json!({}), &json!({}))], 1), page).await;
    for (most, expected) in
        [(json!(1), UnitStatus::Failed), (json!(3), UnitStatus::Done), (Value::Null, UnitStatus::Done)]
    {
        bench.write_pipeline(&if most.is_null() { json!({}) } else { json!({ "max_page_mib": most }) });
        let report = bench.extract().await;
        let unit = of(&report, "items");
        assert_eq!(unit.status, expected, "{most}: {:?}", unit.error);
        let why = unit.error.clone().unwrap_or_default();
        let named = why.contains("larger than 1 MiB") && why.contains("`max_page_mib`");
        assert_eq!(named, expected == UnitStatus::Failed, "{why}");
    }
    assert_eq!(bench.take_asked().len(), 3, "a page that is too large is not asked for again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_error_no_more_than_its_beginning_is_read() {
    let large = || format!(r#"{{"code": 7, "message": "{}"}}"#, "m".repeat(3 << 20));
    let answer = move |_: &Asked| text(404, large());
    let streams = [
        handled("fails", &json!([])),
        handled("ignored", &json!([filter(&json!({"http_codes": [404], "action": "IGNORE"}))])),
        handled("found", &json!([filter(&json!({"error_message_contains": "mmmm", "action": "IGNORE"}))])),
        handled("taken", &json!([filter(&json!({"http_codes": [404], "action": "SUCCESS"}))])),
    ];
    let bench = Bench::new(&manifest(&streams, 1), answer).await;
    let report = bench.extract().await;
    for (stream, error) in [
        ("fails", Some("the API answered 404")),
        ("ignored", None),
        ("found", None),
        ("taken", Some("the API answered 404 with more than 1 MiB, and of an error no more is read")),
    ] {
        let unit = of(&report, stream);
        assert_eq!(unit.status == UnitStatus::Failed, error.is_some(), "{stream}: {:?}", unit.error);
        assert!(unit.error.as_deref().unwrap_or_default().contains(error.unwrap_or_default()), "{:?}", unit.error);
    }
    assert_eq!(bench.take_asked().len(), 4, "none is tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_find_in_a_large_answer_what_they_look_for() {
    let rows: Vec<Value> = (0..30_000).map(|id| json!({"id": id, "text": "a row like any other"})).collect();
    let answer = move |asked: &Asked| {
        let error = match asked.path.as_str() {
            "/fine" | "/whole_fine" => Value::Null,
            _ => json!({"code": 1001, "message": "too much"}),
        };
        // Beside what no reader of JSON in Python would mind.
        Said::ok(&json!({"items": rows, "error": error, "n": "\u{feff}"}))
    };
    let by_key = json!([filter(&json!({
        "predicate": "{{ (response.error or {}).code in [1001] and 'items' in response }}", "action": "FAIL",
        "error_message": "refused: {{ response.error.message }} ({{ response.get('error').code }})",
    }))]);
    let by_whole = json!([filter(&json!({
        "predicate": "{% for key in response %}{{ 'x' if response[key] is mapping }}{% endfor %}", "action": "FAIL",
        "error_message": "refused: {{ response['error']['message'] }} ({{ response.error.code }})",
    }))]);
    let streams = [
        handled("fine", &by_key),
        handled("refused", &by_key),
        handled("whole_fine", &by_whole),
        handled("whole_refused", &by_whole),
        handled("contains", &json!([filter(&json!({"error_message_contains": "too much", "action": "FAIL"}))])),
    ];
    let bench = Bench::new(&manifest(&streams, 1), answer).await;
    let report = bench.extract().await;
    for (stream, error) in [
        ("fine", None),
        ("refused", Some("refused: too much (1001)")),
        ("whole_fine", None),
        ("whole_refused", Some("refused: too much (1001)")),
        ("contains", Some("too much")),
    ] {
        let unit = of(&report, stream);
        assert_eq!(unit.status == UnitStatus::Done, error.is_none(), "{stream}: {:?}", unit.error);
        assert!(unit.error.as_deref().unwrap_or_default().contains(error.unwrap_or_default()), "{:?}", unit.error);
        assert_eq!(unit.rows_extracted, if error.is_none() { 30_000 } else { 0 }, "{stream}");
    }
}

/// Two lists in an answer: each of their items gets a megabyte along.
fn nest() -> Value {
    let rows = |from: usize| (from..from + 12).map(|n| json!({"n": n, "mail": "a@b.example"})).collect::<Vec<_>>();
    let item = |id: usize, from: usize| json!({"id": id, "big": "x".repeat(1 << 20), "rows": rows(from)});
    json!({"items": [item(1, 0), item(2, 12)], "next": null})
}

fn unnested(name: &str, fields: &Value) -> Value {
    let extractor = json!({
        "type": "CustomRecordExtractor", "class_name": "extract_job.Unnest", "field_path": ["items"],
        "levels": [{"field": "rows", "carry": {"big": "big", "of": "id"}, "index": "i"}],
    });
    let mut selector = json!({"type": "RecordSelector", "extractor": extractor});
    selector.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    stream(name, &json!({"record_selector": selector}), &json!({"primary_key": "n"}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_made_in_pieces_all_arrive_in_their_order() {
    let filter = json!({"record_filter": {"type": "RecordFilter", "condition": "{{ record.n % 2 == 0 }}"}});
    let streams = [unnested("all", &json!({})), unnested("even", &filter), unnested("hidden", &json!({}))];
    let bench = Bench::new(&manifest(&streams, 1), |_| Said::ok(&nest())).await;
    bench.write_pipeline(&json!({
        "redact_salt": "${env:REDACT_SALT}",
        "source": {"streams": ["all", "even", {"name": "hidden", "redact": {"mail": "hash"}}]},
    }));
    let report = bench.extract().await;
    let numbers = |records: &[Value]| records.iter().map(|r| r["n"].as_u64().unwrap()).collect::<Vec<_>>();
    for (stream, expected) in
        [("all", (0..24).collect::<Vec<_>>()), ("even", (0..24).step_by(2).collect()), ("hidden", (0..24).collect())]
    {
        assert_eq!(of(&report, stream).status, UnitStatus::Done, "{:?}", of(&report, stream).error);
        let (batch, records) = bench.records(&report.run_id, stream).await;
        assert_eq!(numbers(&records), expected, "{stream}");
        assert_eq!(batch.stable, stream != "even", "a filter leaves a doubt: {:?}", batch.evidence);
        for record in &records {
            let (n, of) = (record["n"].as_u64().unwrap(), record["of"].as_u64().unwrap());
            assert_eq!((of, record["i"].as_u64().unwrap()), (1 + n / 12, n % 12), "{stream}");
            assert_eq!(record["big"].as_str().unwrap().len(), 1 << 20);
            assert_eq!(record["mail"] == "a@b.example", stream != "hidden", "{n}: each piece is redacted");
        }
    }
    let report = bench.try_extract(extract_job::Options { limit: Some(7), ..bench.options() }).await.unwrap();
    let (_, records) = bench.records(&report.run_id, "all").await;
    assert_eq!(numbers(&records), (0..7).collect::<Vec<_>>(), "a limit cuts within the pieces");
}
