//! Slices side by side: whatever the order of the answers, the records and the state are those of one slice after the other;
//! windows cover their span once; an account never has more slices in work than it is allowed.

use crate::own_manifest::{Asked, Bench, Said, cursor, manifest, of, page_of, pages, requester, stream, unit};
use chrono::{DateTime, TimeDelta, Utc};
use contract::report::UnitStatus;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

const GROUPS: [&str; 5] = ["red", "green", "blue", "a b&c", "é"];
const PAGE: usize = 4;

fn text(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A random span and records in it, at its very ends too.
struct World {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    step: i64,
    records: Vec<Value>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let start = DateTime::from_timestamp(1_767_225_600 + random.random_range(0..1_000_000), 0).unwrap();
        let span = random.random_range(1_000..200_000);
        let step = random.random_range(span / 15..=span / 2);
        let record = |id: i64| {
            let second = match id {
                0 => 0,
                1 => span,
                _ => random.random_range(0..=span),
            };
            let group = GROUPS.choose(&mut random).unwrap();
            let kind = random.random_range(0..3);
            json!({"id": id, "at": text(start + TimeDelta::seconds(second)), "group": group, "kind": kind})
        };
        let records = (0..120).map(record).collect();
        Self { start, end: start + TimeDelta::seconds(span), step, records }
    }

    /// A cursor over the whole span, in windows.
    fn cursor(&self) -> Value {
        let windows = json!({
            "end_datetime": text(self.end), "step": format!("PT{}S", self.step), "cursor_granularity": "PT1S",
        });
        cursor(&text(self.start), &windows)
    }

    /// What the API has for a request; groups are parents, too.
    fn answer(&self, asked: &Asked) -> Value {
        if asked.path == "/groups" {
            let groups: Vec<Value> = GROUPS.iter().map(|group| json!({ "name": group })).collect();
            return page_of(&groups, asked, 2);
        }
        let fits = |record: &Value| {
            let at = record["at"].as_str().unwrap();
            let (since, until) = (asked.get("since"), asked.get("until"));
            (since.is_empty() || (since..=until).contains(&at))
                && [("group", &record["group"]), ("kind", &record["kind"])].into_iter().all(|(name, value)| {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    asked.get(name).is_empty() || asked.get(name) == value
                })
        };
        let found: Vec<Value> = self.records.iter().filter(|record| fits(record)).cloned().collect();
        page_of(&found, asked, PAGE)
    }
}

fn list(field: &str, values: &Value) -> Value {
    json!({
        "type": "ListPartitionRouter", "values": values, "cursor_field": field,
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": field},
    })
}

/// Kinds are asked for by a parent's text, since an empty value or 0 would add nothing to a request.
fn kinds() -> Value {
    list("kind", &json!(["0", "1", "2"]))
}

fn substream() -> Value {
    json!({"type": "SubstreamPartitionRouter", "parent_stream_configs": [{
        "type": "ParentStreamConfig", "parent_key": "name", "partition_field": "group",
        "stream": stream("groups", &json!({"paginator": pages(2)}), &json!({"primary_key": "name"})),
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    }]})
}

/// Streams of every way to be cut into slices.
fn streams(world: &World) -> Vec<Value> {
    let cut = |name: &str, router: Value, has_cursor: bool| {
        let mut retriever = json!({"paginator": pages(PAGE), "partition_router": router});
        retriever.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let fields = if has_cursor { json!({"incremental_sync": world.cursor()}) } else { json!({}) };
        stream(name, &retriever, &fields)
    };
    vec![
        cut("windows", Value::Null, true),
        cut("lists", list("group", &json!(GROUPS)), true),
        cut("children", substream(), true),
        cut("products", json!([list("group", &json!(GROUPS)), kinds()]), false),
        cut("mixed", json!([substream(), kinds()]), true),
    ]
}

/// Each stream's records (sorted) and state.
type Read = BTreeMap<String, (Vec<String>, Option<Value>)>;

