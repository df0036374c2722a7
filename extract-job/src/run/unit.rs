//! One unit's extract: state in, pages to parts, `batch.json` last. Whatever goes wrong, nothing is published.

use super::plan::WorkUnit;
use super::{Modes, Shared, confirm};
use crate::batch::batch_sink::{BatchSink, Stored};
use crate::batch::resume::{self, Basis, Resume};
use crate::components::datetime_based_cursor::Backfill;
use crate::http::account::Account;
use crate::read::page::ReadError;
use crate::read::stream_reader::{Outcome, Plan, StreamReader};
use chrono::{DateTime, Utc};
use contract::TOOL_VERSION;
use contract::batch::{BATCH_VERSION, Batch, BatchMode, Window};
use contract::evidence::Evidence;
use contract::landing::paths;
use contract::pipeline::StreamMode;
use contract::report::{Remedy, UnitReport, UnitStatus};
use contract::stored;
use contract::suspects::Suspects;
use contract::telemetry::{self, Event};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How a unit is read in this run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Way {
    pub(crate) mode: BatchMode,
    pub(crate) backfill: Option<Backfill>,
    pub(crate) limit: Option<u64>,
}

impl Way {
    /// A limited batch is not all there is: it is marked as a `window` without a state, so that the load neither deletes by it nor
    /// moves a checkpoint. Streams without a cursor have no part in a backfill.
    pub(crate) fn new(work: &WorkUnit, modes: &Modes) -> Option<Self> {
        if modes.backfill.is_some() && work.stream.cursor.is_none() {
            return None;
        }
        let whole = match work.mode {
            StreamMode::Snapshot => BatchMode::Snapshot,
            StreamMode::Incremental | StreamMode::Append => BatchMode::Incremental,
        };
        let part = modes.backfill.is_some() || modes.limit.is_some();
        Some(Self { mode: if part { BatchMode::Window } else { whole }, backfill: modes.backfill, limit: modes.limit })
    }
}

/// Extracts a unit. Never fails as a call: the report says how it went.
pub(crate) async fn extract(
    shared: &Shared,
    account: &Arc<Account>,
    work: &WorkUnit,
    suspects: Option<&Suspects>,
) -> UnitReport {
    let report = UnitReport::start(&work.unit, &work.table, Utc::now());
    telemetry::emit(&Event::UnitStarted { stage: "extract".into(), unit: work.unit.clone(), total: None });
    let report = match try_extract(shared, account, work, suspects, report.clone()).await {
        Ok(report) => report,
        Err(error) => report.fail(account.redactor.clean(&error.to_string()), Utc::now()),
    };
    telemetry::emit(&Event::UnitFinished {
        stage: "extract".into(),
        unit: work.unit.clone(),
        status: report.status.as_str().into(),
        records: report.rows_extracted,
        duration_ms: report.duration_ms,
        error: report.error.clone(),
    });
    report
}

