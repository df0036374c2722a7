//! A small world for the load: a landing zone, a warehouse, batches written as the extract would write them, and a plain reading
//! of the tables that shares no code with the load. The warehouse is a DuckDB file beside a folder, or BigQuery (its emulator) beside a bucket.

use contract::batch::{BATCH_VERSION, Batch, BatchMode, Part, Write};
use contract::google::Endpoint;
use contract::landing::{self, CloudStorageLanding, Landing, paths};
use contract::pipeline::Pipeline;
use contract::report::{Plan, RunReport, UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use contract::stored;
use contract::unit::{Task, Unit};
use flate2::write::GzEncoder;
use load_job::run::{self, Options, RunError};
use sandbox::bigquery::BigQuery;
use sandbox::cloud_storage::CloudStorage;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    /// BigQuery: the world's own project; `None`: DuckDB.
    project: Option<String>,
    /// The one of the clouds that a BigQuery world lives in.
    seat: Option<Seat>,
    pub(crate) runtime: tokio::runtime::Runtime,
    /// The source's name, in the pipeline file and in the batches.
    pub(crate) source: &'static str,
    pub(crate) streams: String,
    pub(crate) accounts: Vec<String>,
    /// More settings of a BigQuery warehouse: `, location: EU`.
    pub(crate) warehouse: String,
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
    /// The state that the extract began with.
    pub(crate) before: Option<Value>,
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
        before: None,
        state: None,
    }
}

pub(crate) fn incremental(account: &'static str, records: &[Value]) -> Given {
    Given { mode: BatchMode::Incremental, state: Some(json!({"at": "later"})), ..snapshot(account, records) }
}

/// Runs each test of a module against both warehouses.
macro_rules! on_each_warehouse {
    ($($name:ident),* $(,)?) => {
        #[cfg(feature = "duckdb")]
        mod duckdb {
            $(#[test]
            fn $name() {
                super::$name(crate::world::World::duckdb);
            })*
        }

        mod bigquery {
            $(#[test]
            fn $name() {
                super::$name(crate::world::World::bigquery);
            })*
        }
    };
}
pub(crate) use on_each_warehouse;

