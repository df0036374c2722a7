//! Cursors that are none, which a run says instead of reading everything for ever; and backfills from APIs that cannot be told an end.

use crate::own_manifest::{Bench, Said, cursor, ids, manifest, of, page_of, stream};
use contract::report::UnitStatus;
use extract_job::Options;
use serde_json::{Value, json};

/// Rows of the first five days of January, at midnight.
fn rows() -> Vec<Value> {
    (1..=5).map(|day| json!({"id": day, "at": format!("2026-01-{day:02}T00:00:00Z")})).collect()
}

async fn bench(cursor: &Value, fields: &Value, rows: Vec<Value>) -> Bench {
    let mut all = json!({ "incremental_sync": cursor });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let stream = stream("rows", &json!({}), &all);
    Bench::new(&manifest(&[stream], 1), move |asked| Said::ok(&page_of(&rows, asked, 100))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_never_moves_is_told() {
    let start = "2026-01-01T00:00:00Z";
    let absent = "no record has a value in the cursor field `modified`";
    let unfit = "no value of the cursor field `at` fits its formats (`%Y-%m-%d`, `%d.%m.%Y`)";
    let formats =
        json!({"datetime_format": "%d.%m.%Y", "cursor_datetime_formats": ["%Y-%m-%d"], "start_datetime": "01.01.2026"});
    let null = vec![json!({"id": 1, "modified": null}), json!({"id": 2})];
    let remove = json!({"transformations": [{"type": "AddFields", "fields": [{"path": ["x"], "value": "1"}]}]});
    for (fields, more, rows, expected) in [
        (json!({}), json!({}), rows(), None),
        (json!({"cursor_field": "modified"}), json!({}), rows(), Some(absent)),
        (json!({"cursor_field": "modified"}), json!({}), null, Some(absent)),
        (json!({"cursor_field": "modified"}), remove, rows(), Some(absent)),
        (json!({"cursor_field": "modified"}), json!({}), vec![], None),
        (json!({"cursor_field": "modified"}), json!({"x-mode": "snapshot"}), rows(), None),
        (json!({"cursor_field": "modified", "is_client_side_incremental": true}), json!({}), rows(), Some(absent)),
        (formats.clone(), json!({}), rows(), Some(unfit)),
        // One value is enough: the state moves.
        (formats, json!({}), [rows(), vec![json!({"id": 9, "at": "2026-02-01"})]].concat(), None),
        // What lies outside of the window can be read all the same.
        (
            json!({"is_client_side_incremental": true, "start_datetime": "2026-01-04T00:00:00Z"}),
            json!({}),
            rows(),
            None,
        ),
        (json!({"is_data_feed": true, "start_datetime": "2026-01-06T00:00:00Z"}), json!({}), rows(), None),
    ] {
        let bench = bench(&cursor(start, &fields), &more, rows).await;
        let report = bench.extract().await;
        let unit = of(&report, "rows");
        assert_eq!(unit.status, UnitStatus::Done, "{:?}", unit.error);
        let told: Vec<&String> = unit.warnings.iter().filter(|text| text.contains("the state does not move")).collect();
        assert_eq!(told.len(), expected.iter().len(), "{fields}: {:?}", unit.warnings);
        assert!(expected.is_none_or(|expected| told[0].starts_with(expected)), "{fields}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_ends_where_it_is_told_to_also_where_the_api_cannot_be() {
    let (from, to) = ("2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z");
    let without_end = json!({ "end_time_option": null });
    let in_the_path = json!({"end_time_option": null, "partition_field_end": "last"});
    let parameters = json!({"until": "{{ stream_slice.last }}"});
    let steps = json!({"end_time_option": null, "step": "P1D", "cursor_granularity": "PT1S"});
    for (fields, requester, expected) in [
        // The API takes an end, and is the one to say what it means.
        (json!({}), json!({}), vec![1, 2, 3, 4, 5]),
        (in_the_path, parameters, vec![1, 2, 3, 4, 5]),
        (without_end.clone(), json!({}), vec![1, 2, 3, 4]),
        (steps, json!({}), [1, 2, 3, 4].into_iter().flat_map(|id| [id; 3]).collect()),
        // Nobody knows when they were changed.
        (json!({"end_time_option": null, "cursor_field": "modified"}), json!({}), vec![1, 2, 3, 4, 5]),
    ] {
        let mut own = cursor("2026-01-01T00:00:00Z", &fields);
        own.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let requester = crate::own_manifest::requester("rows", &json!({ "request_parameters": requester }));
        let stream = stream("rows", &json!({ "requester": requester }), &json!({ "incremental_sync": own }));
        let bench = Bench::new(&manifest(&[stream], 1), move |asked| Said::ok(&page_of(&rows(), asked, 100))).await;
        let range = Some((from.parse().unwrap(), to.parse().unwrap()));
        let report = bench.try_extract(Options { range, ..bench.options() }).await.unwrap();
        let (_, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!(ids(&records), expected, "{fields}");
        // All else is read to its end.
        let report = bench.try_extract(Options { full_refresh: true, ..bench.options() }).await.unwrap();
        assert!(ids(&bench.records(&report.run_id, "rows").await.1).contains(&5), "{fields}");
    }
}
