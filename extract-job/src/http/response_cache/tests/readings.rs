//! Two readings of one stream, the second of which follows on the pages that the first has left, until there are no more of them.

use super::{ResponseCache, Room, noise};
use crate::http::account::Account;
use crate::http::test_server::{TestServer, account, reply};
use crate::manifest::Manifest;
use crate::read::cpu::Cpu;
use crate::read::memory::PageMemory;
use crate::read::page::{Page, ReadError};
use crate::read::slice::{Slice, SliceOutcome};
use crate::read::stream_reader::{Opened, Plan, RecordSink, SliceSink, StreamReader};
use async_trait::async_trait;
use contract::unit::Unit;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

const MANIFEST: &str = r#"
version: 7.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [parents]}
streams:
- type: DeclarativeStream
  name: parents
  primary_key: id
  retriever:
    type: SimpleRetriever
    requester: {type: HttpRequester, url_base: "{{ config.api }}", path: parents}
    record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}
    paginator:
      type: DefaultPaginator
      x-read-ahead: 1
      page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
      pagination_strategy: {type: PageIncrement, page_size: 2, inject_on_first_request: true}
"#;

/// Takes the keys of records; at one page it waits until it is let on, or fails.
#[derive(Clone)]
struct Keys {
    keys: Arc<Mutex<Vec<u64>>>,
    at: usize,
    fails: bool,
    pages: Arc<Mutex<usize>>,
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Keys {
    fn stopping(at: usize, fails: bool) -> Self {
        let shut = || Arc::new(Semaphore::new(0));
        Self { keys: Arc::default(), at, fails, pages: Arc::default(), reached: shut(), go: shut() }
    }

    fn sorted(&self) -> Vec<u64> {
        let mut keys = self.keys.lock().unwrap().clone();
        keys.sort_unstable();
        keys
    }
}

#[async_trait]
impl RecordSink for Keys {
    async fn open(&self, _slice: &Slice) -> Result<Opened, ReadError> {
        Ok(Opened::Sink(Box::new(self.clone())))
    }
}

#[async_trait]
impl SliceSink for Keys {
    async fn page(&mut self, page: Page, _total: Option<u64>) -> Result<(), ReadError> {
        for range in &page.records {
            let record: Value = serde_json::from_slice(&page.body.bytes[range.clone()]).unwrap();
            self.keys.lock().unwrap().push(record["id"].as_u64().unwrap());
        }
        let number = {
            let mut pages = self.pages.lock().unwrap();
            *pages += 1;
            *pages
        };
        if number == self.at {
            if self.fails {
                return Err(ReadError("no more".into()));
            }
            self.reached.add_permits(1);
            self.go.acquire().await.unwrap().forget();
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn discard(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), ReadError> {
        self.keys.lock().unwrap().clear();
        Ok(())
    }

    async fn finish(self: Box<Self>, _outcome: &SliceOutcome) -> Result<(), ReadError> {
        Ok(())
    }
}

/// An API with these rows, and an account of which two streams read them.
async fn api(room: u64) -> (Arc<Mutex<Vec<u64>>>, TestServer, Arc<Account>, Manifest) {
    let rows = Arc::new(Mutex::new((1..=20).collect::<Vec<u64>>()));
    let served = rows.clone();
    let server = TestServer::start(move |_, uri, _| {
        let page: usize = uri.query().unwrap_or_default().trim_start_matches("page=").parse().unwrap();
        let rows = served.lock().unwrap();
        let items: Vec<Value> =
            rows.iter().skip(page * 2).take(2).map(|id| json!({"id": id, "text": noise(*id, 3000)})).collect();
        reply(200, &json!({ "items": items }).to_string())
    });
    let server = server.await;
    let config = json!({"api": server.url});
    let manifest = Manifest::parse("m.yaml", MANIFEST).unwrap();
    let streams = manifest.streams(&config).unwrap();
    let mut account = account(&config);
    account.cache = ResponseCache::within(&Room::of(room));
    let scope = account.scope(chrono::Utc::now());
    let account = account.with_streams([&*streams[0], &*streams[0]].into_iter(), &scope);
    (rows, server, Arc::new(account), manifest)
}

fn read(
    account: &Arc<Account>,
    manifest: &Manifest,
    sink: Keys,
) -> tokio::task::JoinHandle<Result<crate::read::stream_reader::Outcome, ReadError>> {
    let stream = manifest.streams(&Value::Null).unwrap()[0].clone();
    let unit = Unit::new("test", "one", "parents").unwrap();
    let memory = PageMemory::new(1 << 24);
    let reader = StreamReader::new(account.clone(), stream, unit, chrono::Utc::now(), memory, Cpu::new());
    tokio::spawn(async move { reader.read(&Plan { snapshot: true, ..Plan::default() }, &sink).await })
}

#[tokio::test]
async fn who_follows_on_kept_pages_to_where_they_end_begins_anew() {
    // The first reading fails, or its pages do not fit.
    for (case, room) in [("fails", 1 << 20), ("too large", 22_000)] {
        let (rows, server, account, manifest) = api(room).await;
        let first = Keys::stopping(3, case == "fails");
        let reading = read(&account, &manifest, first.clone());
        let second = Keys::stopping(1, false);
        let following = if case == "fails" {
            reading.await.unwrap().unwrap_err();
            read(&account, &manifest, second.clone())
        } else {
            first.reached.acquire().await.unwrap().forget();
            let following = read(&account, &manifest, second.clone());
            second.reached.acquire().await.unwrap().forget();
            first.go.add_permits(1);
            reading.await.unwrap().unwrap();
            assert_eq!(first.sorted(), (1..=20).collect::<Vec<_>>());
            following
        };
        if case == "fails" {
            second.reached.acquire().await.unwrap().forget();
        }
        let before = server.count();
        rows.lock().unwrap().remove(0);
        second.go.add_permits(1);
        let outcome = following.await.unwrap().unwrap();
        assert_eq!(second.sorted(), (2..=20).collect::<Vec<_>>(), "{case}: none falls between");
        assert!(outcome.evidence.is_whole(), "{case}: {:?}", outcome.evidence);
        assert!(server.count() > before, "{case}");
    }
}

#[tokio::test]
async fn who_follows_closely_needs_no_reading_of_its_own() {
    let (_rows, server, account, manifest) = api(1 << 20).await;
    let (first, second) = (Keys::stopping(3, false), Keys::stopping(5, false));
    let readings = [read(&account, &manifest, first.clone()), read(&account, &manifest, second.clone())];
    // Each leads for a while.
    second.reached.acquire().await.unwrap().forget();
    first.go.add_permits(1);
    second.go.add_permits(1);
    for reading in readings {
        reading.await.unwrap().unwrap();
    }
    assert_eq!([first.sorted(), second.sorted()], [(1..=20).collect::<Vec<_>>(), (1..=20).collect()]);
    assert_eq!(server.count(), 11, "each page once");
}
