//! Runs that no extract has made: written record by record, or made of another run, with some records changed or none.
//! Each looks to the load as an extract's: plan, batches, report.

use crate::place::Place;
use contract::batch::{BATCH_VERSION, Batch, BatchMode, Part};
use contract::evidence::Evidence;
use contract::landing::{Landing, paths};
use contract::report::{Plan, RunReport, TaskStatus, UnitReport};
use contract::run_id::RunId;
use contract::stored;
use contract::unit::{Task, Unit};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

/// As the extract does it.
const PART_BYTES: u64 = 128 * 1024 * 1024;
/// The source, account and stream of runs that are written here, and their part of a pipeline file.
const UNIT: (&str, &str, &str) = ("made", "bench", "things");
pub(crate) const SOURCE: &str =
    "  - connector: servicetitan\n    name: made\n    accounts: [{id: bench, config: {}}]\n    streams: [things]\n";

/// Writes a run of one unit with so many records; `write` appends one, without the line's end.
pub(crate) fn written(place: &Place, records: usize, write: impl Fn(usize, &mut Vec<u8>)) -> RunId {
    let (source, account, stream) = UNIT;
    let unit = Unit::new(source, account, stream).expect("a unit");
    let now = chrono::Utc::now();
    let run = RunId::new(now);
    let mut parts = Parts::new(place, &unit, &run);
    let mut line = Vec::new();
    for number in 0..records {
        line.clear();
        write(number, &mut line);
        parts.line(&line);
    }
    let (parts, records, bytes) = parts.finish();
    let evidence = Evidence { slices: 1, total: Some(records), received: records, ..Evidence::default() };
    let batch = Batch {
        version: BATCH_VERSION,
        run_id: run.clone(),
        source: unit.source.clone(),
        account: unit.account.clone(),
        stream: unit.stream.clone(),
        table: stream.to_owned(),
        primary_key: vec!["id".to_owned()],
        cursor_field: None,
        cursor_formats: None,
        mode: BatchMode::Snapshot,
        window: None,
        stable: true,
        evidence: Some(evidence),
        state_before: None,
        state_after: None,
        records,
        bytes,
        parts,
        started_at: now,
        finished_at: now,
        tool_version: contract::TOOL_VERSION.to_owned(),
        gone: Vec::new(),
        write: None,
        schema: None,
        redacted: contract::pipeline::Redacted::default(),
    };
    publish(place, &run, &[batch]);
    run
}

/// A later run with the same records.
pub(crate) fn again(place: &Place, run: &RunId) -> RunId {
    derived(place, run, 2, |batch, later| {
        let unit = batch.unit();
        let parts = batch.parts.iter().enumerate().map(|(index, part)| {
            let path = paths::part(&unit, later, index, "gz");
            let (from, to) = (place.path("landing").join(&part.path), place.path("landing").join(&path));
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("the folder is made");
            std::fs::hard_link(from, to).expect("the part is linked");
            Part { path, ..part.clone() }
        });
        (parts.collect(), batch.records, batch.bytes)
    })
}

/// A later run of which one record in so many has another content.
pub(crate) fn changed(place: &Place, run: &RunId, one_in: usize) -> RunId {
    derived(place, run, 1, |batch, later| {
        let unit = batch.unit();
        let mut parts = Parts::new(place, &unit, later);
        let mut number = 0;
        for part in &batch.parts {
            let file = File::open(place.path("landing").join(&part.path)).expect("the part opens");
            for line in BufReader::new(MultiGzDecoder::new(file)).split(b'\n') {
                let line = line.expect("the part is read");
                if number % one_in == 0 {
                    parts.line(&other_content(&line))
                } else {
                    parts.line(&line)
                }
                number += 1;
            }
        }
        parts.finish()
    })
}

/// The files of a run, in order.
pub(crate) fn files(place: &Place, run: &RunId) -> Vec<PathBuf> {
    let parts = batches_of(place, run).into_iter().flat_map(|batch| batch.parts);
    parts.map(|part| place.path("landing").join(part.path)).collect()
}

pub(crate) fn records(place: &Place, run: &RunId) -> usize {
    batches_of(place, run).iter().map(|batch| batch.records as usize).sum()
}

/// Size of all records of a run, before compression.
pub(crate) fn bytes(place: &Place, run: &RunId) -> u64 {
    batches_of(place, run).iter().map(|batch| batch.bytes).sum()
}

/// What the load of a run did: rows inserted, updated and left as they were.
pub(crate) fn loaded(place: &Place, run: &RunId) -> (u64, u64, u64) {
    let landing = place.landing();
    let report = place.wait(stored::read_report(landing.as_ref(), run, "load", Task::ONLY)).expect("the load's report");
    let units = report.expect("the run was loaded").units;
    let sum = |count: fn(&UnitReport) -> u64| units.iter().map(count).sum();
    (sum(|unit| unit.rows_inserted), sum(|unit| unit.rows_updated), sum(|unit| unit.rows_unchanged))
}

