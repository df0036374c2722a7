//! Batches as the extract would write them: two parts of lines, and what `batch.json` says of them.

use contract::batch::{BATCH_VERSION, Batch, BatchMode, Part, Write};
use contract::evidence::Evidence;
use contract::landing::{Landing, paths};
use contract::round::RunRound;
use contract::stored;
use contract::unit::Unit;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;

/// What a batch of the test holds; everything else is as the extract would say.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) account: &'static str,
    pub(crate) mode: BatchMode,
    pub(crate) stable: bool,
    pub(crate) keys: Vec<&'static str>,
    pub(crate) cursor: Option<&'static str>,
    /// The cursor's formats; none as in batches of before.
    pub(crate) formats: Option<Vec<&'static str>>,
    pub(crate) write: Option<Write>,
    pub(crate) schema: Option<Value>,
    pub(crate) lines: Vec<String>,
    /// The state that the extract began with.
    pub(crate) before: Option<Value>,
    pub(crate) state: Option<Value>,
    /// What the reading has proven, where `stable` does not say it all.
    pub(crate) evidence: Option<Evidence>,
    /// Keys that the API says it does not have.
    pub(crate) gone: Vec<&'static str>,
    /// What was taken out of its records, as a stream's entry in the pipeline file says it.
    pub(crate) redacted: Value,
}

pub(crate) fn snapshot(account: &'static str, records: &[Value]) -> Given {
    Given {
        account,
        mode: BatchMode::Snapshot,
        stable: true,
        keys: vec!["id"],
        cursor: None,
        formats: None,
        write: None,
        schema: None,
        lines: records.iter().map(Value::to_string).collect(),
        before: None,
        state: None,
        evidence: None,
        gone: Vec::new(),
        redacted: json!({}),
    }
}

pub(crate) fn incremental(account: &'static str, records: &[Value]) -> Given {
    Given { mode: BatchMode::Incremental, state: Some(json!({"at": "later"})), ..snapshot(account, records) }
}

/// Writes the batch of a unit, which is complete then.
pub(super) async fn write_batch(landing: &dyn Landing, given: &Given, unit: &Unit, reading: &RunRound) {
    let now = chrono::Utc::now();
    let mut parts = Vec::new();
    // Two parts, so that a batch is never one file by luck.
    let middle = given.lines.len().div_ceil(2);
    let halves = [&given.lines[..middle], &given.lines[middle..]];
    for (index, lines) in halves.into_iter().filter(|lines| !lines.is_empty()).enumerate() {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for line in lines {
            writeln!(encoder, "{line}").unwrap();
        }
        let path = paths::part(unit, reading, index, "gz");
        let mut writer = landing.write(&path).await.unwrap();
        writer.write(encoder.finish().unwrap().into()).await.unwrap();
        let written = writer.finish().await.unwrap();
        parts.push(Part { path, records: lines.len() as u64, bytes: written.bytes, crc32c: written.crc32c });
    }
    let batch = Batch {
        version: BATCH_VERSION,
        run_id: reading.run.clone(),
        source: unit.source.clone(),
        account: unit.account.clone(),
        stream: unit.stream.clone(),
        table: "things".into(),
        primary_key: given.keys.iter().map(|key| (*key).to_owned()).collect(),
        cursor_field: given.cursor.map(str::to_owned),
        cursor_formats: given.formats.as_ref().map(|list| list.iter().map(|format| (*format).to_owned()).collect()),
        mode: given.mode,
        window: None,
        stable: given.stable,
        evidence: given.evidence.clone(),
        gone: given.gone.iter().map(|key| vec![(*key).to_owned()]).collect(),
        state_before: given.before.clone(),
        state_after: given.state.clone(),
        records: given.lines.len() as u64,
        bytes: given.lines.iter().map(|line| line.len() as u64 + 1).sum(),
        parts,
        started_at: now,
        finished_at: now,
        tool_version: "test".into(),
        write: given.write,
        schema: given.schema.clone(),
        redacted: serde_json::from_value(given.redacted.clone()).unwrap(),
    };
    stored::write(landing, &paths::batch(unit, reading), &batch).await.unwrap();
}