impl World {
    pub(crate) fn duckdb() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            project: None,
            seat: None,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            source: "test",
            streams: "[things]".into(),
            accounts: vec!["a".into(), "b".into()],
            warehouse: String::new(),
            runs: 0,
        }
    }

    pub(crate) fn bigquery() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { project: Some(format!("project-{number}")), seat: Some(Seat::take()), ..Self::duckdb() }
    }

    pub(crate) fn is_bigquery(&self) -> bool {
        self.project.is_some()
    }

    /// Cloud Storage and BigQuery of a BigQuery world.
    pub(crate) fn cloud(&self) -> &'static Cloud {
        Cloud::get(self.seat.as_ref().unwrap())
    }

    /// The project of a BigQuery world.
    pub(crate) fn project(&self) -> &str {
        self.project.as_deref().unwrap()
    }

    pub(crate) fn pipeline(&self) -> Pipeline {
        let accounts: Vec<String> = self
            .accounts
            .iter()
            .map(|id| if id.starts_with('{') { id.clone() } else { format!("{{id: {id}}}") })
            .collect();
        let places = match &self.project {
            None => "landing: landing\nwarehouse: {type: duckdb, path: w.duckdb}".to_owned(),
            Some(project) => {
                format!(
                    "landing: gs://{BUCKET}/{project}\nwarehouse: {{type: bigquery, project: {project}{}}}",
                    self.warehouse
                )
            }
        };
        let text = format!(
            "{places}\nsources:\n  - connector: test\n    name: {}\n    accounts: [{}]\n    streams: {}\n",
            self.source,
            accounts.join(", "),
            self.streams
        );
        Pipeline::parse("pipeline.yaml", &text, self.dir.path(), &Machine).unwrap()
    }

    pub(crate) fn landing(&self) -> Arc<dyn Landing> {
        let location = self.pipeline().landing;
        if self.is_bigquery() {
            let endpoint = plain(self.cloud().storage.url());
            return Arc::new(CloudStorageLanding::at(endpoint, &location).unwrap());
        }
        landing::open(&location).unwrap()
    }

    /// The file that holds an object of the landing zone.
    pub(crate) fn object(&self, path: &str) -> PathBuf {
        match &self.project {
            None => self.dir.path().join("landing").join(path),
            Some(project) => self.cloud().storage.object_path(BUCKET, &format!("{project}/{path}")),
        }
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
            batches.iter().map(|given| Unit::new(self.source, given.account, "things").unwrap()).collect();
        let now = chrono::Utc::now();
        self.runtime.block_on(async {
            let plan = Plan { run_id: run.clone(), tasks: 1, units: units.clone(), durations_ms: Default::default() };
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
        self.load(run_id, options, &Shutdown::new())
    }

    /// A load that may be told to stop.
    pub(crate) fn load_until(&self, run_id: &RunId, options: &Options, shutdown: &Shutdown) -> RunReport {
        self.load(run_id, options, shutdown).unwrap()
    }

    fn load(&self, run_id: &RunId, options: &Options, shutdown: &Shutdown) -> Result<RunReport, RunError> {
        let (pipeline, landing) = (self.pipeline(), self.landing());
        let options = &Options { bigquery: self.bigquery_endpoint(), ..options.clone() };
        run::load(&pipeline, &landing, options, run_id, Task::ONLY, shutdown, self.runtime.handle())
    }

    /// Where BigQuery is, in a world that has it.
    pub(crate) fn bigquery_endpoint(&self) -> Option<Endpoint> {
        self.project.as_ref().map(|_| plain(self.cloud().bigquery.url()))
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

    /// Whether the table is there.
    pub(crate) fn has_table(&self) -> bool {
        match &self.project {
            #[cfg(feature = "duckdb")]
            None => {
                self.database().exists()
                    && !self.lines("SELECT table_name FROM duckdb_tables() WHERE table_name = 'things'").is_empty()
            }
            #[cfg(not(feature = "duckdb"))]
            None => unreachable!(),
            Some(_) => self.table().is_some(),
        }
    }

    #[cfg(feature = "duckdb")]
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("w.duckdb")
    }

    /// A query's rows as text, NULL as `NULL`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.project {
            #[cfg(feature = "duckdb")]
            None => self.duckdb_rows(sql),
            #[cfg(not(feature = "duckdb"))]
            None => unreachable!(),
            Some(project) => {
                let rows = self.runtime.block_on(self.cloud().bigquery.rows(project, sql)).unwrap();
                rows.into_iter()
                    .map(|row| row.into_iter().map(|cell| cell.unwrap_or("NULL".into())).collect())
                    .collect()
            }
        }
    }

    #[cfg(feature = "duckdb")]
    fn duckdb_rows(&self, sql: &str) -> Vec<Vec<String>> {
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

    /// Changes the table behind the load's back.
    pub(crate) fn tamper(&self, sql: &str) {
        match &self.project {
            #[cfg(feature = "duckdb")]
            None => duckdb::Connection::open(self.database()).unwrap().execute_batch(sql).unwrap(),
            #[cfg(not(feature = "duckdb"))]
            None => unreachable!(),
            Some(project) => {
                let url = format!("{}/bigquery/v2/projects/{project}/queries", self.cloud().bigquery.url());
                let body = json!({ "query": sql, "useLegacySql": false }).to_string();
                let answer = self.runtime.block_on(async {
                    let sent = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
                    sent.send().await.unwrap().text().await.unwrap()
                });
                assert!(!answer.contains("\"errors\"") && !answer.contains("\"error\""), "{sql}: {answer}");
            }
        }
    }

    /// `tables.get`.
    pub(crate) fn table(&self) -> Option<Value> {
        let project = self.project();
        let url =
            format!("{}/bigquery/v2/projects/{project}/datasets/bronze/tables/things", self.cloud().bigquery.url());
        let text = self.runtime.block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() });
        let table: Value = serde_json::from_str(&text).unwrap();
        table.get("schema").is_some().then_some(table)
    }

    /// An expression that shows an instant as DuckDB does.
    pub(crate) fn instant(&self, column: &str) -> String {
        if self.is_bigquery() { format!("REPLACE(CAST({column} AS STRING), '+00', '')") } else { column.into() }
    }

    /// Quotes a name.
    pub(crate) fn quoted(&self, name: &str) -> String {
        if self.is_bigquery() { format!("`{name}`") } else { format!("\"{name}\"") }
    }

    /// Columns and types of the table in DuckDB's words, audit columns left out.
    pub(crate) fn columns(&self) -> Vec<String> {
        if self.is_bigquery() {
            let audit = ["_etl_synced", "_etl_operation", "_etl_account", "_etl_row_hash"];
            let table = self.table().unwrap();
            let fields = table["schema"]["fields"].as_array().unwrap();
            let fields = fields.iter().map(|field| (field["name"].as_str().unwrap(), field["type"].as_str().unwrap()));
            let word = |ty: &str| match ty {
                "INTEGER" => "BIGINT",
                "FLOAT" => "DOUBLE",
                "STRING" => "VARCHAR",
                "NUMERIC" => "DECIMAL(38,9)",
                "DATETIME" => "TIMESTAMP",
                "BOOLEAN" => "BOOLEAN",
                "TIMESTAMP" => "TIMESTAMP",
                "DATE" => "DATE",
                "JSON" => "JSON",
                other => panic!("{other}"),
            };
            let own = fields.filter(|(name, _)| !audit.contains(name));
            return own.map(|(name, ty)| format!("{name} {}", word(ty))).collect();
        }
        self.lines(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'bronze' AND table_name = 'things' \
             AND NOT starts_with(column_name, '_etl_synced') AND column_name NOT IN ('_etl_operation', '_etl_account', '_etl_row_hash') \
             OR (schema_name = 'bronze' AND starts_with(column_name, '_etl_synced_')) ORDER BY column_index",
        )
    }
}

