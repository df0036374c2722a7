//! The confirming round of a run: which units have rows that the first round's reading lacked, and that are to be looked for once more.

use super::plan::{AccountPlan, Accounts, WorkUnit};
use super::unit::{Way, describe, judged, reader};
use super::{ExtractError, Shared};
use crate::batch::batch_sink::BatchSink;
use crate::batch::resume::{Basis, Resume};
use crate::http::account::Account;
use crate::read::ask::Answers;
use crate::read::page::ReadError;
use crate::read::stream_reader::{Outcome, Plan};
use chrono::{DateTime, Utc};
use contract::batch::{Batch, BatchMode};
use contract::evidence::Evidence;
use contract::pipeline::{ConfirmDeletes, Pipeline, StreamMode};
use contract::suspects::{self, Suspects};
use contract::unit::Unit;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The units of this task's accounts that have suspects of this run.
pub(super) async fn awaited(
    pipeline: &Pipeline,
    accounts: &[AccountPlan],
    share: &Accounts,
    shared: &Shared,
) -> Result<BTreeMap<Unit, Suspects>, ExtractError> {
    let mut awaited = BTreeMap::new();
    let mine = accounts.iter().filter(|account| share.contains(&(account.source.clone(), account.id.clone())));
    for work in mine.flat_map(|account| &account.units).filter(|work| work.mode == StreamMode::Snapshot) {
        if pipeline.confirm_deletes(&work.unit.source, &work.unit.stream) != ConfirmDeletes::SameRun {
            continue;
        }
        let found = suspects::read(shared.landing.as_ref(), &work.unit).await?;
        if let Some(found) = found.filter(|found| found.await_confirmation_in(&shared.run.run)) {
            awaited.insert(work.unit.clone(), found);
        }
    }
    Ok(awaited)
}

/// Asks for the suspects by their keys, where the manifest says how; none where all is to be read once more instead.
pub(super) async fn ask(
    shared: &Shared,
    account: &Arc<Account>,
    work: &WorkUnit,
    suspects: &Suspects,
    started_at: DateTime<Utc>,
) -> Result<Option<Batch>, ReadError> {
    let Some(confirm) = &work.stream.confirm else { return Ok(None) };
    // What a filter leaves out, a hash stands for, or the warehouse spells its own way, cannot be asked for by its key.
    let is_filtered = work.stream.retriever.selector.filter.is_some();
    let mut key = work.stream.primary_key.iter().zip(&work.stream.key_paths);
    let is_redacted =
        work.redaction.as_ref().is_some_and(|redaction| key.any(|(name, path)| redaction.changes(name, path)));
    if is_filtered || is_redacted || !suspects.as_sent || suspects.primary_key != work.stream.primary_key {
        return Ok(None);
    }
    let reader = reader(shared, account, work, shared.now);
    let basis = Basis { now: shared.now, state: None, range: None, shape: String::new() };
    let (landing, buffers) = (shared.landing.clone(), account.client.buffers.clone());
    let (unit, run, cpu) = (work.unit.clone(), shared.run.clone(), shared.cpu.clone());
    let sink = BatchSink::new(landing, unit, run, shared.compression, cpu, buffers, Resume::fresh(basis));
    let answers = match reader.ask(confirm, &suspects.keys, &sink).await {
        Ok(answers) => answers,
        Err(error) => {
            if work.redaction.as_ref().is_some_and(|redaction| redaction.has_failed()) {
                sink.forget().await;
            }
            return Err(error);
        }
    };
    match answers {
        Answers::Unheeded => {
            tracing::warn!(unit = %work.unit, "the API ignores `x-confirm`; reading the whole stream once more");
            Ok(None)
        }
        Answers::Gone(gone) => {
            let way = Way { mode: BatchMode::Confirm, backfill: None, limit: None };
            let outcome =
                Outcome { records: 0, state_after: None, evidence: Evidence::default(), warnings: Vec::new() };
            let stored = sink.clone().finish().await?;
            let outcome = Outcome { warnings: judged(work, &stored, sink).await?, ..outcome };
            let batch = describe(shared, account, work, &way, Plan::default(), outcome, stored, started_at)?;
            Ok(Some(Batch { gone, ..batch }))
        }
    }
}
