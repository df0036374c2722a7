//! An API that answers by a closure, after a wait of its own, and a pipeline of one source whose manifest the test writes.
//! The API remembers every request and how many of one account were at work at once; batches are read back with all their parts checked.

use contract::batch::Batch;
use contract::landing::{Landing, paths};
use contract::report::{RunReport, UnitReport};
use contract::run_id::RunId;
use contract::secret::SecretSource;
use contract::shutdown::Shutdown;
use contract::stored::{self, Checkpoint};
use contract::unit::{Task, Unit};
use extract_job::{ExtractError, Options, Selection, extract};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const SALT: &str = "pepper-and-salt";

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    parameters: BTreeMap<String, String>,
}

impl Asked {
    /// A parameter; empty if it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A parameter that is a number; 0 if it was not sent.
    pub(crate) fn number(&self, name: &str) -> usize {
        self.get(name).parse().unwrap_or(0)
    }
}

/// An answer.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) wait: Duration,
}

impl Said {
    pub(crate) fn ok(body: &Value) -> Self {
        Self { status: 200, body: body.to_string(), wait: Duration::ZERO }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::ok(&json!({"error": "scripted"})) }
    }

    pub(crate) fn after(self, milliseconds: u64) -> Self {
        Self { wait: Duration::from_millis(milliseconds), ..self }
    }
}

#[derive(Default)]
struct Log {
    asked: Vec<Asked>,
    at_work: HashMap<String, usize>,
    most: usize,
}

/// Counts a request of an account as at work, until its answer goes out or nobody waits for it any more.
struct AtWork(Arc<Mutex<Log>>, String);

impl AtWork {
    fn begin(log: &Arc<Mutex<Log>>, asked: Asked) -> Self {
        let account = asked.get("account").to_owned();
        let mut inside = log.lock().unwrap();
        inside.asked.push(asked);
        let count = inside.at_work.entry(account.clone()).or_default();
        *count += 1;
        let now = *count;
        inside.most = inside.most.max(now);
        Self(log.clone(), account)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        *self.0.lock().unwrap().at_work.entry(self.1.clone()).or_default() -= 1;
    }
}

pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
    log: Arc<Mutex<Log>>,
}

struct Secrets;

impl SecretSource for Secrets {
    fn env(&self, name: &str) -> Option<String> {
        (name == "REDACT_SALT").then(|| SALT.to_owned())
    }

    fn file(&self, _path: &Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

impl Bench {
    /// The API with a pipeline file that reads all of the manifest's streams for the account `a`.
    pub(crate) async fn new(manifest: &Value, answer: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log: Arc<Mutex<Log>> = Arc::default();
        let (into, answer) = (log.clone(), Arc::new(answer));
        let serve = move |uri: axum::http::Uri| {
            let (into, answer) = (into.clone(), answer.clone());
            async move {
                let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned();
                let asked = Asked { path: uri.path().to_owned(), parameters: query.collect() };
                let _at_work = AtWork::begin(&into, asked.clone());
                let Said { status, body, wait } = answer(&asked);
                tokio::time::sleep(wait).await;
                let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
                (axum::http::StatusCode::from_u16(status).unwrap(), json, body)
            }
        };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(serve)).await });
        let bench = Self { url, folder: tempfile::tempdir().unwrap(), log };
        bench.write_manifest(manifest);
        bench.write_pipeline(&json!({}));
        bench
    }

    pub(crate) fn write_manifest(&self, manifest: &Value) {
        std::fs::write(self.folder.path().join("x.yaml"), manifest.to_string()).unwrap();
    }

    /// `extra` goes over the fields of the pipeline file, those of its `source` over the source's.
    pub(crate) fn write_pipeline(&self, extra: &Value) {
        let mut source = json!({
            "connector": "./x.yaml", "name": "s", "accounts": [{"id": "a", "config": {"api": self.url, "account": "a"}}],
        });
        let mut file = json!({"landing": "./landing", "warehouse": {"type": "duckdb", "path": "./w.duckdb"}});
        for (key, value) in extra.as_object().unwrap() {
            let into = if key == "source" { &mut source } else { &mut file };
            let added = if key == "source" { value.clone() } else { json!({ key: value }) };
            into.as_object_mut().unwrap().extend(added.as_object().unwrap().clone());
        }
        file["sources"] = json!([source]);
        std::fs::write(self.pipeline(), serde_json::to_string_pretty(&file).unwrap()).unwrap();
    }

    pub(crate) fn pipeline(&self) -> PathBuf {
        self.folder.path().join("pipeline.yaml")
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            pipeline: self.pipeline().to_string_lossy().into_owned(),
            run_id: None,
            selection: Selection::default(),
            full_refresh: false,
            range: None,
            limit: None,
            confirm: false,
            task: Task::ONLY,
            wait: false,
            wait_factor: 0.002,
        }
    }

    pub(crate) async fn try_extract(&self, options: Options) -> Result<RunReport, ExtractError> {
        extract(&options, &Secrets, &Shutdown::new()).await
    }

    pub(crate) async fn extract(&self) -> RunReport {
        self.try_extract(self.options()).await.unwrap()
    }

    /// Another try of a run.
    pub(crate) async fn extract_as(&self, run: &RunId) -> RunReport {
        self.try_extract(Options { run_id: Some(run.clone()), ..self.options() }).await.unwrap()
    }

    /// The program, to be run or started.
    pub(crate) fn program(&self, args: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_extract-job"));
        program.args(args).env("DRAYAGE_PIPELINE", self.pipeline()).env("DRAYAGE_WAIT_FACTOR", "0.002");
        program.env("DRAYAGE_LOG", "debug,hyper=info,h2=info,reqwest=info").env("REDACT_SALT", SALT);
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program
    }

    /// All requests so far, in the order of their arrival.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().asked.clone()
    }

    /// The requests since the last call.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.log.lock().unwrap().asked)
    }

    /// The most requests of one account that were at work at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.log.lock().unwrap().most
    }

    pub(crate) fn landing(&self) -> Arc<dyn Landing> {
        contract::landing::open_folder(&self.folder.path().join("landing")).unwrap()
    }

    pub(crate) async fn batch(&self, run: &RunId, stream: &str) -> Option<Batch> {
        stored::read_batch(self.landing().as_ref(), &unit(stream), run).await.unwrap()
    }

    /// The batch of a stream and its records in their order; everything about its parts is checked.
    pub(crate) async fn records(&self, run: &RunId, stream: &str) -> (Batch, Vec<Value>) {
        let batch = self.batch(run, stream).await.expect("the batch is complete");
        let landing = self.landing();
        let (mut records, mut bytes) = (Vec::new(), 0);
        for part in &batch.parts {
            let object = landing.get(&part.path).await.unwrap().expect("the part is there");
            assert_eq!((object.bytes.len() as u64, crc32c::crc32c(&object.bytes)), (part.bytes, part.crc32c));
            let mut text = String::new();
            flate2::read::MultiGzDecoder::new(&object.bytes[..]).read_to_string(&mut text).unwrap();
            bytes += text.len() as u64;
            let before = records.len();
            records.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            assert_eq!((records.len() - before) as u64, part.records);
        }
        assert_eq!((records.len() as u64, bytes), (batch.records, batch.bytes));
        (batch, records)
    }

    /// What the load would leave behind: the batch's state as the next run finds it.
    pub(crate) async fn checkpoint(&self, run: &RunId, stream: &str) {
        let state = self.batch(run, stream).await.unwrap().state_after.expect("the batch has a state");
        self.set_checkpoint(stream, state).await;
    }

    pub(crate) async fn set_checkpoint(&self, stream: &str, state: Value) {
        let checkpoint = Checkpoint {
            run_id: RunId::new(chrono::Utc::now()),
            state,
            updated_at: chrono::Utc::now(),
            table: None,
            covered: None,
        };
        stored::write(self.landing().as_ref(), &paths::checkpoint(&unit(stream)), &checkpoint).await.unwrap();
    }

    /// Everything that lies in the landing folder, parts decompressed.
    pub(crate) fn everything_stored(&self) -> String {
        fn walk(folder: &Path, into: &mut Vec<u8>) {
            for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
                let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
                if path.is_dir() {
                    walk(&path, into);
                } else if path.extension().is_some_and(|extension| extension == "gz") {
                    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(into).unwrap();
                } else {
                    into.extend(bytes);
                }
            }
        }
        let mut all = Vec::new();
        walk(&self.folder.path().join("landing"), &mut all);
        String::from_utf8_lossy(&all).into_owned()
    }
}