fn batches_of(place: &Place, run: &RunId) -> Vec<Batch> {
    let landing = place.landing();
    let plan = place.wait(stored::read::<Plan>(landing.as_ref(), &paths::plan(run))).expect("plan.json");
    let units = plan.expect("the run has a plan").units;
    let batch = |unit: &Unit| place.wait(stored::read_batch(landing.as_ref(), unit, run)).expect("batch.json");
    units.iter().map(|unit| batch(unit).expect("the batch is complete")).collect()
}

fn derived(place: &Place, run: &RunId, seconds: i64, parts: impl Fn(&Batch, &RunId) -> (Vec<Part>, u64, u64)) -> RunId {
    let time = run.started() + chrono::TimeDelta::seconds(seconds);
    let later: RunId = format!("{}-bench{seconds}", time.format("%Y%m%dT%H%M%SZ")).parse().expect("a run id");
    let made: Vec<Batch> = batches_of(place, run)
        .into_iter()
        .map(|batch| {
            let (parts, records, bytes) = parts(&batch, &later);
            Batch { run_id: later.clone(), parts, records, bytes, ..batch }
        })
        .collect();
    publish(place, &later, &made);
    later
}

fn publish(place: &Place, run: &RunId, batches: &[Batch]) {
    let landing = place.landing();
    let units = batches.iter().map(Batch::unit).collect();
    let plan = Plan { run_id: run.clone(), tasks: 1, units, durations_ms: Default::default() };
    let now = chrono::Utc::now();
    let report = |batch: &Batch| {
        let mut report = UnitReport::start(&batch.unit(), &batch.table, now);
        report.mode = batch.mode.as_str().to_owned();
        (report.rows_extracted, report.bytes) = (batch.records, batch.bytes);
        report
    };
    let report = RunReport {
        version: 1,
        run_id: run.clone(),
        stage: "extract".to_owned(),
        task_index: 0,
        task_count: 1,
        status: TaskStatus::Finished,
        started_at: now,
        finished_at: now,
        tool_version: contract::TOOL_VERSION.to_owned(),
        units: batches.iter().map(report).collect(),
    };
    place.wait(async {
        let landing = landing.as_ref();
        stored::write(landing, &paths::plan(run), &plan).await.expect("the plan is written");
        for batch in batches {
            stored::write(landing, &paths::batch(&batch.unit(), run), batch).await.expect("the batch is written");
        }
        let path = paths::report(run, "extract", Task::ONLY);
        stored::write(landing, &path, &report).await.expect("the report is written");
    });
}

/// The record with its first text that is a word made longer; its key stays.
fn other_content(line: &[u8]) -> Vec<u8> {
    let mut record: Value = serde_json::from_slice(line).expect("a record");
    let mut texts = record.as_object_mut().into_iter().flat_map(|fields| fields.values_mut());
    let is_word =
        |value: &Value| value.as_str().is_some_and(|text| text.contains(|letter: char| letter.is_lowercase()));
    let text = texts.find(|value| is_word(value)).expect("a record has a text");
    *text = Value::from(format!("{} changed", text.as_str().unwrap_or_default()));
    serde_json::to_vec(&record).expect("a record is JSON")
}

/// Writes the parts of a batch.
struct Parts<'a> {
    place: &'a Place,
    unit: &'a Unit,
    run: &'a RunId,
    encoder: GzEncoder<Vec<u8>>,
    in_part: (u64, u64),
    done: Vec<Part>,
    bytes: u64,
}

impl<'a> Parts<'a> {
    fn new(place: &'a Place, unit: &'a Unit, run: &'a RunId) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self { place, unit, run, encoder, in_part: (0, 0), done: Vec::new(), bytes: 0 }
    }

    fn line(&mut self, line: &[u8]) {
        let both = self.encoder.write_all(line).and_then(|()| self.encoder.write_all(b"\n"));
        both.expect("memory takes it");
        self.in_part.0 += 1;
        self.in_part.1 += line.len() as u64 + 1;
        if self.in_part.1 >= PART_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        let (records, bytes) = std::mem::take(&mut self.in_part);
        if records == 0 {
            return;
        }
        let encoder = std::mem::replace(&mut self.encoder, GzEncoder::new(Vec::new(), Compression::fast()));
        let packed = encoder.finish().expect("memory takes it");
        let path = paths::part(self.unit, self.run, self.done.len(), "gz");
        let written = self.place.wait(store(self.place.landing().as_ref(), &path, packed));
        self.done.push(Part { path, records, bytes: written.bytes, crc32c: written.crc32c });
        self.bytes += bytes;
    }

    /// The parts, the records in them and their bytes.
    fn finish(mut self) -> (Vec<Part>, u64, u64) {
        self.close();
        let records = self.done.iter().map(|part| part.records).sum();
        (self.done, records, self.bytes)
    }
}

async fn store(landing: &dyn Landing, path: &str, packed: Vec<u8>) -> contract::landing::Written {
    let mut writer = landing.write(path).await.expect("the part begins");
    writer.write(packed.into()).await.expect("the disk takes it");
    writer.finish().await.expect("the part is stored")
}
