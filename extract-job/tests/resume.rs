//! A run that is tried again: what an earlier try has stored is not asked for again, and every record is in the batch once,
//! however the earlier try has ended.

use crate::own_manifest::{Asked, Bench, Said, cursor, ids, manifest, of, page_of, pages, stream, unit};
use chrono::{DateTime, TimeDelta, Utc};
use contract::landing::paths;
use contract::report::UnitStatus;
use contract::run_id::RunId;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

const DAYS: usize = 10;
const PAGE: usize = 12;
const NONE: usize = usize::MAX;
const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// Text that hardly can be compressed: what repeats in it lies too far away for gzip.
fn noise(seed: usize, length: usize) -> String {
    static POOL: LazyLock<String> = LazyLock::new(|| {
        let mut random = StdRng::seed_from_u64(1);
        (0..60_000).map(|_| char::from(b'0' + random.random_range(0..64_u8))).filter(|c| *c != '\\').collect()
    });
    let start = seed * 97 % (POOL.len() - length);
    POOL[start..start + length].to_owned()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An API with some records for each day, of which one can be out of order.
#[derive(Default)]
struct Days {
    /// When the first day begins, as it was asked for.
    base: Mutex<Option<DateTime<Utc>>>,
    broken: AtomicUsize,
    hanging: AtomicUsize,
    /// Every other day has more than a mebibyte.
    has_large_days: bool,
}

impl Days {
    fn new(has_large_days: bool, broken: usize) -> Arc<Self> {
        let days = Self { has_large_days, ..Self::default() };
        days.set(broken, NONE);
        Arc::new(days)
    }

    fn set(&self, broken: usize, hanging: usize) {
        self.broken.store(broken, Ordering::SeqCst);
        self.hanging.store(hanging, Ordering::SeqCst);
    }

    fn base(&self) -> DateTime<Utc> {
        self.base.lock().unwrap().expect("the first day was asked for")
    }

    /// Which day a request is for: the last one begins now.
    fn day(&self, asked: &Asked) -> usize {
        let since = instant(asked.get("since"));
        let ago = (Utc::now() - since + TimeDelta::hours(12)).num_days();
        let day = DAYS - 1 - usize::try_from(ago).unwrap();
        if day == 0 {
            self.base.lock().unwrap().get_or_insert(since);
        }
        day
    }

    fn records(&self, day: usize, at: &str) -> Vec<Value> {
        let is_large = self.has_large_days && [2, 6, 8].contains(&day);
        let (count, length) = if is_large { (35, 45_000) } else { (3, 20) };
        let text = |id: usize| if is_large { noise(id, length) } else { format!("day {day}") };
        (0..count).map(|n| day * 100 + n).map(|id| json!({"id": id, "at": at, "text": text(id)})).collect()
    }

    /// The ids of all records from a day on.
    fn ids(&self, from: usize) -> Vec<i64> {
        (from..DAYS).flat_map(|day| ids(&self.records(day, ""))).collect()
    }

    fn answer(&self, asked: &Asked) -> Said {
        let day = self.day(asked);
        if day == self.broken.load(Ordering::SeqCst) {
            return Said::status(400);
        }
        let said = Said::ok(&page_of(&self.records(day, asked.get("since")), asked, PAGE));
        if day == self.hanging.load(Ordering::SeqCst) { said.after(600_000) } else { said }
    }
}

async fn bench(days: &Arc<Days>, at_once: usize, most_wait: u64) -> Bench {
    let fields = json!({
        "datetime_format": "%Y-%m-%dT%H:%M:%S.%fZ", "step": "P1D", "cursor_granularity": "PT0.000001S",
    });
    let cursor = cursor("{{ day_delta(-9, '%Y-%m-%dT%H:%M:%S.%fZ') }}", &fields);
    let mut paginator = pages(PAGE);
    paginator["x-read-ahead"] = json!(1);
    let stream = stream("days", &json!({ "paginator": paginator }), &json!({"incremental_sync": cursor}));
    let days = days.clone();
    let random = Mutex::new(StdRng::seed_from_u64(most_wait));
    Bench::new(&manifest(&[stream], at_once), move |asked| {
        let said = days.answer(asked);
        let wait = random.lock().unwrap().random_range(0..=most_wait);
        if said.wait.is_zero() { said.after(wait) } else { said }
    })
    .await
}

fn run_id() -> RunId {
    RunId::new(Utc::now())
}

fn asked_days(days: &Days, asked: &[Asked]) -> Vec<usize> {
    asked.iter().map(|asked| days.day(asked)).collect::<BTreeSet<_>>().into_iter().collect()
}

async fn has_progress(bench: &Bench, run: &RunId) -> bool {
    bench.landing().get(&paths::progress(&unit("days"), run)).await.unwrap().is_some()
}

async fn stored_checkpoint(bench: &Bench) -> Vec<u8> {
    bench.landing().get(&paths::checkpoint(&unit("days"))).await.unwrap().unwrap().bytes.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_try_reads_what_is_missing_and_no_more() {
    for has_large_days in [false, true] {
        let days = Days::new(has_large_days, 6);
        let bench = bench(&days, 1, 0).await;
        bench.set_checkpoint("days", json!({"at": "2020-01-01T00:00:00.000000Z"})).await;
        let (run, before) = (run_id(), stored_checkpoint(&bench).await);

        let report = bench.extract_as(&run).await;
        assert_eq!(of(&report, "days").status, UnitStatus::Failed);
        assert!(of(&report, "days").error.as_ref().unwrap().contains("400"), "{report:?}");
        assert_eq!(asked_days(&days, &bench.take_asked()), [0, 1, 2, 3, 4, 5, 6]);
        assert!(bench.batch(&run, "days").await.is_none());
        assert!(has_progress(&bench, &run).await);

        days.set(NONE, NONE);
        let report = bench.extract_as(&run).await;
        assert_eq!(of(&report, "days").status, UnitStatus::Done, "{report:?}");
        let asked = bench.take_asked();
        // One page more than there are: the first short one of a try is not believed.
        let pages = if has_large_days { [3, 1, 3, 1] } else { [2, 1, 1, 1] };
        assert_eq!(asked_days(&days, &asked), [6, 7, 8, 9]);
        assert_eq!([6, 7, 8, 9].map(|day| asked.iter().filter(|asked| days.day(asked) == day).count()), pages);
        let last = asked.iter().map(|asked| asked.get("until")).max().unwrap();
        assert_eq!(instant(last), days.base() + TimeDelta::days(9), "the windows end where the first try's did");
        let (batch, records) = bench.records(&run, "days").await;
        assert_eq!(ids(&records), days.ids(0), "every record once");
        assert_eq!(batch.parts.len() > 3, has_large_days, "large slices have parts of their own");
        let newest = (days.base() + TimeDelta::days(9)).format(FORMAT).to_string();
        assert_eq!(batch.state_after, Some(json!({ "at": newest })));
        assert!(!has_progress(&bench, &run).await);
        assert_eq!(stored_checkpoint(&bench).await, before, "the load moves it");

        assert_eq!(of(&bench.extract_as(&run).await, "days").status, UnitStatus::Skipped);
        assert_eq!(bench.take_asked().len(), 0);
        let report = bench.extract().await;
        assert_eq!(asked_days(&days, &bench.take_asked()), (0..DAYS).collect::<Vec<_>>(), "another run reads all");
        assert_eq!(ids(&bench.records(&report.run_id, "days").await.1), days.ids(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_checkpoint_has_led_to_is_not_used() {
    let days = Days::new(false, 6);
    let bench = bench(&days, 1, 0).await;
    let run = run_id();
    bench.extract_as(&run).await;
    assert!(has_progress(&bench, &run).await);
    let state = (days.base() + TimeDelta::days(3)).format(FORMAT).to_string();
    bench.set_checkpoint("days", json!({ "at": state })).await;
    days.set(NONE, NONE);
    bench.take_asked();
    bench.extract_as(&run).await;
    let asked = bench.take_asked();
    assert_eq!(asked_days(&days, &asked), [3, 4, 5, 6, 7, 8, 9]);
    let last = asked.iter().map(|asked| asked.get("until")).max().unwrap();
    assert!(instant(last) > days.base() + TimeDelta::days(9), "the windows end now");
    let (batch, records) = bench.records(&run, "days").await;
    assert_eq!(ids(&records), days.ids(3));
    assert_eq!(batch.state_before, Some(json!({ "at": state })));
    assert!(!has_progress(&bench, &run).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slices_that_are_cut_off_beside_a_failing_one_come_once() {
    for seed in 1..7 {
        let days = Days::new(seed % 3 == 1, usize::try_from(seed).unwrap());
        let bench = bench(&days, 4, seed * 3).await;
        let run = run_id();
        assert_eq!(of(&bench.extract_as(&run).await, "days").status, UnitStatus::Failed);
        assert!(bench.batch(&run, "days").await.is_none());
        days.set(NONE, NONE);
        bench.extract_as(&run).await;
        let (batch, records) = bench.records(&run, "days").await;
        assert_eq!(ids(&records), days.ids(0), "seed {seed}");
        assert!(batch.state_after.is_some());
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_program_goes_on_as_well() {
    let days = Days::new(true, 6);
    let bench = bench(&days, 1, 0).await;
    let run = run_id();
    let end = |program: &mut std::process::Command| {
        let child = program.spawn().unwrap();
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
    };
    let mut program = bench.program(&["--run-id", run.as_str()]);
    assert_eq!(end(&mut program).await.unwrap().status.code(), Some(1));
    assert_eq!(asked_days(&days, &bench.take_asked()), [0, 1, 2, 3, 4, 5, 6]);

    days.set(NONE, 8);
    let mut child = program.spawn().unwrap();
    while !asked_days(&days, &bench.asked()).contains(&8) {
        assert!(child.try_wait().unwrap().is_none(), "it hangs in the ninth window");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(asked_days(&days, &bench.take_asked()), [6, 7, 8]);
    assert!(bench.batch(&run, "days").await.is_none());

    days.set(NONE, NONE);
    let output = end(&mut program).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let asked = asked_days(&days, &bench.take_asked());
    assert!(asked.ends_with(&[8, 9]) && asked[0] >= 6, "{asked:?}");
    let (batch, records) = bench.records(&run, "days").await;
    assert_eq!(ids(&records), days.ids(0));
    assert_eq!(batch.state_after, Some(json!({"at": (days.base() + TimeDelta::days(9)).format(FORMAT).to_string()})));
    assert!(!has_progress(&bench, &run).await);
}

/// Pages of two groups, a large one and a small one, whose total changes while it is read `times` times.
async fn shifting(times: usize) -> (Bench, RunId) {
    let paginator = json!({
        "x-total": "{{ response.total }}", "x-read-ahead": 1, "type": "DefaultPaginator",
        "page_token_option": pages(PAGE)["page_token_option"], "pagination_strategy": pages(PAGE)["pagination_strategy"],
    });
    let router = json!({
        "type": "ListPartitionRouter", "values": ["large", "small"], "cursor_field": "group",
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    });
    let stream = stream("days", &json!({"paginator": paginator, "partition_router": router}), &json!({}));
    let seen = Mutex::new(Vec::new());
    let bench = Bench::new(&manifest(&[stream], 2), move |asked| {
        let is_large = asked.get("group") == "large";
        let (count, length, from) = if is_large { (35, 45_000, 0) } else { (30, 20, 1000) };
        let records: Vec<Value> = (from..from + count).map(|id| json!({"id": id, "text": noise(id, length)})).collect();
        let mut page = page_of(&records, asked, PAGE);
        let mut seen = seen.lock().unwrap();
        let this = (asked.get("group").to_owned(), asked.number("page"));
        let reading = seen.iter().filter(|other| **other == this).count();
        seen.push(this);
        if reading < times && asked.number("page") >= 2 {
            page["total"] = json!(count - 1);
        }
        Said::ok(&page)
    })
    .await;
    let run = bench.extract().await.run_id;
    (bench, run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shifting_snapshot_is_read_again_and_no_record_stays_twice() {
    let expected: Vec<i64> = (0..35).chain(1000..1030).collect();
    for (times, requests, stable) in [(0, 6, true), (1, 12, true), (9, 12, false)] {
        let (bench, run) = shifting(times).await;
        let (batch, records) = bench.records(&run, "days").await;
        assert_eq!(ids(&records), expected, "{times}");
        assert_eq!((bench.asked().len(), batch.stable), (requests, stable), "{times}");
        assert!(batch.parts.iter().any(|part| part.bytes > 1024 * 1024), "the large slice has parts of its own");
        assert_eq!(batch.parts.iter().map(|part| &part.path).collect::<BTreeSet<_>>().len(), batch.parts.len());
    }
}