pub(crate) fn unit(stream: &str) -> Unit {
    Unit::new("s", "a", stream).unwrap()
}

pub(crate) fn of<'a>(report: &'a RunReport, stream: &str) -> &'a UnitReport {
    report.units.iter().find(|unit| unit.stream == stream).expect("the unit is in the report")
}

/// A manifest with so many slices at once.
pub(crate) fn manifest(streams: &[Value], at_once: usize) -> Value {
    json!({
        "version": "7.0.0", "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": [streams[0]["name"]]},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": at_once},
        "streams": streams,
    })
}

/// A stream that reads `/<name>`, its records under `items`; `retriever` and `fields` go over the retriever's and the stream's own.
pub(crate) fn stream(name: &str, retriever: &Value, fields: &Value) -> Value {
    let mut own = json!({
        "type": "SimpleRetriever",
        "requester": requester(name, &json!({})),
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["items"]}},
    });
    own.as_object_mut().unwrap().extend(retriever.as_object().unwrap().clone());
    let mut stream = json!({"type": "DeclarativeStream", "name": name, "primary_key": "id", "retriever": own});
    stream.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    stream
}

/// A requester of `/<path>`; `fields` go over its own.
pub(crate) fn requester(path: &str, fields: &Value) -> Value {
    let mut own = json!({
        "type": "HttpRequester", "url_base": "{{ config.api }}", "path": path,
        "request_parameters": {"account": "{{ config.account }}"},
    });
    own.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    own
}

/// Pages numbered from 0.
pub(crate) fn pages(size: usize) -> Value {
    json!({
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "page"},
        "pagination_strategy": {"type": "PageIncrement", "page_size": size, "inject_on_first_request": true},
    })
}

/// A cursor by `at` that asks with `since` and `until`; `fields` go over its own.
pub(crate) fn cursor(start: &str, fields: &Value) -> Value {
    let option = |name: &str| json!({"type": "RequestOption", "inject_into": "request_parameter", "field_name": name});
    let mut own = json!({
        "type": "DatetimeBasedCursor", "cursor_field": "at", "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
        "start_datetime": start, "start_time_option": option("since"), "end_time_option": option("until"),
    });
    own.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    own
}

/// The records of a page of this size; a request without a page gets the first.
pub(crate) fn page_of(records: &[Value], asked: &Asked, size: usize) -> Value {
    let from = (asked.number("page") * size).min(records.len());
    json!({"items": records[from..(from + size).min(records.len())], "total": records.len()})
}

/// The ids of records, sorted: a record that came twice stands there twice.
pub(crate) fn ids(records: &[Value]) -> Vec<i64> {
    let mut ids: Vec<i64> = records.iter().map(|record| record["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids
}
