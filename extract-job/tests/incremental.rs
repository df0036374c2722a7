//! Reading what is new: the state of a stream and of its partitions from run to run, through checkpoints as the load leaves them;
//! feeds that cannot filter by time; parents whose changes alone are followed; windows and pages that have to be read otherwise.

use crate::own_manifest::{Asked, Bench, Said, cursor, ids, manifest, of, page_of, pages, requester, stream};
use contract::batch::BatchMode;
use contract::report::{Remedy, RunReport, UnitStatus};
use extract_job::{Options, Selection};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const START: &str = "2026-01-01T00:00:00Z";

/// What the API has; tests add to it.
type Rows = Arc<Mutex<Vec<Value>>>;

/// A row of a group at an hour of a day in January.
fn row(id: u64, group: &str, day: u64, hour: u64) -> Value {
    json!({"id": id, "group": group, "at": format!("2026-01-{day:02}T{hour:02}:00:00Z")})
}

/// The rows in the span and of the group that are asked for, in their order.
fn found(rows: &Rows, asked: &Asked) -> Vec<Value> {
    let fits = |row: &&Value| {
        let (at, since, until) = (row["at"].as_str().unwrap(), asked.get("since"), asked.get("until"));
        (since.is_empty() || since <= at)
            && (until.is_empty() || at <= until)
            && (asked.get("group").is_empty() || row["group"] == asked.get("group"))
    };
    rows.lock().unwrap().iter().filter(fits).cloned().collect()
}

async fn bench(streams: &[Value], rows: &Rows) -> Bench {
    let rows = rows.clone();
    Bench::new(&manifest(streams, 2), move |asked| Said::ok(&page_of(&found(&rows, asked), asked, 100))).await
}

fn groups(names: &[&str], fields: &Value) -> Value {
    let router = json!({
        "type": "ListPartitionRouter", "values": names, "cursor_field": "group",
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    });
    stream("rows", &json!({"partition_router": router}), &json!({"incremental_sync": cursor(START, fields)}))
}

/// What was asked since the last time: one parameter of each request with another, sorted.
fn taken(bench: &Bench, names: [&str; 2]) -> Vec<[String; 2]> {
    let mut taken: Vec<_> =
        bench.take_asked().iter().map(|asked| names.map(|name| asked.get(name).to_owned())).collect();
    taken.sort();
    taken
}

