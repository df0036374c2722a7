//! Answers with a status of success that are no page: errors in disguise, bodies of another kind, answers that tell nothing. Each at every
//! place of a slice, for every way of paging, in snapshots and in incremental streams; once, as a hiccup, or for good.

use crate::own_manifest::{Asked, Bench, Said, cursor, ids, manifest, of, pages, stream};
use contract::report::UnitStatus;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;

const ROWS: usize = 25;
const SIZE: usize = 10;
const START: &str = "2026-01-01T00:00:00Z";

/// Status, body, and whether the answer tells nothing instead of an error.
const ANSWERS: [(u16, &str, bool); 24] = [
    (200, r#"{"items": null, "errors": [{"message": "Throttled"}]}"#, false),
    (200, r#"{"data": null, "errors": [{"message": "Throttled"}]}"#, false),
    (200, r#"{"items": [], "error": {"message": "try later"}}"#, false),
    (200, r#"{"error": {"code": 429, "message": "rate limit exceeded"}}"#, false),
    (200, r#"{"success": false, "items": null}"#, false),
    (200, r#"{"success": false, "items": []}"#, false),
    (200, r#"{"status": "error", "code": 500}"#, false),
    (200, r#"{"fault": {"faultstring": "quota"}}"#, false),
    (200, r#"{"Message": "throttled"}"#, false),
    (200, r#"{"errorMessage": "no"}"#, false),
    (200, r#"[{"errorCode": "LIMIT", "message": "too many"}]"#, false),
    (200, "null", false),
    (200, "0", false),
    (200, "false", false),
    (200, "\"busy\"", false),
    (200, r#"["error"]"#, false),
    (200, "[]", false),
    (200, r#"{"items": "busy"}"#, false),
    (200, r#"{"items": ["busy", "later"]}"#, false),
    (202, r#"{"status": "pending"}"#, false),
    (206, r#"{"items": [{"id": 99, "at": "2026-01-02T00:00:00Z"}]}"#, false),
    (200, "{}", true),
    (200, r#"{"items": null}"#, true),
    (200, r#"{"items": {}, "page": 1}"#, true),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Paging {
    Pages,
    Offsets,
    Tokens,
}

impl Paging {
    fn paginator(self) -> Value {
        let option =
            |name: &str| json!({"type": "RequestOption", "inject_into": "request_parameter", "field_name": name});
        match self {
            Self::Pages => pages(SIZE),
            Self::Offsets => json!({
                "type": "DefaultPaginator", "page_token_option": option("offset"),
                "pagination_strategy": {"type": "OffsetIncrement", "page_size": SIZE, "inject_on_first_request": true},
            }),
            Self::Tokens => json!({
                "type": "DefaultPaginator", "page_token_option": option("after"),
                "pagination_strategy": {
                    "type": "CursorPagination", "cursor_value": "{{ response.next }}",
                    "stop_condition": "{{ not response.next }}",
                },
            }),
        }
    }

    fn page(self, asked: &Asked) -> usize {
        match self {
            Self::Pages => asked.number("page"),
            Self::Offsets => asked.number("offset") / SIZE,
            Self::Tokens => asked.number("after"),
        }
    }
}

fn page(number: usize) -> Value {
    let first = (number * SIZE).min(ROWS);
    let last = (first + SIZE).min(ROWS);
    let row = |id: usize| json!({"id": id, "at": format!("2026-01-{:02}T00:00:00Z", 1 + id)});
    let next = if last < ROWS { json!((number + 1).to_string()) } else { Value::Null };
    json!({"items": (first..last).map(row).collect::<Vec<_>>(), "next": next})
}

/// A stream for each answer, at each page, once and for good: `a<answer>_<page>_<once or always>`.
fn streams(paging: Paging, incremental: bool) -> Vec<Value> {
    let fields = if incremental { json!({"incremental_sync": cursor(START, &json!({}))}) } else { json!({}) };
    let names = (0..ANSWERS.len()).flat_map(|answer| {
        (0..3).flat_map(move |page| ["once", "always"].map(|how| format!("a{answer}_{page}_{how}")))
    });
    names.map(|name| stream(&name, &json!({"paginator": paging.paginator()}), &fields)).collect()
}

fn parts(name: &str) -> (usize, usize, bool) {
    let mut parts = name.trim_start_matches(['/', 'a']).split('_');
    let mut number = || parts.next().unwrap().parse().unwrap();
    let (answer, page) = (number(), number());
    (answer, page, name.ends_with("always"))
}

async fn check(paging: Paging, incremental: bool) {
    let times: Mutex<HashMap<String, usize>> = Mutex::default();
    let streams = streams(paging, incremental);
    let bench = Bench::new(&manifest(&streams, 4), move |asked| {
        let (answer, at, lasts) = parts(&asked.path);
        let now = paging.page(asked);
        let mut times = times.lock().unwrap();
        let before = times.entry(format!("{} {now}", asked.path)).or_default();
        *before += 1;
        if now == at && (lasts || *before == 1) {
            let (status, body, _) = ANSWERS[answer];
            return Said { status, body: body.to_owned(), ..Said::ok(&json!({})) };
        }
        Said::ok(&page(now))
    })
    .await;
    let report = bench.extract().await;
    for stream in &streams {
        let name = stream["name"].as_str().unwrap();
        let (answer, at, lasts) = parts(name);
        let (status, body, is_vague) = ANSWERS[answer];
        let context = format!("{paging:?}, incremental: {incremental}, page {at}, lasts: {lasts}: {status} {body}");
        let unit = of(&report, name);
        if lasts && !is_vague {
            assert_eq!(unit.status, UnitStatus::Failed, "{context}");
            let error = unit.error.as_deref().unwrap_or_default();
            assert!(error.contains("answer") && error.contains("tries"), "{context}: {error}");
            assert!(bench.batch(&report.run_id, name).await.is_none(), "{context}");
            continue;
        }
        assert_eq!(unit.status, UnitStatus::Done, "{context}: {:?}", unit.error);
        let (batch, records) = bench.records(&report.run_id, name).await;
        let rows = if lasts { at * SIZE } else { ROWS };
        assert_eq!(ids(&records), (0..rows as i64).collect::<Vec<_>>(), "{context}");
        assert_eq!(batch.state_after.is_some(), incremental, "{context}");
        if !incremental {
            assert_eq!(batch.stable, !lasts, "{context}: {:?}", unit.warnings);
        }
        let names_the_remedy = unit.warnings.iter().any(|warning| warning.contains("`x-empty-when`"));
        assert_eq!(names_the_remedy, lasts, "{context}: {:?}", unit.warnings);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_by_page_numbers() {
    check(Paging::Pages, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_by_offsets() {
    check(Paging::Offsets, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_by_tokens() {
    check(Paging::Tokens, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_stream_by_page_numbers() {
    check(Paging::Pages, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_stream_by_offsets() {
    check(Paging::Offsets, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_stream_by_tokens() {
    check(Paging::Tokens, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_elsewhere_fail_the_stream_at_once_and_are_named() {
    let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &json!({}))], 2), |_| {
        Said::ok(&json!({"data": {"items": [{"id": 1}, {"id": 2}]}}))
    })
    .await;
    let report = bench.extract().await;
    let error = of(&report, "rows").error.clone().unwrap_or_default();
    assert!(error.contains("`items` is not in the answer; it has `data.items` (2 objects)"), "{error}");
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_tells_nothing_is_asked_for_twice_but_only_once_in_a_run() {
    let router = json!({
        "type": "ListPartitionRouter", "values": ["a", "b", "c"], "cursor_field": "group",
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    });
    let retriever = json!({"partition_router": router});
    let bench =
        Bench::new(&manifest(&[stream("rows", &retriever, &json!({}))], 1), |_| Said::ok(&json!({"items": null})))
            .await;
    let report = bench.extract().await;
    assert_eq!(of(&report, "rows").status, UnitStatus::Done);
    assert_eq!(bench.asked().len(), 4, "the first partition's twice, the others' once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manifest_can_say_what_an_empty_list_looks_like() {
    let kinds = [
        json!({"type": "DpathExtractor", "field_path": ["items"]}),
        json!({
            "type": "CustomRecordExtractor", "class_name": "extract_job.Unnest", "field_path": ["items"],
            "levels": [{"field": "lines"}],
        }),
        json!({
            "type": "CustomRecordExtractor", "class_name": "extract_job.FieldsAndRows", "rows_path": ["items"],
            "fields_path": ["fields"],
        }),
    ];
    for mut extractor in kinds {
        extractor["x-empty-when"] = json!("{{ response.count == 0 }}");
        let retriever = json!({"record_selector": {"type": "RecordSelector", "extractor": extractor}});
        let stream = stream("rows", &retriever, &json!({}));
        let bench =
            Bench::new(&manifest(&[stream], 1), |_| Said::ok(&json!({"count": 0, "message": "nothing found"}))).await;
        let report = bench.extract().await;
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert!(batch.stable && records.is_empty() && of(&report, "rows").warnings.is_empty(), "{report:?}");
        assert_eq!(bench.asked().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_without_a_line_is_an_empty_list() {
    for path in [json!([]), json!(["data"])] {
        let extractor = json!({"type": "DpathExtractor", "field_path": path});
        let selector = json!({"type": "RecordSelector", "extractor": extractor});
        let retriever = json!({"decoder": {"type": "JsonlDecoder"}, "record_selector": selector});
        let said = |_: &_| Said { body: String::new(), ..Said::ok(&json!(null)) };
        let bench = Bench::new(&manifest(&[stream("rows", &retriever, &json!({}))], 1), said).await;
        let report = bench.extract().await;
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert!(batch.stable && records.is_empty() && of(&report, "rows").warnings.is_empty(), "{path}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_order_mark_is_no_error() {
    let said = |_: &_| Said { body: "\u{feff}{\"items\": [{\"id\": 1}]}".to_owned(), ..Said::ok(&json!(null)) };
    let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &json!({}))], 1), said).await;
    let report = bench.extract().await;
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!((batch.stable, ids(&records)), (true, vec![1]), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_nested_too_deeply_fails_at_the_first_answer() {
    let deep = format!("{{\"items\": [{{\"id\": 1, \"x\": {}{}}}]}}", "[".repeat(130), "]".repeat(130));
    let said = move |_: &_| Said { body: deep.clone(), ..Said::ok(&json!(null)) };
    let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &json!({}))], 1), said).await;
    let report = bench.extract().await;
    let unit = of(&report, "rows");
    assert_eq!(unit.status, UnitStatus::Failed);
    let error = unit.error.as_deref().unwrap_or_default();
    assert!(error.ends_with("the body is nested more than 127 levels deep at byte 151"), "{error}");
    assert_eq!(bench.asked().len(), 1, "no other try would bring another body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_names_an_answer_goes_first() {
    let filter = json!({"type": "HttpResponseFilter", "predicate": "{{ 'error' in response }}", "action": "IGNORE"});
    let handler = json!({"error_handler": {"type": "DefaultErrorHandler", "response_filters": [filter]}});
    let retriever = json!({"requester": crate::own_manifest::requester("rows", &handler)});
    let bench = Bench::new(&manifest(&[stream("rows", &retriever, &json!({}))], 1), |_| {
        Said::ok(&json!({"error": "no such module"}))
    })
    .await;
    let report = bench.extract().await;
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert!(!batch.stable && records.is_empty(), "it is passed over, and proves nothing");
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_in_one_window_does_not_move_the_state_past_it() {
    let windows = json!({"step": "P30D", "cursor_granularity": "PT1S", "end_datetime": "2026-03-31T00:00:00Z"});
    let fields = json!({"incremental_sync": cursor(START, &windows)});
    let faults = Mutex::new(1);
    let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &fields)], 2), move |asked| {
        let mut faults = faults.lock().unwrap();
        if asked.get("since").starts_with("2026-01-31") && *faults > 0 {
            *faults -= 1;
            return Said::ok(&json!({"error": {"code": 429, "message": "rate limit exceeded"}}));
        }
        let rows = (1..=3).map(|month| json!({"id": month, "at": format!("2026-{month:02}-10T00:00:00Z")}));
        let fits = |row: &Value| (asked.get("since")..=asked.get("until")).contains(&row["at"].as_str().unwrap());
        Said::ok(&json!({"items": rows.filter(fits).collect::<Vec<_>>()}))
    })
    .await;
    let report = bench.extract().await;
    let (_, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!(ids(&records), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_no_record_where_the_answer_itself_is_one() {
    // The answer, the stream's key, and whether it is a record.
    let cases = [
        (json!({"id": 1, "status": "error", "message": "the order's own"}), json!("id"), true),
        (json!({"id": 1, "error": "the order's own"}), json!("id"), true),
        (json!({"error": "busy"}), json!("id"), false),
        (json!({"Message": "throttled"}), json!("id"), false),
        (json!({"status": "error", "code": 500}), json!("id"), false),
        (json!({"name": "settings", "status": "error", "message": "an entity's own"}), json!([]), true),
        (json!({"error": {"message": "busy"}}), json!([]), false),
        (json!({"success": false}), json!([]), false),
    ];
    for (answer, key, is_record) in cases {
        let extractor = json!({"type": "DpathExtractor", "field_path": []});
        let retriever = json!({"record_selector": {"type": "RecordSelector", "extractor": extractor}});
        let fields = json!({"primary_key": key});
        let said = answer.clone();
        let bench = Bench::new(&manifest(&[stream("one", &retriever, &fields)], 1), move |_| Said::ok(&said)).await;
        let report = bench.extract().await;
        let status = if is_record { UnitStatus::Done } else { UnitStatus::Failed };
        assert_eq!(of(&report, "one").status, status, "{answer}: {:?}", of(&report, "one"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outer_record_without_inner_ones_may_tell_an_error() {
    let unnest = json!({
        "type": "CustomRecordExtractor", "class_name": "extract_job.Unnest", "field_path": ["data"],
        "levels": [{"field": "rows"}],
    });
    let retriever = json!({"record_selector": {"type": "RecordSelector", "extractor": unnest}});
    for (answer, is_page) in [
        (json!({"data": [{"rows": [{"id": 1}]}]}), true),
        (json!({"data": [{"rows": []}]}), true),
        (json!({"data": [{}], "error": "busy"}), false),
    ] {
        let said = answer.clone();
        let bench = Bench::new(&manifest(&[stream("rows", &retriever, &json!({}))], 1), move |_| Said::ok(&said)).await;
        let report = bench.extract().await;
        assert_eq!(of(&report, "rows").status == UnitStatus::Done, is_page, "{answer}: {:?}", of(&report, "rows"));
    }
}
