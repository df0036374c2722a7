//! A small world for the load: a landing folder, a DuckDB file, batches written as the extract would write them, and a plain reading
//! of the tables that shares no code with the load.

use contract::batch::{BATCH_VERSION, Batch, BatchMode, Part, Write};
use contract::landing::{self, Landing, paths};
use contract::pipeline::Pipeline;
use contract::report::{Plan, RunReport, UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use contract::stored;
use contract::unit::{Task, Unit};
use flate2::write::GzEncoder;
use load_job::run::{self, Options, RunError};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) streams: String,
    pub(crate) accounts: Vec<String>,
    runs: u32,
}

/// What a batch of the test holds; everything else is as the extract would say.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) account: &'static str,
    pub(crate) mode: BatchMode,
    pub(crate) stable: bool,
    pub(crate) keys: Vec<&'static str>,
    pub(crate) cursor: Option<&'static str>,
    pub(crate) write: Option<Write>,
    pub(crate) schema: Option<Value>,
    pub(crate) lines: Vec<String>,
    pub(crate) state: Option<Value>,
}

pub(crate) fn snapshot(account: &'static str, records: &[Value]) -> Given {
    Given {
        account,
        mode: BatchMode::Snapshot,
        stable: true,
        keys: vec!["id"],
        cursor: None,
        write: None,
        schema: None,
        lines: records.iter().map(Value::to_string).collect(),
        state: None,
    }
}

pub(crate) fn incremental(account: &'static str, records: &[Value]) -> Given {
    Given { mode: BatchMode::Incremental, state: Some(json!({"at": "later"})), ..snapshot(account, records) }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
            streams: "[things]".into(),
            accounts: vec!["a".into(), "b".into()],
            runs: 0,
        }
    }

    pub(crate) fn pipeline(&self) -> Pipeline {
        let accounts: Vec<String> = self.accounts.iter().map(|id| format!("{{id: {id}}}")).collect();
        let text = format!(
            "landing: landing\nwarehouse: {{type: duckdb, path: w.duckdb}}\nsources:\n  - connector: test\n    accounts: [{}]\n    streams: {}\n",
            accounts.join(", "),
            self.streams
        );
        Pipeline::parse("pipeline.yaml", &text, self.dir.path(), &Machine).unwrap()
    }

    pub(crate) fn landing(&self) -> Arc<dyn Landing> {
        landing::open(&self.pipeline().landing).unwrap()
    }

    /// Run ids that rise from call to call.
    pub(crate) fn next_run(&mut self) -> RunId {
        self.runs += 1;
        format!("20260101T0000{:02}Z-aaaaaa", self.runs).parse().unwrap()
    }

    /// Writes the batches of a run into the landing zone, all for the stream `things`.
    pub(crate) fn extract(&mut self, batches: &[Given]) -> RunId {
        let run = self.next_run();
        let landing = self.landing();
        let units: Vec<Unit> =
            batches.iter().map(|given| Unit::new("test", given.account, "things").unwrap()).collect();
        let now = chrono::Utc::now();
        self.runtime.block_on(async {
            let plan = Plan { run_id: run.clone(), tasks: 1, units: units.clone() };
            stored::extend_plan(landing.as_ref(), &run, &plan).await.unwrap();
            for (given, unit) in batches.iter().zip(&units) {
                write_batch(landing.as_ref(), given, unit, &run).await;
            }
            let reports = batches.iter().zip(&units).map(|(given, unit)| {
                let mut report = UnitReport::start(unit, "things", now);
                report.rows_extracted = given.lines.len() as u64;
                report
            });
            let report = RunReport {
                version: 1,
                run_id: run.clone(),
                stage: "extract".into(),
                task_index: 0,
                task_count: 1,
                status: contract::report::TaskStatus::Finished,
                started_at: now,
                finished_at: now,
                tool_version: "test".into(),
                units: reports.collect(),
            };
            stored::write(landing.as_ref(), &paths::report(&run, "extract", Task::ONLY), &report).await.unwrap();
        });
        run
    }

    pub(crate) fn try_load(&self, run_id: &RunId, options: &Options) -> Result<RunReport, RunError> {
        let (pipeline, landing) = (self.pipeline(), self.landing());
        run::load(&pipeline, &landing, options, run_id, Task::ONLY, &Shutdown::new(), self.runtime.handle())
    }

    pub(crate) fn load_with(&self, run_id: &RunId, options: &Options) -> Vec<UnitReport> {
        self.try_load(run_id, options).unwrap().units
    }

    /// Extracts and loads; every unit must be done.
    pub(crate) fn run(&mut self, batches: &[Given]) -> Vec<UnitReport> {
        let run = self.extract(batches);
        let units = self.load_with(&run, &Options::default());
        for unit in &units {
            assert_eq!(unit.status, UnitStatus::Done, "{:?}", unit.error);
        }
        units
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("w.duckdb")
    }

    /// A query's rows as text, NULL as `NULL`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let connection = duckdb::Connection::open(self.database()).unwrap();
        let mut statement = connection.prepare(&format!("SELECT columns(*)::VARCHAR FROM ({sql})")).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut out = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let width = row.as_ref().column_count();
            out.push((0..width).map(|i| row.get::<_, Option<String>>(i).unwrap().unwrap_or("NULL".into())).collect());
        }
        out
    }

    /// The rows of one query, each as one line.
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|row| row.join(" ")).collect()
    }

    /// Columns and types of the table, audit columns left out.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.lines(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'bronze' AND table_name = 'things' \
             AND NOT starts_with(column_name, '_etl_synced') AND column_name NOT IN ('_etl_operation', '_etl_account', '_etl_row_hash') \
             OR (schema_name = 'bronze' AND starts_with(column_name, '_etl_synced_')) ORDER BY column_index",
        )
    }
}

async fn write_batch(landing: &dyn Landing, given: &Given, unit: &Unit, run: &RunId) {
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
        let path = paths::part(unit, run, index, "gz");
        let mut writer = landing.write(&path).await.unwrap();
        writer.write(encoder.finish().unwrap().into()).await.unwrap();
        let written = writer.finish().await.unwrap();
        parts.push(Part { path, records: lines.len() as u64, bytes: written.bytes, crc32c: written.crc32c });
    }
    let batch = Batch {
        version: BATCH_VERSION,
        run_id: run.clone(),
        source: unit.source.clone(),
        account: unit.account.clone(),
        stream: unit.stream.clone(),
        table: "things".into(),
        primary_key: given.keys.iter().map(|key| (*key).to_owned()).collect(),
        cursor_field: given.cursor.map(str::to_owned),
        mode: given.mode,
        window: None,
        stable: given.stable,
        state_before: None,
        state_after: given.state.clone(),
        records: given.lines.len() as u64,
        bytes: given.lines.iter().map(|line| line.len() as u64 + 1).sum(),
        parts,
        started_at: now,
        finished_at: now,
        tool_version: "test".into(),
        write: given.write,
        schema: given.schema.clone(),
    };
    stored::write(landing, &paths::batch(unit, run), &batch).await.unwrap();
}
