//! `extract-job read`: the records of a manifest on standard output, for authors of connectors. No landing zone, no checkpoint.

use super::ExtractError;
use super::plain::host_in_clear;
use super::plan::PlanError;
use super::settings::complete;
use crate::http::account::Account;
use crate::http::client::Client;
use crate::http::retry::Waits;
use crate::http::trace::Trace;
use crate::manifest::Manifest;
use crate::read::cpu::Cpu;
use crate::read::memory::{PAGE_MEMORY, PageMemory};
use crate::read::page::{Page, ReadError};
use crate::read::progress::Progress;
use crate::read::slice::{Slice, SliceOutcome};
use crate::read::stream_reader::{Opened, Plan, RecordSink, SliceSink, StreamReader};
use crate::record::tree::write_text;
use crate::record_slicer::one_line;
use crate::redactor::Redactor;
use async_trait::async_trait;
use chrono::Utc;
use contract::exit::Exit;
use contract::pipeline::{Problems, StreamMode, did_you_mean};
use contract::secret::{Dotenv, DotenvError, SecretSource, WithDotenv, fetch, referring, resolve};
use contract::unit::Unit;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What to read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// A built-in connector's name or a manifest's path.
    pub manifest: String,
    /// A YAML or JSON file with the settings.
    pub config: Option<String>,
    /// The streams; all if there is none.
    pub streams: Vec<String>,
    /// A JSON file {stream: state}.
    pub state: Option<String>,
    /// Where the states after the reading go, as a JSON file {stream: state}.
    pub state_output: Option<String>,
    /// How records are printed.
    pub lines: Lines,
    /// At most so many records of each stream.
    pub limit: Option<u64>,
    /// Shows every request and answer on standard error, without secrets.
    pub trace: bool,
    /// Credentials may go over plain http to another machine.
    pub allow_plain_http: bool,
    /// The most MiB of one answer, uncompressed.
    pub max_page_mib: u32,
    /// Multiplies every wait between two tries; 1 outside of tests.
    pub wait_factor: f64,
}

/// Prints the records to `out`, one a line, and each stream's state to the log and, if asked for, to a file.
///
/// # Errors
/// Everything that is wrong with the files. A stream that fails makes the exit code 1.
pub async fn read(
    options: &ReadOptions,
    from: &(dyn SecretSource + Sync),
    out: &mut (dyn Write + Send),
) -> Result<Exit, ExtractError> {
    let manifest = Manifest::load(&options.manifest, Path::new("."))?;
    for warning in &manifest.warnings {
        tracing::warn!(file = %manifest.file, line = warning.line, "{}", warning.message);
    }
    let redactor = Redactor::default();
    let Settings { config, refers } = config(options, &manifest, &redactor, from).await?;
    let states = states(options)?;
    let all = manifest.streams(&config)?;
    let names: Vec<&str> = all.iter().map(|stream| stream.name.as_str()).collect();
    for name in &options.streams {
        if !names.contains(&name.as_str()) {
            let near = did_you_mean(name, names.iter().copied());
            return Err(problem(&manifest.file, format!("--stream {name}: there is no such stream{near}")));
        }
    }
    if !options.allow_plain_http
        && let Some(host) = host_in_clear(refers, &manifest, &all, &config)
    {
        let file = options.config.as_deref().unwrap_or(&manifest.file);
        return Err(problem(
            file,
            format!(
                "the credentials would be sent to `http://{host}` for everybody on the way to read: use https, or say --allow-plain-http"
            ),
        ));
    }
    let (memory, cpu) = (PageMemory::new(PAGE_MEMORY), Cpu::new());
    let client = Client::new(cpu.clone(), options.max_page_mib);
    let client = client.map_err(|error| ExtractError::Machine(error.to_string()))?;
    let waits = Waits { factor: options.wait_factor };
    let budget = manifest.source.budget.clone();
    let now = Utc::now();
    let account = Account::new("read".into(), &config, client, budget, redactor, waits);
    let account = if options.trace { account.with_trace(Trace::to_stderr()) } else { account };
    let scope = account.scope(now);
    let picked = |name: &String| options.streams.is_empty() || options.streams.contains(name);
    let streams = all.iter().filter(|stream| picked(&stream.name)).map(|stream| &**stream);
    let slices = manifest.source.concurrency.slices(&scope);
    let account = Arc::new(account.with_slices(slices).with_streams(streams, &scope));
    let mut exit = Exit::Done;
    let mut after = states.clone();
    for stream in &all {
        if !picked(&stream.name) {
            continue;
        }
        let unit = Unit { source: "read".into(), account: "read".into(), stream: stream.name.clone() };
        let reader = StreamReader::new(account.clone(), stream.clone(), unit, now, memory.clone(), cpu.clone());
        let snapshot = stream.mode() == StreamMode::Snapshot && !states.contains_key(&stream.name);
        let plan = Plan { state: states.get(&stream.name).cloned(), limit: options.limit, snapshot, ..Plan::default() };
        let (sender, receiver) = channel(8);
        let progress = Progress::default();
        let reading = async {
            let printer = Printer::new(&stream.name, options.lines, sender);
            reader.read_noting(&plan, &printer, &progress).await
        };
        let (result, printed) = futures::join!(reading, print(receiver, out));
        printed.map_err(|error| ExtractError::Machine(format!("print the records: {error}")))?;
        let state = match result {
            Ok(outcome) => {
                let state = outcome.state_after.as_ref().map(Value::to_string);
                tracing::info!(stream = %stream.name, records = outcome.records, state, "stream read");
                outcome.warnings.iter().for_each(|warning| tracing::warn!(stream = %stream.name, "{warning}"));
                outcome.state_after
            }
            Err(error) => {
                tracing::error!(stream = %stream.name, "{}", account.redactor.clean(&error.to_string()));
                exit = Exit::SomeFailed;
                reader.reached(&progress)
            }
        };
        if let Some(state) = state {
            after.insert(stream.name.clone(), state);
        }
    }
    if let Some(path) = &options.state_output {
        let text = format!("{:#}\n", Value::Object(after));
        std::fs::write(path, text).map_err(|error| problem(path, format!("cannot be written: {error}")))?;
    }
    Ok(exit)
}

