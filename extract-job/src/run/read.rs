//! `extract-job read`: the records of a manifest on standard output, for authors of connectors. No landing zone, no checkpoint.

use super::ExtractError;
use super::plan::{PlanError, complete};
use crate::http::account::Account;
use crate::http::client::Client;
use crate::http::retry::Waits;
use crate::manifest::Manifest;
use crate::read::cpu::Cpu;
use crate::read::memory::{PAGE_MEMORY, PageMemory};
use crate::read::page::{Page, ReadError};
use crate::read::stream_reader::{Plan, RecordSink, StreamReader};
use crate::record_slicer::one_line;
use crate::redactor::Redactor;
use async_trait::async_trait;
use chrono::Utc;
use contract::exit::Exit;
use contract::pipeline::{Problems, StreamMode, did_you_mean};
use contract::secret::{SecretSource, fetch, resolve};
use contract::unit::Unit;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

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
    /// At most so many records of each stream.
    pub limit: Option<u64>,
    /// Multiplies every wait between two tries; 1 outside of tests.
    pub wait_factor: f64,
}

/// Prints the records to `out`, one a line, and each stream's state to the log.
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
    let config = config(options, &manifest, &redactor, from).await?;
    let states = states(options)?;
    let names: Vec<&str> = manifest.source.streams.iter().map(|stream| stream.name.as_str()).collect();
    for name in &options.streams {
        if !names.contains(&name.as_str()) {
            let near = did_you_mean(name, names.iter().copied());
            return Err(problem(&manifest.file, format!("--stream {name}: there is no such stream{near}")));
        }
    }
    let client = Client::new().map_err(|error| ExtractError::Machine(error.to_string()))?;
    let waits = Waits { factor: options.wait_factor };
    let budget = manifest.source.budget.clone();
    let account = Arc::new(Account::new("read".into(), &config, client, budget, redactor, waits));
    let (memory, cpu) = (PageMemory::new(PAGE_MEMORY), Cpu::new());
    let mut exit = Exit::Done;
    for stream in &manifest.source.streams {
        if !options.streams.is_empty() && !options.streams.contains(&stream.name) {
            continue;
        }
        let unit = Unit { source: "read".into(), account: "read".into(), stream: stream.name.clone() };
        let reader = StreamReader::new(account.clone(), stream.clone(), unit, Utc::now(), memory.clone(), cpu.clone());
        let snapshot = stream.mode() == StreamMode::Snapshot;
        let plan = Plan { state: states.get(&stream.name).cloned(), limit: options.limit, snapshot, ..Plan::default() };
        match reader.read(&plan, &mut Printer { out }).await {
            Ok(outcome) => {
                let state = outcome.state_after.map(|state| state.to_string());
                tracing::info!(stream = %stream.name, records = outcome.records, state, "stream read");
            }
            Err(error) => {
                tracing::error!(stream = %stream.name, "{}", account.redactor.clean(&error.to_string()));
                exit = Exit::SomeFailed;
            }
        }
    }
    Ok(exit)
}

fn problem(file: &str, message: String) -> ExtractError {
    ExtractError::Plan(PlanError(vec![Problems::one(file, 0, "", message)]))
}

async fn config(
    options: &ReadOptions,
    manifest: &Manifest,
    redactor: &Redactor,
    from: &(dyn SecretSource + Sync),
) -> Result<Value, ExtractError> {
    let Some(path) = &options.config else {
        let empty = contract::yaml::Node { kind: contract::yaml::Kind::Map(Vec::new()), line: 0, column: 0 };
        return checked(manifest, "--config", empty, redactor);
    };
    let text = std::fs::read_to_string(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    let node = contract::yaml::parse(&text).map_err(|error| problem(path, error.to_string()))?;
    let base = Path::new(path).parent().unwrap_or(Path::new("."));
    let written = node.to_json();
    let store = fetch(&[&written], from).await;
    let (value, secrets) = resolve(&written, base, &store).map_err(|unresolved| {
        let list = unresolved.into_iter().map(|u| contract::pipeline::Problem {
            line: node.nearest(&u.pointer).line,
            key: contract::pipeline::key_path(&u.pointer),
            message: u.message,
        });
        ExtractError::from(Problems { file: path.clone(), list: list.collect() })
    })?;
    secrets.iter().for_each(|secret| redactor.add(secret.expose()));
    checked(manifest, path, crate::manifest::spec::with_lines(&value, &node), redactor)
}

fn checked(
    manifest: &Manifest,
    file: &str,
    node: contract::yaml::Node,
    redactor: &Redactor,
) -> Result<Value, ExtractError> {
    let (value, list) = complete(manifest, node, redactor);
    if list.is_empty() { Ok(value) } else { Err(Problems { file: file.to_owned(), list }.into()) }
}

fn states(options: &ReadOptions) -> Result<serde_json::Map<String, Value>, ExtractError> {
    let Some(path) = &options.state else { return Ok(serde_json::Map::new()) };
    let text = std::fs::read_to_string(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| problem(path, format!("is no mapping of streams to states: {error}")))
}

/// Writes records as lines.
struct Printer<'a> {
    out: &'a mut (dyn Write + Send),
}

#[async_trait]
impl RecordSink for Printer<'_> {
    async fn page(&mut self, page: Page, _total: Option<u64>) -> Result<(), ReadError> {
        let mut print = || {
            for range in &page.records {
                self.out.write_all(&one_line(page.body.bytes.get(range.clone()).unwrap_or_default()))?;
                self.out.write_all(b"\n")?;
            }
            self.out.flush()
        };
        print().map_err(|error: std::io::Error| ReadError(format!("print the records: {error}")))
    }

    async fn restart(&mut self) -> Result<(), ReadError> {
        // What is printed cannot be taken back; the records come again.
        Ok(())
    }
}