async fn try_extract(
    shared: &Shared,
    account: &Arc<Account>,
    work: &WorkUnit,
    suspects: Option<&Suspects>,
    mut report: UnitReport,
) -> Result<UnitReport, ReadError> {
    let stored_error = |error: stored::StoredError| ReadError(error.to_string());
    if let Some(batch) =
        stored::read_batch(shared.landing.as_ref(), &work.unit, &shared.run).await.map_err(stored_error)?
    {
        return Ok(already_done(report, &batch));
    }
    if let Some(asked) = suspects
        && let Some(batch) = confirm::ask(shared, account, work, asked, report.started_at).await?
    {
        report.mode = batch.mode.as_str().into();
        (report.rows_extracted, report.bytes) = (batch.records, batch.bytes);
        let path = paths::batch(&work.unit, &shared.run);
        stored::write(shared.landing.as_ref(), &path, &batch).await.map_err(stored_error)?;
        return Ok(report.finish(Utc::now()));
    }
    let Some(way) = Way::new(work, &shared.modes) else {
        report.status = UnitStatus::Skipped;
        report.warnings.push("the stream has no cursor: it has no part in a backfill".into());
        return Ok(report.finish(Utc::now()));
    };
    report.mode = way.mode.as_str().into();
    let plan = reading_plan(shared, work, &way).await?;
    let resume = resume(shared, account, work, &way, &plan).await?.noting(work.redaction.clone());
    let (reader, goes_on) = (reader(shared, account, work, resume.now()), resume.goes_on());
    if let Err(error) = reader.check_state(&plan) {
        let why = account.redactor.clean(&error.to_string());
        return Ok(report.fail(why, Utc::now()).needing(Some(Remedy::FullRefresh)));
    }
    let (landing, buffers) = (shared.landing.clone(), account.client.buffers.clone());
    let (unit, run, cpu) = (work.unit.clone(), shared.run.clone(), shared.cpu.clone());
    let sink = BatchSink::new(landing, unit, run, shared.compression, cpu, buffers, resume);
    let outcome = match reader.read(&plan, &sink).await {
        Ok(outcome) => outcome,
        Err(error) => {
            match &work.redaction {
                Some(redaction) if redaction.has_failed() => sink.forget().await,
                _ => sink.save().await,
            }
            return Err(error);
        }
    };
    let stored = sink.clone().finish().await?;
    report.warnings.extend(judged(work, &stored, sink).await?);
    (report.rows_extracted, report.bytes) = (stored.records, stored.bytes);
    report.warnings.extend(outcome.warnings.iter().cloned());
    // What an earlier try has stored is not looked at again, and may have had the fields.
    let hints = work.hints.as_ref().filter(|_| !goes_on);
    report.warnings.extend(hints.and_then(|hints| hints.warning()));
    let has_progress = stored.has_progress;
    let batch = describe(shared, account, work, &way, plan, outcome, stored, report.started_at)?;
    let path = paths::batch(&work.unit, &shared.run);
    stored::write(shared.landing.as_ref(), &path, &batch).await.map_err(stored_error)?;
    if has_progress {
        resume::remove(shared.landing.as_ref(), &work.unit, &shared.run).await;
    }
    Ok(report.finish(Utc::now()))
}

/// What the redaction says of what is stored; where it missed, nothing of it stays.
pub(super) async fn judged(work: &WorkUnit, stored: &Stored, sink: BatchSink) -> Result<Vec<String>, ReadError> {
    let Some(redaction) = work.redaction.as_ref().filter(|_| stored.records > 0) else { return Ok(Vec::new()) };
    match redaction.verdict() {
        Ok(warnings) => Ok(warnings),
        Err(why) => {
            sink.forget().await;
            Err(ReadError(why))
        }
    }
}

/// Only what is read in several slices can be gone on with, and only where all of it is wanted.
fn may_resume(work: &WorkUnit, way: &Way) -> bool {
    let router = work.stream.retriever.router.as_ref();
    // Groups are others when a parent has come between two tries.
    let is_steady = router.is_none_or(|router| !router.has_groups());
    way.limit.is_none() && is_steady && (work.stream.cursor.is_some() || router.is_some())
}

/// What an earlier try of this run has stored of the unit.
async fn resume(
    shared: &Shared,
    account: &Account,
    work: &WorkUnit,
    way: &Way,
    plan: &Plan,
) -> Result<Resume, ReadError> {
    let mut hasher = DefaultHasher::new();
    format!("{:?} {:?} {}", work.stream, work.redaction, way.mode.as_str()).hash(&mut hasher);
    (account.config_digest, work.redaction.as_ref().map(|redaction| redaction.digest())).hash(&mut hasher);
    let basis = Basis {
        now: shared.now,
        state: plan.state.clone(),
        range: way.backfill.map(|Backfill { from, to }| (from, to)),
        shape: format!("{TOOL_VERSION} {} {:016x}", shared.compression.extension(), hasher.finish()),
    };
    if !may_resume(work, way) {
        return Ok(Resume::fresh(basis));
    }
    let found = Resume::read(shared.landing.as_ref(), &work.unit, &shared.run, basis).await;
    found.map_err(|error| ReadError(error.to_string()))
}

/// What to read: from the checkpoint on, unless the mode says otherwise.
pub(crate) async fn reading_plan(shared: &Shared, work: &WorkUnit, way: &Way) -> Result<Plan, ReadError> {
    let fresh = shared.modes.full_refresh || work.mode == StreamMode::Snapshot || way.backfill.is_some();
    let state = if fresh || !work.stream.is_stateful() {
        None
    } else {
        let checkpoint = stored::read_checkpoint(shared.landing.as_ref(), &work.unit).await;
        checkpoint.map_err(|error| ReadError(error.to_string()))?.map(|checkpoint| checkpoint.state)
    };
    let snapshot = work.mode == StreamMode::Snapshot && way.backfill.is_none();
    Ok(Plan { state, backfill: way.backfill, limit: way.limit, snapshot })
}

