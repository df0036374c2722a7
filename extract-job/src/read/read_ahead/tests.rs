//! Read-ahead against a fake API: order, ends, windows and guards, with answers that come in any order.

use super::*;
use crate::manifest::problem::Problems;
use crate::manifest::reader::Reader;
use crate::read::page::PageBody;
use crate::read::seam::Origin;
use crate::record::extract::fingerprint;
use async_trait::async_trait;
use chrono::Utc;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// An API of numbered records.
struct Fake {
    records: u64,
    page_size: u64,
    first_page: u64,
    by_offset: bool,
    /// Always answers with the first page, and says that more follows.
    repeats: bool,
    /// Larger pages are cut to this.
    at_most: u64,
    asked: Mutex<Vec<Ask>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Fake {
    fn new(records: u64, page_size: u64) -> Self {
        Self {
            records,
            page_size,
            first_page: 1,
            by_offset: false,
            repeats: false,
            at_most: u64::MAX,
            asked: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn most(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl PageSource for Fake {
    async fn fetch(&self, ask: &Ask, _expected: usize) -> Result<Fetched, ReadError> {
        self.asked.lock().unwrap().push(ask.clone());
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        // Later pages answer sooner.
        tokio::time::sleep(Duration::from_millis(100 - (ask.index * 37) % 100)).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let token = ask.token.as_ref().and_then(Value::as_u64);
        let start = match (self.by_offset, self.repeats) {
            (_, true) => 0,
            (true, _) => token.unwrap_or(0),
            (false, _) => (token.unwrap_or(self.first_page) - self.first_page) * self.page_size,
        };
        if start > self.records {
            return Err(ReadError("the API answered 400: no such page".into()));
        }
        let end = (start + self.page_size.min(self.at_most)).min(self.records);
        let ids: Vec<Value> = (start..end).map(|id| json!({ "id": id })).collect();
        let more = self.repeats || end < self.records;
        Ok(Fetched::Page(
            Box::new(page(&ids, json!({"more": more, "total": self.records, "next": end}))),
            Origin::Asked(Instant::now()),
        ))
    }
}

fn page(records: &[Value], response: Value) -> Page {
    let mut bytes = Vec::new();
    let mut ranges = Vec::new();
    for record in records {
        let start = bytes.len();
        bytes.extend(record.to_string().into_bytes());
        ranges.push(start..bytes.len());
    }
    let fingerprint = fingerprint(&bytes, &ranges);
    let body = Arc::new(PageBody { bytes: bytes.into(), reservation: None });
    let received = ranges.len() as u64;
    Page {
        body,
        records: ranges,
        rest: None,
        received,
        filtered: 0,
        proof: PageProof::Whole,
        keys: None,
        came_out: received,
        last: None,
        is_past: false,
        response: response.into(),
        headers: json!({}).into(),
        highest: None,
        fingerprint,
    }
}

fn paginator(yaml: &str) -> DefaultPaginator {
    let text = format!("type: DefaultPaginator\npage_token_option: {{type: RequestPath}}\n{yaml}");
    let problems = Problems::default();
    let node = contract::yaml::parse(&text).unwrap();
    let read = Reader::new(&node, "test".into(), &problems).and_then(|reader| DefaultPaginator::read(&reader));
    let (errors, warnings) = problems.into_sorted();
    assert!(errors.is_empty() && warnings.is_empty(), "{errors:?} {warnings:?}");
    read.unwrap().unwrap()
}

const PAGES: &str =
    "pagination_strategy: {type: PageIncrement, page_size: 10, start_from_page: 1, inject_on_first_request: true}\n";
const OFFSETS: &str = "pagination_strategy: {type: OffsetIncrement, page_size: 10}\n";
const TOTAL: &str = "x-total: '{{ response.total }}'\n";
const MORE: &str = "x-has-more: '{{ response.more }}'\n";

/// The ids that come out, in order, or the error.
async fn read(fake: &Arc<Fake>, paginator: &DefaultPaginator, memory: usize) -> Result<Vec<u64>, String> {
    let scope = Scope::new(Utc::now());
    let memory = PageMemory::new(memory);
    let mut reader = PageReader::new(fake.clone(), Some(paginator), scope, memory, None).map_err(|e| e.to_string())?;
    let mut ids = Vec::new();
    while let Some(page) = reader.next().await.map_err(|error| error.to_string())? {
        for range in &page.records {
            let record: Value = serde_json::from_slice(&page.body.bytes[range.clone()]).unwrap();
            ids.push(record["id"].as_u64().unwrap());
        }
        assert!(ids.len() < 100_000, "reading does not end");
    }
    Ok(ids)
}

const PLENTY: usize = 1 << 30;

#[tokio::test(start_paused = true)]
async fn every_record_comes_once_and_in_order() {
    for keys in ["", TOTAL, MORE, "x-read-ahead: 1\n", &format!("{TOTAL}{MORE}"), "x-read-ahead: 3\n"] {
        for (strategy, by_offset) in [(PAGES, false), (OFFSETS, true)] {
            let paginator = paginator(&format!("{strategy}{keys}"));
            for records in [0, 1, 9, 10, 11, 20, 95, 100, 333] {
                let fake = Arc::new(Fake { by_offset, ..Fake::new(records, 10) });
                let ids = read(&fake, &paginator, PLENTY).await.unwrap();
                assert_eq!(ids, (0..records).collect::<Vec<_>>(), "{strategy}{keys} {records}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_opens_to_its_most_and_the_total_makes_it_exact() {
    let fake = Arc::new(Fake::new(1000, 10));
    read(&fake, &paginator(PAGES), PLENTY).await.unwrap();
    assert_eq!(fake.most(), 8);
    assert!((101..=109).contains(&fake.requests()), "{}", fake.requests());

    let fake = Arc::new(Fake::new(1000, 10));
    read(&fake, &paginator(&format!("{PAGES}{TOTAL}{MORE}")), PLENTY).await.unwrap();
    assert_eq!((fake.most(), fake.requests()), (8, 100));

    let fake = Arc::new(Fake::new(5, 10));
    read(&fake, &paginator(PAGES), PLENTY).await.unwrap();
    assert_eq!(fake.requests(), 2, "a short first page is doubted, and opens nothing");
}

#[tokio::test(start_paused = true)]
async fn memory_narrows_the_window_and_never_stops_it() {
    let fake = Arc::new(Fake::new(1000, 10));
    let ids = read(&fake, &paginator(&format!("{PAGES}{TOTAL}")), 3 * 1024).await.unwrap();
    assert_eq!(ids.len(), 1000);
    assert!(fake.most() <= 2, "{}", fake.most());
}

#[tokio::test(start_paused = true)]
async fn offsets_follow_what_was_received() {
    let fake = Arc::new(Fake { by_offset: true, at_most: 7, ..Fake::new(100, 10) });
    let ids = read(&fake, &paginator(&format!("{OFFSETS}{MORE}{TOTAL}")), PLENTY).await.unwrap();
    assert_eq!(ids, (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_repeats_fails() {
    for keys in ["", MORE] {
        let fake = Arc::new(Fake { repeats: true, ..Fake::new(100, 10) });
        let error = read(&fake, &paginator(&format!("{PAGES}{keys}")), PLENTY).await.unwrap_err();
        assert!(error.contains("repeats"), "{error}");
    }
}

/// Answers with tokens from a list, and an empty page each.
struct Tokens(Vec<Option<&'static str>>);

#[async_trait]
impl PageSource for Tokens {
    async fn fetch(&self, ask: &Ask, _expected: usize) -> Result<Fetched, ReadError> {
        let index = usize::try_from(ask.index).unwrap();
        let next = self.0.get(index).copied().flatten();
        let more = index + 1 < self.0.len();
        Ok(Fetched::Page(
            Box::new(page(&[json!({ "id": ask.index })], json!({"next": next, "more": more}))),
            Origin::Asked(Instant::now()),
        ))
    }
}

async fn tokens(
    list: Vec<Option<&'static str>>,
    start: Option<&str>,
    yaml: &str,
) -> Result<(usize, Option<Value>), String> {
    let paginator = paginator(&format!("pagination_strategy: {{type: CursorPagination, {yaml}}}\n"));
    let (scope, memory) = (Scope::new(Utc::now()), PageMemory::new(PLENTY));
    let start = start.map(Value::from);
    let reader = PageReader::new(Arc::new(Tokens(list)), Some(&paginator), scope, memory, start);
    let mut reader = reader.map_err(|error| error.to_string())?;
    let mut pages = 0;
    while reader.next().await.map_err(|error| error.to_string())?.is_some() {
        pages += 1;
    }
    Ok((pages, reader.last_token().cloned()))
}

#[tokio::test]
async fn tokens_lead_on_stop_and_stay() {
    let plain = "cursor_value: '{{ response.next }}'";
    assert_eq!(tokens(vec![Some("a"), Some("b"), None], None, plain).await, Ok((3, Some(json!("b")))));
    let keep = "cursor_value: '{{ response.next }}', stop_condition: '{{ not response.more }}', x-keep-token: true";
    assert_eq!(
        tokens(vec![Some("a"), Some("b")], None, keep).await,
        Ok((2, Some(json!("b")))),
        "the last page's token too"
    );
    assert_eq!(tokens(vec![Some("a")], Some("a"), keep).await, Ok((1, Some(json!("a")))), "nothing new since");
    assert_eq!(tokens(vec![Some("0012")], None, keep).await, Ok((1, Some(json!("0012")))), "letter by letter");
}

#[tokio::test]
async fn a_token_that_repeats_fails() {
    let plain = "cursor_value: '{{ response.next }}'";
    for list in [vec![Some("a"), Some("a"), None], vec![Some("a"), Some("b"), Some("a"), None]] {
        assert!(tokens(list.clone(), None, plain).await.unwrap_err().contains("token repeats"), "{list:?}");
    }
    assert!(tokens(vec![Some("s"), None], Some("s"), plain).await.unwrap_err().contains("token repeats"));
}