fn done(report: &RunReport) {
    for unit in &report.units {
        assert_eq!(unit.status, UnitStatus::Done, "{}: {:?}", unit.stream, unit.error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_run_starts_at_the_state_less_the_lookback() {
    let rows: Rows = Arc::new(Mutex::new(vec![row(1, "", 2, 0), row(2, "", 5, 6), row(3, "", 5, 9)]));
    let stream =
        stream("rows", &json!({}), &json!({"incremental_sync": cursor(START, &json!({"lookback_window": "PT4H"}))}));
    let bench = bench(&[stream], &rows).await;
    let report = bench.extract().await;
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!((ids(&records), batch.mode, batch.state_before), (vec![1, 2, 3], BatchMode::Incremental, None));
    assert_eq!(batch.state_after, Some(json!({"at": "2026-01-05T09:00:00Z"})));
    assert_eq!(taken(&bench, ["since", "group"])[0][0], START);

    let report = bench.extract().await;
    assert_eq!(of(&report, "rows").rows_extracted, 3, "what was never loaded is read again");
    bench.checkpoint(&report.run_id, "rows").await;
    bench.take_asked();
    rows.lock().unwrap().push(row(4, "", 7, 1));
    let report = bench.extract().await;
    assert_eq!(taken(&bench, ["since", "group"])[0][0], "2026-01-05T05:00:00Z");
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!(ids(&records), [2, 3, 4]);
    assert_eq!(batch.state_before, Some(json!({"at": "2026-01-05T09:00:00Z"})));
    assert_eq!(batch.state_after, Some(json!({"at": "2026-01-07T01:00:00Z"})));

    for (state, since) in [("2026-01-01T02:00:00Z", START), ("2026-03-01T00:00:00Z", "2026-02-28T20:00:00Z")] {
        bench.set_checkpoint("rows", json!({ "at": state })).await;
        let report = bench.extract().await;
        assert_eq!(taken(&bench, ["since", "group"])[0][0], since, "never before the start");
        let after = bench.batch(&report.run_id, "rows").await.unwrap().state_after.unwrap();
        assert_eq!(after["at"].as_str().unwrap(), state.max("2026-01-07T01:00:00Z"), "never backwards");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_partition_has_a_state_of_its_own() {
    let rows: Rows = Arc::new(Mutex::new(vec![row(1, "a", 3, 0), row(2, "b", 8, 0), row(3, "b", 9, 12)]));
    let lookback = json!({"lookback_window": "PT2H"});
    let bench = bench(&[groups(&["a", "b", "c"], &lookback)], &rows).await;
    let report = bench.extract().await;
    assert_eq!(taken(&bench, ["group", "since"]).len(), 3);
    bench.checkpoint(&report.run_id, "rows").await;
    let state = bench.batch(&report.run_id, "rows").await.unwrap().state_after.unwrap();
    let of_group = |state: &Value, group: &str| {
        let states = state["states"].as_array().unwrap();
        let own: Vec<_> = states.iter().filter(|own| own["partition"] == json!({ "group": group })).collect();
        assert_eq!(own.len(), 1, "{state}");
        own[0]["cursor"]["at"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        ["a", "b", "c"].map(|group| of_group(&state, group)),
        ["2026-01-03T00:00:00Z", "2026-01-09T12:00:00Z", START]
    );
    assert_eq!((&state["state"], &state["use_global_cursor"]), (&json!({"at": "2026-01-09T12:00:00Z"}), &json!(false)));

    // The rows of a group that comes later may be older than all states.
    rows.lock().unwrap().extend([row(4, "a", 4, 0), row(5, "d", 1, 1), row(6, "d", 10, 0)]);
    bench.write_manifest(&manifest(&[groups(&["d", "a", "b"], &lookback)], 2));
    let report = bench.extract().await;
    let expected = [("a", "2026-01-02T22:00:00Z"), ("b", "2026-01-09T10:00:00Z"), ("d", START)];
    assert_eq!(taken(&bench, ["group", "since"]), expected.map(|(group, since)| [group.to_owned(), since.to_owned()]));
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!(ids(&records), [1, 3, 4, 5, 6]);
    let state = batch.state_after.unwrap();
    assert_eq!(
        ["a", "b", "c", "d"].map(|group| of_group(&state, group)),
        ["2026-01-04T00:00:00Z", "2026-01-09T12:00:00Z", START, "2026-01-10T00:00:00Z"],
        "a partition that is not there any more keeps its state"
    );

    let global = json!({"use_global_cursor": true, "state": {"at": "2026-01-08T00:00:00Z"}, "lookback_window": 10_800});
    bench.set_checkpoint("rows", global).await;
    bench.extract().await;
    let since: Vec<String> = taken(&bench, ["group", "since"]).into_iter().map(|[_, since]| since).collect();
    assert_eq!(since, ["2026-01-07T21:00:00Z"; 3], "the longer lookback counts");
}

/// Parents that come one by one, each with children of the days told; the children's cursor is one of its own or, `global`, one for all.
async fn children_of_a_late_parent(global: bool) {
    let parents = Arc::new(Mutex::new(vec![1, 2]));
    let children = |parent: u64| match parent {
        1 => vec![row(1, "", 8, 0)],
        2 => vec![row(2, "", 9, 0)],
        // Older than what the others have.
        _ => vec![row(10 * parent, "", 2, 0), row(10 * parent + 1, "", 9, 12)],
    };
    let parent_stream = stream("parents", &json!({}), &json!({}));
    let router = json!({"type": "SubstreamPartitionRouter", "parent_stream_configs": [
        {"type": "ParentStreamConfig", "stream": parent_stream, "parent_key": "id", "partition_field": "parent",
         "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"}},
    ]});
    let cursor = cursor(START, &json!({ "global_substream_cursor": global }));
    let child = stream("children", &json!({"partition_router": router}), &json!({"incremental_sync": cursor}));
    let now = parents.clone();
    let bench = Bench::new(&manifest(&[child], 2), move |asked| {
        if asked.path.contains("parents") {
            let rows: Vec<Value> = now.lock().unwrap().iter().map(|id| json!({ "id": id })).collect();
            return Said::ok(&page_of(&rows, asked, 100));
        }
        let since = |row: &Value| asked.get("since") <= row["at"].as_str().unwrap();
        let rows: Vec<Value> = children(asked.number("group") as u64).into_iter().filter(since).collect();
        Said::ok(&page_of(&rows, asked, 100))
    })
    .await;
    for (parent, expected) in [(None, vec![1, 2]), (Some(3), vec![30, 31]), (Some(4), vec![40, 41])] {
        parents.lock().unwrap().extend(parent);
        let report = bench.extract().await;
        done(&report);
        let found = ids(&bench.records(&report.run_id, "children").await.1);
        assert!(expected.iter().all(|id| found.contains(id)), "global: {global}, parent {parent:?}: {found:?}");
        bench.checkpoint(&report.run_id, "children").await;
    }
    // Who is known is read from where it was.
    bench.take_asked();
    bench.extract().await;
    let since = taken(&bench, ["since", "group"]).into_iter().filter(|[_, group]| !group.is_empty());
    assert!(
        since.clone().count() == 4 && since.into_iter().all(|[since, _]| since.as_str() > START),
        "global: {global}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_comes_later_loses_no_older_children() {
    for global in [false, true] {
        children_of_a_late_parent(global).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backfills_full_refreshes_and_limits_leave_the_state_alone() {
    let rows: Rows = Arc::new(Mutex::new((1..=20).map(|n| row(n, ["a", "b"][n as usize % 2], n, 0)).collect()));
    let bench = bench(&[groups(&["a", "b"], &json!({"step": "P5D", "cursor_granularity": "PT1S"}))], &rows).await;
    let of_groups =
        ["a", "b"].map(|group| json!({"partition": {"group": group}, "cursor": {"at": "2026-01-18T00:00:00Z"}}));
    let states = json!({
        "use_global_cursor": false, "state": {"at": "2026-01-18T00:00:00Z"}, "lookback_window": 1,
        "states": of_groups,
    });
    bench.set_checkpoint("rows", states.clone()).await;
    let report = bench.extract().await;
    assert_eq!(ids(&bench.records(&report.run_id, "rows").await.1), [18, 19, 20], "what lies after the states");

    bench.take_asked();
    let (from, to) = ("2026-01-03T00:00:00Z", "2026-01-10T00:00:00Z");
    let range = Some((from.parse().unwrap(), to.parse().unwrap()));
    let report = bench.try_extract(Options { range, ..bench.options() }).await.unwrap();
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!((ids(&records), batch.mode, batch.state_after), ((3..=10).collect(), BatchMode::Window, None));
    let spans = [[from, "2026-01-07T23:59:59Z"], ["2026-01-08T00:00:00Z", to]];
    let both = spans.iter().flat_map(|span| [span.map(str::to_owned), span.map(str::to_owned)]);
    assert_eq!(taken(&bench, ["since", "until"]), both.collect::<Vec<_>>());

    let report = bench.try_extract(Options { full_refresh: true, ..bench.options() }).await.unwrap();
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!((ids(&records), batch.mode), ((1..=20).collect(), BatchMode::Incremental));
    assert_eq!(
        (batch.state_before, batch.state_after.unwrap()["state"]["at"].as_str()),
        (None, Some("2026-01-20T00:00:00Z"))
    );
    assert_eq!(bench.take_asked().iter().map(|asked| asked.get("since").to_owned()).min().unwrap(), START);

    for (limit, expected) in [(1, vec![18]), (2, vec![18, 20]), (3, vec![18, 19, 20]), (50, vec![18, 19, 20])] {
        let report = bench.try_extract(Options { limit: Some(limit), ..bench.options() }).await.unwrap();
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!((ids(&records), batch.mode, batch.state_after), (expected, BatchMode::Window, None));
    }
    assert_eq!(
        contract::stored::read_checkpoint(bench.landing().as_ref(), &crate::own_manifest::unit("rows"))
            .await
            .unwrap()
            .unwrap()
            .state,
        states
    );
}

/// A stream that gets all rows, page by page, whatever it asks for.
async fn unfiltered(fields: &Value, rows: &Rows) -> Bench {
    let mut paginator = pages(3);
    paginator["x-read-ahead"] = json!(1);
    let mut cursor = cursor(START, fields);
    for option in ["start_time_option", "end_time_option"] {
        cursor.as_object_mut().unwrap().shift_remove(option);
    }
    let stream = stream("rows", &json!({"paginator": paginator}), &json!({"incremental_sync": cursor}));
    let rows = rows.clone();
    Bench::new(&manifest(&[stream], 2), move |asked| Said::ok(&page_of(&rows.lock().unwrap(), asked, 3))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newest_first_feed_is_read_up_to_the_state() {
    let rows: Rows = Arc::new(Mutex::new((1..=20).rev().map(|day| row(day, "", day, 0)).collect()));
    let bench = unfiltered(&json!({"is_data_feed": true}), &rows).await;
    // Pages of three: 20 19 18, 17 16 15, 14 13 12, 11 10 9, …
    for (state, expected, requests) in [
        ("2026-01-17T00:00:00Z", vec![17, 18, 19, 20], 2),
        ("2026-01-15T00:00:00Z", (15..=20).collect(), 3),
        ("2026-01-11T12:00:00Z", (12..=20).collect(), 4),
        ("2026-01-20T00:00:00Z", vec![20], 1),
        (START, (1..=20).collect(), 7),
    ] {
        bench.set_checkpoint("rows", json!({ "at": state })).await;
        let report = bench.extract().await;
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!((ids(&records), bench.take_asked().len()), (expected, requests), "{state}");
        assert_eq!(batch.state_after, Some(json!({"at": "2026-01-20T00:00:00Z"})));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_the_api_cannot_filter_are_filtered_here() {
    let mut unordered: Vec<Value> = (1..=11).map(|n| row(n, "", n * 7 % 11 + 1, 0)).collect();
    unordered.push(json!({"id": 90, "at": null}));
    unordered.push(json!({"id": 91, "at": "2025-12-31T23:59:59Z"}));
    unordered.push(json!({"id": 92, "at": "2999-01-01T00:00:00Z"}));
    let rows: Rows = Arc::new(Mutex::new(unordered));
    let bench = unfiltered(&json!({"is_client_side_incremental": true}), &rows).await;
    let report = bench.extract().await;
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!(ids(&records), (1..=11).chain([90]).collect::<Vec<_>>(), "without a time it is kept");
    assert_eq!(
        batch.state_after,
        Some(json!({"at": "2026-01-11T00:00:00Z"})),
        "the one from the future does not count"
    );
    bench.set_checkpoint("rows", json!({"at": "2026-01-10T00:00:00Z"})).await;
    let report = bench.extract().await;
    let newer: Vec<i64> = (1..=11).filter(|n| n * 7 % 11 + 1 >= 10).chain([90]).collect();
    assert_eq!(ids(&bench.records(&report.run_id, "rows").await.1), newer);
    assert_eq!(bench.asked().len(), 10, "all five pages each time");
}

/// Parents at `/parents`, their comments at `/comments?group=<id>`.
fn family(follows: bool) -> [Value; 2] {
    let parents =
        stream("parents", &json!({"paginator": pages(2)}), &json!({"incremental_sync": cursor(START, &json!({}))}));
    let router = json!({"type": "SubstreamPartitionRouter", "parent_stream_configs": [{
        "type": "ParentStreamConfig", "stream": parents, "parent_key": "id", "partition_field": "parent", "incremental_dependency": follows,
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    }]});
    let fields = json!({"incremental_sync": cursor(START, &json!({}))});
    [parents, stream("comments", &json!({"partition_router": router}), &fields)]
}

async fn family_bench(streams: &[Value]) -> (Bench, Rows, Rows) {
    let parents: Rows = Arc::new(Mutex::new((1..=5).map(|id| row(id, "", id, 0)).collect()));
    let comments: Rows = Arc::new(Mutex::new((1..=5).map(|id| row(id * 10, &id.to_string(), id, 1)).collect()));
    let known = (parents.clone(), comments.clone());
    let bench = Bench::new(&manifest(streams, 2), move |asked| match asked.path.as_str() {
        "/parents" => Said::ok(&page_of(&found(&parents, asked), asked, 2)),
        _ => Said::ok(&page_of(&found(&comments, asked), asked, 100)),
    })
    .await;
    (bench, known.0, known.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_of_changed_parents_alone_are_read_where_the_manifest_says_so() {
    for follows in [true, false] {
        let (bench, parents, comments) = family_bench(&family(follows)[1..]).await;
        let report = bench.extract().await;
        done(&report);
        assert_eq!(of(&report, "comments").rows_extracted, 5);
        bench.checkpoint(&report.run_id, "comments").await;
        let before = bench.batch(&report.run_id, "comments").await.unwrap().state_after.unwrap();
        let parent_state = follows.then(|| json!({"parents": {"at": "2026-01-05T00:00:00Z"}}));
        assert_eq!(before.get("parent_state"), parent_state.as_ref());

        parents.lock().unwrap()[1]["at"] = json!("2026-01-08T00:00:00Z");
        comments.lock().unwrap().extend([row(21, "2", 8, 0), row(31, "3", 8, 1)]);
        bench.take_asked();
        let report = bench.extract().await;
        let asked = bench.take_asked();
        let of_parents = asked.iter().filter(|asked| asked.path == "/parents").map(|asked| asked.get("since"));
        let since = if follows { "2026-01-05T00:00:00Z" } else { START };
        assert!(of_parents.clone().all(|asked| asked == since) && of_parents.count() > 0, "{asked:?}");
        let mut groups: Vec<_> =
            asked.iter().filter(|asked| asked.path == "/comments").map(|asked| asked.get("group")).collect();
        groups.sort_unstable();
        assert_eq!(groups, if follows { vec!["2", "5"] } else { vec!["1", "2", "3", "4", "5"] });
        let (batch, records) = bench.records(&report.run_id, "comments").await;
        assert_eq!(ids(&records), if follows { vec![20, 21, 50] } else { vec![10, 20, 21, 30, 31, 40, 50] });
        let after = batch.state_after.unwrap();
        assert_eq!(after["states"].as_array().unwrap().len(), 5, "{after}");
        let unread = |state: &Value| {
            state["states"].as_array().unwrap().iter().find(|own| own["partition"]["parent"] == 1).cloned()
        };
        assert_eq!((unread(&after).is_some(), unread(&after)), (true, unread(&before)), "what was not read stays");
        let parent_state = follows.then(|| json!({"parents": {"at": "2026-01-08T00:00:00Z"}}));
        assert_eq!(after.get("parent_state"), parent_state.as_ref());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_is_none_fails_its_unit_before_anything_is_asked_for_and_tells_the_remedy() {
    let (bench, ..) = family_bench(&family(true)).await;
    let own = json!({"partition": {"parent": 1, "parent_slice": {}}, "cursor": {"at": "2026-01-01T00:00:00Z"}});
    let unreadable = json!({"partition": {"parent": 1, "parent_slice": {}}, "cursor": {"at": "yesterday"}});
    for (stream, state, expected) in [
        ("parents", json!({"since": "2026-01-01T00:00:00Z"}), "the state has no `at`"),
        ("parents", json!({"at": "yesterday"}), "the state's `at` fits none of the cursor's formats"),
        ("comments", json!({"states": [1]}), "the state is none of a partitioned stream"),
        ("comments", json!({"states": [own, unreadable]}), "the state's `at` fits none of the cursor's formats"),
        (
            "comments",
            json!({"states": [own], "parent_state": {"parents": {"at": "yesterday"}}}),
            "the parent stream `parents`: the state's `at` fits none of the cursor's formats",
        ),
    ] {
        bench.set_checkpoint(stream, state.clone()).await;
        let selection = Selection { streams: vec![stream.into()], ..Selection::default() };
        let report = bench.try_extract(Options { selection, ..bench.options() }).await.unwrap();
        let unit = of(&report, stream);
        assert_eq!((unit.status, unit.remedy), (UnitStatus::Failed, Some(Remedy::FullRefresh)), "{state}");
        assert!(unit.error.as_ref().is_some_and(|error| error.contains(expected)), "{state}: {:?}", unit.error);
        assert!(bench.take_asked().is_empty(), "{state}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_is_asked_for_once_for_itself_and_all_its_children() {
    let [parents, comments] = family(false);
    let mut others = comments.clone();
    others["name"] = json!("others");
    others["retriever"]["requester"] = requester("others", &json!({}));
    let (bench, ..) = family_bench(&[comments, parents, others]).await;
    let report = bench.extract().await;
    done(&report);
    let asked = bench.asked();
    let count = |path: &str| asked.iter().filter(|asked| asked.path == path).count();
    assert_eq!((count("/comments"), count("/others")), (5, 5));
    let mut numbers: Vec<usize> =
        asked.iter().filter(|asked| asked.path == "/parents").map(|asked| asked.number("page")).collect();
    // A page beyond the last one is asked for ahead, and given up where its answer is not wanted any more.
    numbers.retain(|number| *number < 3);
    numbers.sort_unstable();
    let once = numbers.clone();
    numbers.dedup();
    assert_eq!(numbers, once, "no page of the parents twice");
    assert_eq!(numbers, [0, 1, 2]);
    assert_eq!(ids(&bench.records(&report.run_id, "parents").await.1), [1, 2, 3, 4, 5]);
}

/// A stream whose API refuses some requests with 400, for which the manifest has this action.
async fn refusing(
    action: &str,
    retriever: &Value,
    refuses: impl Fn(&Asked, usize, usize) -> bool + Send + Sync + 'static,
) -> Bench {
    let filter = json!({"type": "HttpResponseFilter", "http_codes": [400], "action": action});
    let handler = json!({"type": "DefaultErrorHandler", "response_filters": [filter]});
    let mut paginator = pages(4);
    paginator["x-read-ahead"] = json!(1);
    let mut fields =
        json!({"paginator": paginator, "requester": requester("rows", &json!({"error_handler": handler}))});
    fields.as_object_mut().unwrap().extend(retriever.as_object().unwrap().clone());
    let windows = json!({"end_datetime": "2026-01-31T00:00:00Z", "step": "P10D", "cursor_granularity": "PT1S"});
    let stream = stream("rows", &fields, &json!({"incremental_sync": cursor(START, &windows)}));
    let rows: Rows = Arc::new(Mutex::new((0..240).map(|n| row(n, "", 1 + n / 8, n * 3 % 24)).collect()));
    let times = Mutex::new(0);
    Bench::new(&manifest(&[stream], 2), move |asked| {
        let found = found(&rows, asked);
        let mut times = times.lock().unwrap();
        if refuses(asked, found.len(), *times) {
            *times += 1;
            return Said::status(400);
        }
        Said::ok(&page_of(&found, asked, 4))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_are_split_and_pages_that_begin_again_give_each_record_once() {
    let all: Vec<i64> = (0..240).collect();
    let splitting = json!({"request_window_splitting": {"type": "RequestWindowSplitting"}});
    // The first page of a window that is too full still comes.
    let too_full = |asked: &Asked, found: usize, _: usize| found > 11 && asked.number("page") > 0;
    let again = json!({"pagination_reset": {"type": "PaginationReset", "action": "RESET"}});
    let once = |asked: &Asked, _: usize, times: usize| times == 0 && asked.number("page") == 3;
    let benches = [
        refusing("SPLIT_REQUEST_WINDOW", &splitting, too_full).await,
        refusing("RESET_PAGINATION", &again, once).await,
    ];
    for bench in benches {
        let report = bench.extract().await;
        done(&report);
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!(ids(&records), all);
        assert_eq!(batch.state_after, Some(json!({"at": "2026-01-30T21:00:00Z"})));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_begin_again_at_the_cursor_repeat_the_record_at_the_boundary_alone() {
    let split = json!({"pagination_reset": {"type": "PaginationReset", "action": "SPLIT_USING_CURSOR"}});
    let bench = refusing("RESET_PAGINATION", &split, |asked, _, _| asked.number("page") == 3).await;
    let report = bench.extract().await;
    done(&report);
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    // Three windows of ten days, and the very last moment.
    let begun_again = bench.asked().iter().filter(|asked| asked.number("page") == 0).count() - 4;
    assert!(begun_again > 0);
    assert_eq!(records.len(), 240 + begun_again);
    let mut kept = ids(&records);
    kept.dedup();
    assert_eq!(kept, (0..240).collect::<Vec<_>>());
    assert_eq!(batch.state_after, Some(json!({"at": "2026-01-30T21:00:00Z"})));
}