async fn print(mut lines: Receiver<Vec<u8>>, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    while let Some(lines) = lines.recv().await {
        out.write_all(&lines)?;
        out.flush()?;
    }
    Ok(())
}

fn problem(file: &str, message: String) -> ExtractError {
    ExtractError::Plan(PlanError(vec![Problems::one(file, 0, "", message)]))
}

/// The connector's settings, and whether they refer to secrets.
struct Settings {
    config: Value,
    refers: bool,
}

async fn config(
    options: &ReadOptions,
    manifest: &Manifest,
    redactor: &Redactor,
    from: &(dyn SecretSource + Sync),
) -> Result<Settings, ExtractError> {
    let Some(path) = &options.config else {
        let empty = contract::yaml::Node { kind: contract::yaml::Kind::Map(Vec::new()), line: 0, column: 0 };
        return checked(manifest, "--config", empty, &[], redactor);
    };
    let text = std::fs::read_to_string(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    let node = contract::yaml::parse(&text).map_err(|error| problem(path, error.to_string()))?;
    let base = Path::new(path).parent().unwrap_or(Path::new("."));
    let dotenv = dotenv(base);
    let written = node.to_json();
    let store = fetch(&[&written], from).await;
    let (value, secrets) =
        resolve(&written, base, &WithDotenv::new(&store, dotenv.as_ref())).map_err(|unresolved| {
            let list = unresolved.into_iter().map(|u| contract::pipeline::Problem {
                line: node.nearest(&u.pointer).line,
                key: contract::pipeline::key_path(&u.pointer),
                message: u.message,
            });
            ExtractError::from(Problems { file: path.clone(), list: list.collect() })
        })?;
    secrets.iter().for_each(|secret| redactor.add(secret.expose()));
    checked(manifest, path, crate::manifest::spec::with_lines(&value, &node), &referring(&written), redactor)
}

/// The `.env` beside the settings, or else that of the working directory: an author may keep the settings of many connectors together.
fn dotenv(base: &Path) -> Result<Dotenv, DotenvError> {
    let beside = Dotenv::beside(base)?;
    if beside.place().is_some() { Ok(beside) } else { Dotenv::beside(Path::new(".")) }
}

fn checked(
    manifest: &Manifest,
    file: &str,
    node: contract::yaml::Node,
    referring: &[String],
    redactor: &Redactor,
) -> Result<Settings, ExtractError> {
    let (config, list) = complete(manifest, node, referring, redactor);
    let refers = !referring.is_empty();
    if list.is_empty() { Ok(Settings { config, refers }) } else { Err(Problems { file: file.to_owned(), list }.into()) }
}

fn states(options: &ReadOptions) -> Result<serde_json::Map<String, Value>, ExtractError> {
    let Some(path) = &options.state else { return Ok(serde_json::Map::new()) };
    let text = std::fs::read_to_string(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| problem(path, format!("is no mapping of streams to states: {error}")))
}

/// How records are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lines {
    /// The record alone.
    #[default]
    Records,
    /// `{"stream": …, "record": …}`.
    WithStream,
}

/// Turns pages into lines, which the reading of the stream prints.
#[derive(Clone)]
struct Printer {
    prefix: Vec<u8>,
    suffix: &'static [u8],
    lines: Sender<Vec<u8>>,
}

impl Printer {
    fn new(stream: &str, lines: Lines, into: Sender<Vec<u8>>) -> Self {
        let (mut prefix, mut suffix): (Vec<u8>, &[u8]) = (Vec::new(), b"\n");
        if lines == Lines::WithStream {
            prefix.extend_from_slice(b"{\"stream\":");
            write_text(&mut prefix, stream);
            prefix.extend_from_slice(b",\"record\":");
            suffix = b"}\n";
        }
        Self { prefix, suffix, lines: into }
    }
}

#[async_trait]
impl RecordSink for Printer {
    async fn open(&self, _slice: &Slice) -> Result<Opened, ReadError> {
        Ok(Opened::Sink(Box::new(self.clone())))
    }
}

#[async_trait]
impl SliceSink for Printer {
    async fn page(&mut self, page: Page, _total: Option<u64>) -> Result<(), ReadError> {
        let mut lines = Vec::with_capacity(page.body.bytes.len());
        for range in &page.records {
            lines.extend_from_slice(&self.prefix);
            lines.extend_from_slice(&one_line(page.body.bytes.get(range.clone()).unwrap_or_default()));
            lines.extend_from_slice(self.suffix);
        }
        drop(page);
        self.lines.send(lines).await.map_err(|_| ReadError("the records cannot be printed".into()))
    }

    async fn keep(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn discard(&mut self) -> Result<(), ReadError> {
        // What is printed cannot be taken back; the records come again.
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn finish(self: Box<Self>, _outcome: &SliceOutcome) -> Result<(), ReadError> {
        Ok(())
    }
}
