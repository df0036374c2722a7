//! `extract-job check`: everything that is wrong with a pipeline or a manifest, at once; with `--connect` also one page per account.

use super::plan::{Share, plan};
use super::{ExtractError, Options, client, shared};
use crate::http::retry::Waits;
use crate::manifest::Manifest;
use crate::read::page::{Page, ReadError};
use crate::read::slice::{Slice, SliceOutcome};
use crate::read::stream_reader::{Opened, Plan, RecordSink, SliceSink, StreamReader};
use async_trait::async_trait;
use chrono::Utc;
use contract::pipeline::Pipeline;
use contract::round::RunRound;
use contract::run_id::RunId;
use contract::secret::SecretSource;
use contract::unit::Unit;
use std::collections::BTreeSet;
use std::path::Path;

/// What a check has found to be in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// A line for each thing that is in order.
    pub passed: Vec<String>,
    /// A line for each account that cannot be reached; empty without `--connect`.
    pub failed: Vec<String>,
    /// What is ignored.
    pub warnings: Vec<String>,
}

/// Checks a manifest by itself.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check_manifest(path: &str) -> Result<Checked, ExtractError> {
    let manifest = Manifest::load(path, Path::new("."))?;
    let names: Vec<&str> = manifest.source.streams.iter().map(|stream| stream.name.as_str()).collect();
    let passed = vec![format!("{}: {} streams: {}", manifest.file, names.len(), names.join(", "))];
    let warnings = manifest.warnings.iter().map(|w| format!("{}:{}: {}", manifest.file, w.line, w.message)).collect();
    Ok(Checked { passed, failed: Vec::new(), warnings })
}

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Connectors, and settings as far as they are known without a secret.
    WithoutSecrets,
    /// Also the secrets.
    Settings,
    /// Also each account's connection.
    Connection,
}

/// Checks a pipeline file, its connectors, settings and connections.
///
/// # Errors
/// Everything that is wrong with the files.
pub async fn check_pipeline(
    options: &Options,
    from: &(dyn SecretSource + Sync),
    depth: Depth,
) -> Result<Checked, ExtractError> {
    let now = Utc::now();
    let pipeline = Pipeline::open(&options.pipeline, from).await?;
    let share = if depth == Depth::WithoutSecrets { Share::WithoutSecrets } else { Share::All };
    let accounts = plan(&pipeline, &options.selection, share, from).await?;
    // Of a source, each of its accounts tells the same.
    let warnings: BTreeSet<String> = accounts.iter().flat_map(|account| account.warnings.iter().cloned()).collect();
    let warnings = warnings.into_iter().collect();
    let mut checked = Checked { warnings, ..Checked::default() };
    if depth != Depth::Connection {
        for account in &accounts {
            let unseen = if account.is_known() { "" } else { "; its secrets were not looked up" };
            checked.passed.push(format!("{}/{}: {} streams{unseen}", account.source, account.id, account.units.len()));
        }
        return Ok(checked);
    }
    let shared = shared(&pipeline, options, RunRound::first(RunId::new(now)), now)?;
    let client = client(&pipeline, &shared)?;
    for account_plan in &accounts {
        let account = account_plan.open(&client, Waits { factor: options.wait_factor });
        let first = account_plan.units.first().map(|work| work.stream.clone());
        let streams =
            if account_plan.check.is_empty() { first.into_iter().collect() } else { account_plan.check.clone() };
        for stream in streams {
            let unit = Unit {
                source: account_plan.source.clone(),
                account: account_plan.id.clone(),
                stream: stream.name.clone(),
            };
            let label = unit.to_string();
            let reader =
                StreamReader::new(account.clone(), stream, unit, now, shared.memory.clone(), shared.cpu.clone());
            match reader.read(&Plan { limit: Some(1), ..Plan::default() }, &Nowhere).await {
                Ok(outcome) if outcome.evidence.slices == 0 => {
                    checked.failed.push(format!("{label}: there is nothing to read: the parent stream is empty"));
                }
                Ok(_) => checked.passed.push(format!("{label}: connected")),
                Err(error) => checked.failed.push(format!("{label}: {}", account.redactor.clean(&error.to_string()))),
            }
        }
    }
    Ok(checked)
}

/// Takes pages and forgets them.
struct Nowhere;

#[async_trait]
impl RecordSink for Nowhere {
    async fn open(&self, _slice: &Slice) -> Result<Opened, ReadError> {
        Ok(Opened::Sink(Box::new(Self)))
    }
}

#[async_trait]
impl SliceSink for Nowhere {
    async fn page(&mut self, _page: Page, _total: Option<u64>) -> Result<(), ReadError> {
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn discard(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn finish(self: Box<Self>, _outcome: &SliceOutcome) -> Result<(), ReadError> {
        Ok(())
    }
}