const BUCKET: &str = "landing";

/// An endpoint without credentials.
fn plain(url: &str) -> Endpoint {
    Endpoint { url: url.to_owned(), takes_credentials: false }
}

/// How many emulators run side by side. One is a single busy thread; more than there are test threads help nobody.
const CLOUDS: usize = 2;

/// A world's place in the cloud that fewest others were using when it came.
struct Seat(usize);

static TAKEN: Mutex<[usize; CLOUDS]> = Mutex::new([0; CLOUDS]);

impl Seat {
    fn take() -> Self {
        let mut taken = TAKEN.lock().unwrap();
        let cloud = (0..CLOUDS).min_by_key(|cloud| taken[*cloud]).unwrap();
        taken[cloud] += 1;
        Self(cloud)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner)[self.0] -= 1;
    }
}

/// Cloud Storage and BigQuery, a few for all worlds of this process; each world has its own project.
pub(crate) struct Cloud {
    pub(crate) storage: CloudStorage,
    pub(crate) bigquery: BigQuery,
    _root: TempDir,
}

impl Cloud {
    fn get(seat: &Seat) -> &'static Self {
        static ALL: [OnceLock<Cloud>; CLOUDS] = [const { OnceLock::new() }; CLOUDS];
        ALL[seat.0].get_or_init(|| {
            let root = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let options = sandbox::cloud_storage::Options {
                root: root.path().to_owned(),
                buckets: vec![BUCKET.into()],
                ..Default::default()
            };
            let storage = runtime.block_on(CloudStorage::start(options)).unwrap();
            // Polling has tests of its own; here it would only take time.
            let options = sandbox::bigquery::Options {
                gcs_root: root.path().to_owned(),
                polls_until_done: 1,
                ..Default::default()
            };
            let bigquery = runtime.block_on(BigQuery::start(options)).unwrap();
            Self { storage, bigquery, _root: root }
        })
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
        evidence: None,
        gone: Vec::new(),
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
    };
    stored::write(landing, &paths::batch(unit, run), &batch).await.unwrap();
}