/// Reads everything with so many slices at once.
async fn read(seed: u64, at_once: usize) -> (Read, Vec<Asked>) {
    let world = World::new(seed);
    let streams = streams(&world);
    let names: Vec<String> = streams.iter().map(|stream| stream["name"].as_str().unwrap().to_owned()).collect();
    let manifest = manifest(&streams, at_once);
    let random = Mutex::new(StdRng::seed_from_u64(seed));
    let bench = Bench::new(&manifest, move |asked| {
        let wait = if at_once > 1 { random.lock().unwrap().random_range(0..12) } else { 0 };
        Said::ok(&world.answer(asked)).after(wait)
    })
    .await;
    let report = bench.extract().await;
    let mut all = Read::new();
    for name in names {
        let unit = of(&report, &name);
        assert_eq!(unit.status, UnitStatus::Done, "{:?}", unit.error);
        let (batch, records) = bench.records(&report.run_id, &name).await;
        let mut lines: Vec<String> = records.iter().map(Value::to_string).collect();
        lines.sort();
        let mut state = batch.state_after;
        if let Some(Value::Object(state)) = &mut state {
            // The seconds that the run took.
            state.shift_remove("lookback_window");
        }
        all.insert(name, (lines, state));
    }
    (all, bench.asked())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slices_side_by_side_give_what_they_give_in_turn() {
    for seed in 0..6 {
        let (in_turn, _) = read(seed, 1).await;
        let (side_by_side, _) = read(seed, 8).await;
        let mut expected: Vec<String> = World::new(seed).records.iter().map(Value::to_string).collect();
        expected.sort();
        for (name, (lines, state)) in &in_turn {
            assert_eq!(lines, &expected, "{name}, seed {seed}: every record once");
            assert_eq!(state.is_some(), name != "products", "{name}, seed {seed}");
            assert_eq!((lines, state), (&side_by_side[name].0, &side_by_side[name].1), "{name}, seed {seed}");
        }
        let newest = World::new(seed).records.iter().map(|record| record["at"].to_string()).max();
        let state = in_turn["windows"].1.as_ref().unwrap();
        assert_eq!(Some(state["at"].to_string()), newest, "seed {seed}");
        assert_eq!(in_turn["mixed"].1.as_ref().unwrap()["states"].as_array().unwrap().len(), GROUPS.len() * 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_are_asked_for_without_gap_or_overlap() {
    for seed in 100..104 {
        let world = World::new(seed);
        let (_, asked) = read(seed, 8).await;
        let spans = |path: &str, group: &str| {
            let first = |asked: &&Asked| asked.path == path && asked.get("group") == group && asked.number("page") == 0;
            let mut spans: Vec<(String, String)> = asked
                .iter()
                .filter(first)
                .map(|asked| (asked.get("since").to_owned(), asked.get("until").to_owned()))
                .collect();
            spans.sort();
            spans
        };
        let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let mut all = vec![spans("/windows", "")];
        all.extend(GROUPS.iter().flat_map(|group| [spans("/lists", group), spans("/children", group)]));
        for spans in all {
            assert!(spans.len() > 1, "seed {seed}: {spans:?}");
            assert_eq!((&spans[0].0, &spans.last().unwrap().1), (&text(world.start), &text(world.end)), "seed {seed}");
            for pair in spans.windows(2) {
                assert_eq!(instant(&pair[0].1) + TimeDelta::seconds(1), instant(&pair[1].0), "seed {seed}: {spans:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_no_more_slices_in_work_than_it_may() {
    let groups: Vec<String> = (0..8).map(|group| format!("g{group}")).collect();
    let retriever = |name: &str| json!({"partition_router": list("group", &json!(groups)), "requester": requester(name, &json!({}))});
    let streams: Vec<Value> = ["x", "y", "z"].iter().map(|name| stream(name, &retriever(name), &json!({}))).collect();
    let answer = |asked: &Asked| {
        let id = asked.get("group")[1..].parse::<u64>().unwrap();
        Said::ok(&json!({"items": [{"id": id}]})).after(15)
    };
    let bench = Bench::new(&manifest(&streams, 3), answer).await;
    let account = |id: &str| json!({"id": id, "config": {"api": bench.url, "account": id}});
    bench.write_pipeline(&json!({"concurrency": 8, "source": {"accounts": [account("a"), account("b")]}}));
    let report = bench.extract().await;
    assert!(report.units.iter().all(|unit| unit.status == UnitStatus::Done && unit.rows_extracted == 8));
    assert_eq!(report.units.len(), 6);
    assert_eq!(bench.asked().len(), 48);
    assert_eq!(bench.most_at_once(), 3, "three for each account, over all its streams");
    assert!(bench.batch(&report.run_id, &unit("x").stream).await.is_some());
}
