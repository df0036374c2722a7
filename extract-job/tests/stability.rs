//! What may be taken for gone: a snapshot is stable only where nothing speaks against it, and what makes one doubtful does not hold up
//! those who read changes alone.

use crate::own_manifest::{Asked, Bench, Said, cursor, ids, manifest, of, page_of, pages, requester, stream};
use chrono::{TimeDelta, Utc};
use contract::batch::BatchMode;
use contract::report::UnitStatus;
use serde_json::{Value, json};
use std::sync::Mutex;

const START: &str = "2026-01-01T00:00:00Z";

fn ignoring(path: &str, codes: &Value) -> Value {
    let filter = json!({"type": "HttpResponseFilter", "http_codes": codes, "action": "IGNORE"});
    requester(path, &json!({"error_handler": {"type": "DefaultErrorHandler", "response_filters": [filter]}}))
}

fn groups(names: &[&str]) -> Value {
    json!({
        "type": "ListPartitionRouter", "values": names, "cursor_field": "group",
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_is_passed_over_is_no_proof_that_rows_are_gone() {
    // The answer for the second group; whether its rows may be taken for gone; whether the state may move on.
    for (status, stable, moves) in [(404, true, true), (410, true, true), (403, false, true), (500, false, false)] {
        let retriever = |name: &str| {
            let requester = ignoring(name, &json!([403, 404, 410, 500]));
            json!({"requester": requester, "partition_router": groups(&["a", "b"]), "paginator": pages(10)})
        };
        let cursor = json!({"incremental_sync": cursor(START, &json!({}))});
        let streams = [stream("all", &retriever("all"), &json!({})), stream("new", &retriever("new"), &cursor)];
        let bench = Bench::new(&manifest(&streams, 2), move |asked| match asked.get("group") {
            "a" => Said::ok(&page_of(&[json!({"id": 1, "at": "2026-01-02T00:00:00Z"})], asked, 10)),
            _ => Said::status(status),
        })
        .await;
        let report = bench.extract().await;
        let (batch, records) = bench.records(&report.run_id, "all").await;
        assert_eq!((batch.mode, batch.stable, ids(&records)), (BatchMode::Snapshot, stable, vec![1]), "{status}");
        assert_eq!(of(&report, "all").warnings.is_empty(), stable, "{status}: {report:?}");
        let (batch, records) = bench.records(&report.run_id, "new").await;
        assert_eq!((batch.state_after.is_some(), ids(&records)), (moves, vec![1]), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_by_a_cursor_holds_what_changes_while_it_is_read() {
    let at = |minutes: i64| (Utc::now() + TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    // The second row changes a little after the run has begun.
    let rows = [json!({"id": 1, "at": "2026-01-02T00:00:00Z"}), json!({"id": 2, "at": at(5)})];
    let fields = json!({"incremental_sync": cursor(START, &json!({"step": "P30D", "cursor_granularity": "PT1S"}))});
    let bench = Bench::new(&manifest(&[stream("all", &json!({}), &fields)], 2), move |asked| {
        let is_asked_for =
            |row: &&Value| (asked.get("since")..=asked.get("until")).contains(&row["at"].as_str().unwrap());
        Said::ok(&json!({"items": rows.iter().filter(is_asked_for).collect::<Vec<_>>()}))
    })
    .await;
    let report = bench.extract().await;
    let (batch, records) = bench.records(&report.run_id, "all").await;
    assert_eq!((batch.mode, ids(&records)), (BatchMode::Incremental, vec![1]), "what is new ends now");
    bench.write_pipeline(&json!({"source": {"streams": [{"name": "all", "mode": "snapshot"}]}}));
    let report = bench.extract().await;
    let (batch, records) = bench.records(&report.run_id, "all").await;
    assert_eq!((batch.mode, batch.state_after), (BatchMode::Snapshot, None));
    assert!(!batch.stable || ids(&records) == [1, 2], "the second row would be taken for gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parents_that_are_not_whole_do_not_hold_up_children_that_read_changes() {
    // A parent that ends in the past, or of which one part is forbidden for good.
    let yesterday = json!({"end_datetime": "{{ day_delta(-1, '%Y-%m-%dT%H:%M:%SZ') }}"});
    let past = stream("parents", &json!({}), &json!({"incremental_sync": cursor(START, &yesterday)}));
    let retriever =
        json!({"requester": ignoring("parents", &json!([403])), "partition_router": groups(&["a", "forbidden"])});
    for parent in [past, stream("parents", &retriever, &json!({}))] {
        let router = json!({"type": "SubstreamPartitionRouter", "parent_stream_configs": [
            {"type": "ParentStreamConfig", "stream": parent, "parent_key": "id", "partition_field": "parent"},
        ]});
        let fields = json!({"incremental_sync": cursor(START, &json!({}))});
        let child = stream("children", &json!({"partition_router": router}), &fields);
        let bench = Bench::new(&manifest(&[child], 2), |asked| match (asked.path.as_str(), asked.get("group")) {
            (_, "forbidden") => Said::status(403),
            _ => Said::ok(&json!({"items": [{"id": 1, "at": "2026-01-03T00:00:00Z"}]})),
        })
        .await;
        let report = bench.extract().await;
        assert_eq!(of(&report, "children").status, UnitStatus::Done, "{report:?}");
        let state = bench.batch(&report.run_id, "children").await.unwrap().state_after.expect("the state moves on");
        assert_eq!(state["state"], json!({"at": "2026-01-03T00:00:00Z"}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_is_split_beside_one_that_is_read_again_loses_nothing() {
    let filter = json!({"type": "HttpResponseFilter", "http_codes": [413], "action": "SPLIT_REQUEST_WINDOW"});
    let handler = json!({"error_handler": {"type": "DefaultErrorHandler", "response_filters": [filter]}});
    let mut paginator = pages(5);
    (paginator["x-total"], paginator["x-read-ahead"]) = (json!("{{ response.total }}"), json!(1));
    let retriever = json!({
        "requester": requester("rows", &handler), "paginator": paginator,
        "request_window_splitting": {"type": "RequestWindowSplitting"},
    });
    let windows = json!({"end_datetime": "2026-01-05T00:00:00Z", "step": "P2D", "cursor_granularity": "PT1S"});
    let stream = stream("rows", &retriever, &json!({"incremental_sync": cursor(START, &windows)}));
    // Twelve rows a day.
    let rows: Vec<Value> =
        (0..48).map(|n| json!({"id": n, "at": format!("2026-01-{:02}T{:02}:00:00Z", 1 + n / 12, n % 12)})).collect();
    let readings = Mutex::new(0);
    let bench = Bench::new(&manifest(&[stream], 2), move |asked: &Asked| {
        let fits = |row: &&Value| (asked.get("since")..=asked.get("until")).contains(&row["at"].as_str().unwrap());
        let found: Vec<Value> = rows.iter().filter(fits).cloned().collect();
        let mut page = page_of(&found, asked, 5);
        if asked.get("since").starts_with("2026-01-01") {
            // The total falls while the first window is read for the first time.
            let mut readings = readings.lock().unwrap();
            *readings += usize::from(asked.number("page") == 0);
            if *readings == 1 && asked.number("page") > 0 {
                page["total"] = json!(found.len() - 1);
            }
            return Said::ok(&page);
        }
        // Meanwhile the second window turns out to be too large.
        if found.len() > 12 && asked.number("page") > 1 { Said::status(413).after(300) } else { Said::ok(&page) }
    })
    .await;
    let report = bench.extract().await;
    assert_eq!(of(&report, "rows").status, UnitStatus::Done, "{report:?}");
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!(ids(&records), (0..48).collect::<Vec<_>>());
    assert_eq!(batch.state_after, Some(json!({"at": "2026-01-04T11:00:00Z"})));
    let first = |asked: &&Asked| asked.get("since").starts_with("2026-01-01") && asked.number("page") == 0;
    assert_eq!(bench.asked().iter().filter(first).count(), 2, "it was read again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_tells_its_total_need_not_be_read_to_its_end() {
    let mut paginator = pages(3);
    (paginator["x-total"], paginator["x-read-ahead"]) = (json!("{{ response.total }}"), json!(1));
    let fields = json!({"incremental_sync": cursor(START, &json!({"is_data_feed": true}))});
    let rows: Vec<Value> =
        (1..=20).rev().map(|day| json!({"id": day, "at": format!("2026-01-{day:02}T00:00:00Z")})).collect();
    let stream = stream("rows", &json!({ "paginator": paginator }), &fields);
    let bench = Bench::new(&manifest(&[stream], 2), move |asked| Said::ok(&page_of(&rows, asked, 3))).await;
    bench.set_checkpoint("rows", json!({"at": "2026-01-16T00:00:00Z"})).await;
    let report = bench.extract().await;
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!((ids(&records), bench.asked().len()), ((16..=20).collect(), 2));
    assert_eq!(batch.state_after, Some(json!({"at": "2026-01-20T00:00:00Z"})));
    assert_eq!(of(&report, "rows").warnings, Vec::<String>::new());
}