pub(crate) fn reader(shared: &Shared, account: &Arc<Account>, work: &WorkUnit, now: DateTime<Utc>) -> StreamReader {
    let (memory, cpu) = (shared.memory.clone(), shared.cpu.clone());
    let reader = StreamReader::new(account.clone(), work.stream.clone(), work.unit.clone(), now, memory, cpu);
    reader.redacting(work.redaction.clone()).hinting(work.hints.clone())
}

#[expect(clippy::too_many_arguments, reason = "all that the description is made of, and nothing else")]
pub(super) fn describe(
    shared: &Shared,
    account: &Account,
    work: &WorkUnit,
    way: &Way,
    plan: Plan,
    outcome: Outcome,
    stored: Stored,
    started_at: DateTime<Utc>,
) -> Result<Batch, ReadError> {
    let cursor = work.stream.cursor.as_ref();
    let cursor_field = cursor.map(|cursor| cursor.field(&account.scope(shared.now))).transpose().map_err(ReadError)?;
    Ok(Batch {
        version: BATCH_VERSION,
        run_id: shared.run.run.clone(),
        source: work.unit.source.clone(),
        account: work.unit.account.clone(),
        stream: work.unit.stream.clone(),
        table: work.table.clone(),
        primary_key: work.stream.primary_key.clone(),
        cursor_field: cursor_field.filter(|field| !field.is_empty()),
        cursor_formats: cursor.map(|cursor| cursor.formats().as_slice().to_vec()),
        mode: way.mode,
        window: way.backfill.map(|Backfill { from, to }| Window { from, to }),
        stable: outcome.evidence.is_whole(),
        evidence: Some(Evidence { scope: outcome.evidence.scope.shortened(), ..outcome.evidence }),
        state_before: plan.state,
        state_after: if way.mode == BatchMode::Window { None } else { outcome.state_after },
        records: stored.records,
        bytes: stored.bytes,
        parts: stored.parts,
        started_at,
        finished_at: Utc::now(),
        tool_version: TOOL_VERSION.into(),
        gone: Vec::new(),
        write: work.write,
        schema: work.schema.clone(),
        redacted: work.redacted.clone(),
    })
}

/// The report of a unit whose batch an earlier try of this task has completed.
fn already_done(mut report: UnitReport, batch: &Batch) -> UnitReport {
    report.status = UnitStatus::Skipped;
    report.mode = batch.mode.as_str().into();
    (report.rows_extracted, report.bytes) = (batch.records, batch.bytes);
    report.warnings.push("its batch of this run was complete already".into());
    report.finish(Utc::now())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use contract::pipeline::Redacted;
    use contract::unit::Unit;

    fn work(name: &str) -> WorkUnit {
        let manifest = Manifest::load("servicetitan", std::path::Path::new(".")).unwrap();
        let stream = manifest.source.stream(name).unwrap().clone();
        let unit = Unit::new("s", "a", name).unwrap();
        WorkUnit {
            unit,
            table: name.into(),
            mode: stream.mode(),
            stream,
            write: None,
            schema: None,
            redaction: None,
            redacted: Redacted::default(),
            hints: None,
            every: None,
        }
    }

    #[test]
    fn modes_of_whole_limited_and_backfilled_batches() {
        let backfill = Backfill { from: DateTime::UNIX_EPOCH, to: Utc::now() };
        let whole = Modes::default();
        let limited = Modes { limit: Some(5), ..Modes::default() };
        let filled = Modes { backfill: Some(backfill), ..Modes::default() };
        let cases = [
            ("business_units", &whole, Some(BatchMode::Snapshot)),
            ("jobs", &whole, Some(BatchMode::Incremental)),
            ("business_units", &limited, Some(BatchMode::Window)),
            ("jobs", &filled, Some(BatchMode::Window)),
            ("business_units", &filled, None),
        ];
        for (stream, modes, expected) in cases {
            assert_eq!(Way::new(&work(stream), modes).map(|way| way.mode), expected, "{stream} {modes:?}");
        }
    }
}
