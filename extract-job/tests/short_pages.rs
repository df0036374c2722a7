//! Pages that are shorter than was asked for: an API may cap the size. The first short page of a stream is not believed where nothing else
//! tells that it is the last; what is found out serves all slices of the run.

use crate::own_manifest::{Asked, Bench, Said, ids, manifest, of, pages, stream};
use contract::report::UnitStatus;
use serde_json::{Value, json};

fn offsets(size: usize) -> Value {
    json!({
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "offset"},
        "page_size_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "limit"},
        "pagination_strategy": {"type": "OffsetIncrement", "page_size": size},
    })
}

/// What an API does with a request for a page beyond its last.
#[derive(Debug, Clone, Copy)]
enum Beyond {
    Empty,
    Status(u16),
    SamePage,
    TellsNothing,
}

/// The rows of one page, whatever size is asked for.
fn capped(asked: &Asked, rows: usize, cap: usize, beyond: Beyond) -> Said {
    let start = match asked.get("offset") {
        "" if asked.get("page").is_empty() => 0,
        "" => asked.number("page") * cap,
        offset => offset.parse().unwrap(),
    };
    if start >= rows && rows > 0 {
        return match beyond {
            Beyond::Empty => Said::ok(&json!({"items": []})),
            Beyond::Status(status) => Said::status(status),
            Beyond::SamePage => page(rows.saturating_sub(1) / cap * cap, rows),
            Beyond::TellsNothing => Said::ok(&json!({})),
        };
    }
    page(start.min(rows), (start + cap).min(rows))
}

fn page(from: usize, to: usize) -> Said {
    Said::ok(&json!({"items": (from..to).map(|id| json!({"id": id})).collect::<Vec<_>>()}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capped_size_loses_no_rows_and_a_kept_one_costs_one_request() {
    // How many rows there are, the size that the API gives at most of 50, and the requests.
    let cases = [(3, 50, 2), (50, 50, 2), (70, 50, 2), (43, 10, 5), (40, 10, 5), (20, 20, 2), (0, 50, 1), (7, 1, 8)];
    for paginator in [pages(50), offsets(50)] {
        for beyond in [Beyond::Empty, Beyond::Status(404), Beyond::Status(400), Beyond::SamePage, Beyond::TellsNothing]
        {
            for (rows, cap, requests) in cases {
                let mut paginator = paginator.clone();
                paginator["x-read-ahead"] = json!(1);
                let retriever = json!({"paginator": paginator});
                let bench = Bench::new(&manifest(&[stream("rows", &retriever, &json!({}))], 1), move |asked| {
                    capped(asked, rows, cap, beyond)
                })
                .await;
                let report = bench.extract().await;
                let unit = of(&report, "rows");
                let context = format!("{rows} rows, cap {cap}, {beyond:?}, {paginator}");
                // An empty page is no end where the page before was a full one.
                if unit.status == UnitStatus::Failed {
                    let is_full_last =
                        rows % cap == 0 && rows > 0 && !matches!(beyond, Beyond::Empty | Beyond::TellsNothing);
                    assert!(is_full_last, "{context}: {unit:?}");
                    continue;
                }
                let (batch, records) = bench.records(&report.run_id, "rows").await;
                assert_eq!(ids(&records), (0..rows as i64).collect::<Vec<_>>(), "{context}");
                let vague = matches!(beyond, Beyond::TellsNothing);
                assert!(batch.stable || (vague && (rows == 0 || rows % cap == 0)), "{context}: {unit:?}");
                let asked = bench.asked().len();
                assert!(asked == requests || (vague && asked <= requests + 1), "{asked} requests: {context}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_several_sizes_are_read_to_an_empty_one() {
    // The API filters after it has cut its pages.
    let sizes = [37, 41, 12, 50, 3, 0];
    let bench =
        Bench::new(&manifest(&[stream("rows", &json!({"paginator": pages(100)}), &json!({}))], 1), move |asked| {
            let at = asked.number("page").min(sizes.len() - 1);
            let from: usize = sizes[..at].iter().sum();
            page(from, from + sizes[at])
        })
        .await;
    let report = bench.extract().await;
    let (_, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!(ids(&records), (0..143).collect::<Vec<i64>>(), "{report:?}");
    assert_eq!(bench.asked().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_slice_has_shown_serves_all_of_the_run() {
    let groups: Vec<String> = (0..12).map(|group| group.to_string()).collect();
    let router = json!({
        "type": "ListPartitionRouter", "values": groups, "cursor_field": "group",
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    });
    // The rows of each group, the cap, and how many requests are made more than one for each page.
    for (rows, cap, more) in [(7, 50, 1), (30, 50, 1), (25, 10, 0)] {
        let mut paginator = pages(50);
        paginator["x-read-ahead"] = json!(1);
        let retriever = json!({"paginator": paginator, "partition_router": router});
        let bench = Bench::new(&manifest(&[stream("rows", &retriever, &json!({}))], 4), move |asked| {
            let start = asked.number("page") * cap;
            let first = asked.number("group") * 1000;
            if start >= rows {
                Said::ok(&json!({"items": []}))
            } else {
                page(first + start, first + (start + cap).min(rows))
            }
        })
        .await;
        let report = bench.extract().await;
        let (_, records) = bench.records(&report.run_id, "rows").await;
        let expected: Vec<i64> =
            (0..12).flat_map(|group| (0..rows as i64).map(move |row| group * 1000 + row)).collect();
        let mut found = ids(&records);
        found.sort_unstable();
        assert_eq!(found, expected, "{report:?}");
        assert_eq!(bench.asked().len(), 12 * rows.div_ceil(cap) + more, "{rows} rows, cap {cap}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_is_read_ahead_by_its_own_size() {
    // 40 pages of 10 where 100 are asked for.
    for told in [false, true] {
        let mut paginator = offsets(100);
        if told {
            paginator["x-total"] = json!("{{ response.total }}");
        }
        let bench =
            Bench::new(&manifest(&[stream("rows", &json!({"paginator": paginator}), &json!({}))], 8), move |asked| {
                let mut said: Value = serde_json::from_str(&capped(asked, 400, 10, Beyond::Empty).body).unwrap();
                said["total"] = json!(400);
                Said::ok(&said).after(20)
            })
            .await;
        let report = bench.extract().await;
        let (_, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!(ids(&records), (0..400).collect::<Vec<i64>>());
        assert!(bench.asked().len() <= 50, "{} requests, told: {told}", bench.asked().len());
        assert!(bench.most_at_once() >= 6, "{} at once, told: {told}", bench.most_at_once());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_api_tells_what_follows_nothing_more_is_asked() {
    let (mut by_total, mut by_more) = (pages(50), pages(50));
    by_total["x-total"] = json!("{{ response.total }}");
    by_more["x-has-more"] = json!("{{ response.more }}");
    for paginator in [by_total, by_more] {
        let bench = Bench::new(&manifest(&[stream("rows", &json!({"paginator": paginator}), &json!({}))], 1), |_| {
            Said::ok(&json!({"items": [{"id": 1}], "total": 1, "more": false}))
        })
        .await;
        bench.extract().await;
        assert_eq!(bench.asked().len(), 1);
    }
}
