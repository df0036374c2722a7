//! Pages that never end: an API that pays no heed to the page, or that always names a next one. The stream fails and says why. And totals that
//! are no plain number.

use crate::own_manifest::{Asked, Bench, Said, ids, manifest, of, page_of, pages, stream};
use contract::report::UnitStatus;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The error of a stream whose every answer is made by `answer` from the number of the request, and how many requests there were.
async fn fails(
    paginator: Value,
    fields: Value,
    answer: impl Fn(usize) -> Value + Send + Sync + 'static,
) -> (String, usize) {
    let times = AtomicUsize::new(0);
    let bench = Bench::new(&manifest(&[stream("rows", &json!({"paginator": paginator}), &fields)], 1), move |_| {
        Said::ok(&answer(times.fetch_add(1, Ordering::Relaxed)))
    })
    .await;
    let report = bench.extract().await;
    let unit = of(&report, "rows");
    assert_eq!(unit.status, UnitStatus::Failed, "{unit:?}");
    (unit.error.clone().unwrap(), bench.asked().len())
}

/// The same three rows, with a link that is signed anew each time.
fn signed(request: usize) -> Vec<Value> {
    (0..3).map(|id| json!({"id": id, "avatar": format!("https://cdn.example/{id}?sig={request}")})).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_come_again_with_a_new_signature_end_the_stream() {
    let mut told = pages(3);
    told["x-total"] = json!("{{ response.total }}");
    for paginator in [pages(3), told] {
        let (error, requests) =
            fails(paginator, json!({}), |request| json!({"items": signed(request), "total": 3})).await;
        assert!(error.contains("the same keys as an earlier one"), "{error}");
        assert!(requests < 20, "{requests}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_has_the_keys_of_an_earlier_one_is_doubted_once_and_reading_goes_on() {
    // So many rows come in before the third page as one page holds.
    for signs in [true, false] {
        let answer = move |asked: &Asked| {
            let page = asked.number("page");
            let first = [0, 3, 3, 6, 9][page.min(4)];
            let row = |id: usize| json!({"id": id, "link": if signs { page } else { 0 }});
            Said::ok(&json!({"items": (first..(first + 3).min(8)).map(row).collect::<Vec<_>>()}))
        };
        let bench =
            Bench::new(&manifest(&[stream("rows", &json!({"paginator": pages(3)}), &json!({}))], 1), answer).await;
        let report = bench.extract().await;
        if !signs {
            // The very same page may be an old one out of a cache.
            let error = of(&report, "rows").error.clone().unwrap_or_default();
            assert!(error.contains("a page repeats an earlier one"), "{report:?}");
            continue;
        }
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!((batch.stable, records.len()), (false, 11), "{report:?}");
        let warnings = of(&report, "rows").warnings.join("\n");
        assert!(warnings.contains("page 3 holds the same keys as an earlier one"), "{warnings}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn far_more_rows_than_the_total_end_the_stream() {
    let mut paginator = pages(1000);
    paginator["x-total"] = json!("{{ response.total }}");
    // Without a key nothing tells these rows apart.
    let (error, requests) = fails(paginator, json!({"primary_key": []}), |request| {
        let rows: Vec<Value> = (0..1000).map(|row| json!({"v": format!("{request}-{row}")})).collect();
        json!({"items": rows, "total": 3})
    })
    .await;
    assert!(error.contains("the API tells a total of 3 records, but has given 11000 and goes on"), "{error}");
    assert!(requests < 30, "{requests}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_pages_with_ever_new_tokens_end_the_stream() {
    let paginator = json!({
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "after"},
        "pagination_strategy": {"type": "CursorPagination", "cursor_value": "{{ response.next }}"},
    });
    let (error, requests) =
        fails(paginator, json!({}), |request| json!({"items": [], "next": format!("t{request}")})).await;
    assert!(error.contains("1000 pages in a row hold no records"), "{error}");
    assert_eq!(requests, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_total_is_read_where_it_is_a_whole_number() {
    let rows: Vec<Value> = (0..25).map(|id| json!({"id": id})).collect();
    for (total, is_usable) in [
        (json!(25), true),
        (json!(25.0), true),
        (json!("25"), true),
        (json!(" 25 "), true),
        (json!("25+"), false),
        (json!(25.5), false),
        (Value::Null, false),
        (json!("many"), false),
    ] {
        let mut paginator = pages(10);
        paginator["x-total"] = json!("{{ response.count }}");
        let (rows, told) = (rows.clone(), total.clone());
        let answer = move |asked: &Asked| {
            let mut page = page_of(&rows, asked, 10);
            page["count"] = told.clone();
            Said::ok(&page)
        };
        let bench =
            Bench::new(&manifest(&[stream("rows", &json!({"paginator": paginator}), &json!({}))], 1), answer).await;
        let report = bench.extract().await;
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!((batch.stable, ids(&records).len()), (is_usable, 25), "{total}: {report:?}");
        let warnings = of(&report, "rows").warnings.join("\n");
        assert_eq!(warnings.contains("which is no whole number"), !is_usable, "{total}: {warnings}");
        assert!(!warnings.contains("shifted"), "{total}: {warnings}");
    }
}
