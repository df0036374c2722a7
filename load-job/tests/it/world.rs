//! A small world for the load: a landing zone, a warehouse, batches written as the extract would write them, and a plain reading
//! of the tables that shares no code with the load. The warehouse is a DuckDB file beside a folder, or BigQuery (its emulator) beside a bucket.

mod batches;
mod cloud;
mod second_reading;
mod tables;

pub(crate) use batches::{Given, incremental, snapshot};
pub(crate) use second_reading::SecondReading;

use batches::write_batch;
use cloud::{BUCKET, Cloud};
use contract::google::Endpoint;
use contract::landing::{self, CloudStorageLanding, Landing, paths};
use contract::pipeline::Pipeline;
use contract::report::{Plan, RunReport, UnitReport, UnitStatus};
use contract::round::{Round, RunRound};
use contract::run_id::RunId;
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use contract::stored;
use contract::unit::{Task, Unit};
use load_job::run::{self, Options, RunError};
use sandbox::bigquery::Seat;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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
    /// More settings of the warehouse: `, location: EU`.
    pub(crate) warehouse: String,
    runs: u32,
    /// The day, hour and minute of the next run ids.
    clock: String,
}

/// Runs each test of a module against both warehouses; what is the same code for both, on the one that costs least.
macro_rules! on_each_warehouse {
    ($($name:ident),* $(,)? $(; on_duckdb_alone: $($alone:ident),* $(,)?)?) => {
        #[cfg(feature = "duckdb")]
        mod duckdb {
            $(#[test]
            fn $name() {
                super::$name(crate::world::World::duckdb);
            })*
            $($(#[test]
            fn $alone() {
                super::$alone(crate::world::World::duckdb);
            })*)?
        }

        // Without DuckDB nobody else calls them.
        $($(const _: fn(fn() -> crate::world::World) = $alone;)*)?

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
            clock: "20260101T0000".into(),
        }
    }

    pub(crate) fn bigquery() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let world = Self::duckdb();
        let seat = world.runtime.block_on(Seat::take()).unwrap();
        Self { project: Some(format!("project-{number}")), seat: Some(seat), ..world }
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
            None => format!("landing: landing\nwarehouse: {{type: duckdb, path: w.duckdb{}}}", self.warehouse),
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
            return Arc::new(CloudStorageLanding::at(endpoint, location.as_str()).unwrap());
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
        format!("{}{:02}Z-aaaaaa", self.clock, self.runs).parse().unwrap()
    }

    /// Sets the clock that makes run ids.
    pub(crate) fn set_clock(&mut self, minute: &str) {
        minute.clone_into(&mut self.clock);
    }

    /// Writes the batches of a run into the landing zone, all for the stream `things`.
    pub(crate) fn extract(&mut self, batches: &[Given]) -> RunId {
        let run = self.next_run();
        self.extract_round(batches, &RunRound::first(run.clone()));
        run
    }

    /// Writes the batches of one round of a run.
    pub(crate) fn extract_round(&self, batches: &[Given], reading: &RunRound) {
        let run = &reading.run;
        let landing = self.landing();
        let units: Vec<Unit> =
            batches.iter().map(|given| Unit::new(self.source, given.account, "things").unwrap()).collect();
        let now = chrono::Utc::now();
        self.runtime.block_on(async {
            let plan = Plan { run_id: run.clone(), tasks: 1, units: units.clone(), durations_ms: Default::default() };
            stored::extend_plan(landing.as_ref(), reading, &plan).await.unwrap();
            for (given, unit) in batches.iter().zip(&units) {
                write_batch(landing.as_ref(), given, unit, reading).await;
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
            stored::write(landing.as_ref(), &paths::report(reading, "extract", Task::ONLY), &report).await.unwrap();
        });
    }

    pub(crate) fn try_load(&self, run_id: &RunId, options: &Options) -> Result<RunReport, RunError> {
        self.load(run_id, options, &Shutdown::new(), self.landing())
    }

    /// A load that reads another landing zone than the world's own.
    pub(crate) fn load_over(&self, run_id: &RunId, landing: Arc<dyn Landing>) -> Vec<UnitReport> {
        self.load(run_id, &Options::default(), &Shutdown::new(), landing).unwrap().units
    }

    /// A load that may be told to stop.
    pub(crate) fn load_until(&self, run_id: &RunId, options: &Options, shutdown: &Shutdown) -> RunReport {
        self.load(run_id, options, shutdown, self.landing()).unwrap()
    }

    fn load(
        &self,
        run_id: &RunId,
        options: &Options,
        shutdown: &Shutdown,
        landing: Arc<dyn Landing>,
    ) -> Result<RunReport, RunError> {
        let pipeline = self.pipeline();
        let options = &Options { bigquery: self.bigquery_endpoint(), ..options.clone() };
        let report = run::load(&pipeline, &landing, options, run_id, Task::ONLY, shutdown, self.runtime.handle())?;
        for unit in report.units.iter().filter(|unit| unit.status == UnitStatus::Done) {
            let told =
                unit.rows_inserted + unit.rows_updated + unit.rows_unchanged + unit.rows_repeated + unit.rows_rejected;
            assert_eq!(unit.rows_extracted, told, "every record is told of: {unit:?}");
        }
        Ok(report)
    }

    /// The confirming round for those units that have suspects; `units` are those of the first, and get what it comes to.
    pub(crate) fn confirm(&self, run: &RunId, batches: &[Given], options: &Options, units: &mut [UnitReport]) {
        let suspected = |account: &str| units.iter().any(|unit| unit.account == account && unit.rows_suspected > 0);
        let again: Vec<Given> = batches.iter().filter(|given| suspected(given.account)).cloned().collect();
        if again.is_empty() {
            return;
        }
        self.extract_round(&again, &RunRound { run: run.clone(), round: Round::Confirm });
        for confirmed in self.load_with(run, &Options { confirm: true, ..options.clone() }) {
            let unit = units.iter_mut().find(|unit| unit.unit() == confirmed.unit()).unwrap();
            assert_eq!((confirmed.rows_inserted, confirmed.rows_updated), (0, 0), "nothing has changed meanwhile");
            (unit.rows_deleted, unit.rows_suspected) = (confirmed.rows_deleted, confirmed.rows_suspected);
        }
    }

    /// The keys that a reading of the account has found missing.
    pub(crate) fn suspects(&self, account: &str) -> Vec<String> {
        let unit = Unit::new(self.source, account, "things").unwrap();
        let found = self.runtime.block_on(contract::suspects::read(self.landing().as_ref(), &unit)).unwrap();
        let mut keys: Vec<String> = found.into_iter().flat_map(|found| found.keys).map(|key| key.join("|")).collect();
        keys.sort();
        keys
    }

    /// Where BigQuery is, in a world that has it.
    pub(crate) fn bigquery_endpoint(&self) -> Option<Endpoint> {
        self.project.as_ref().map(|_| plain(self.cloud().bigquery.url()))
    }

    pub(crate) fn load_with(&self, run_id: &RunId, options: &Options) -> Vec<UnitReport> {
        self.try_load(run_id, options).unwrap().units
    }

    /// Extracts and loads; what is missing is read once more, and is missing again. Every unit must be done.
    pub(crate) fn run(&mut self, batches: &[Given]) -> Vec<UnitReport> {
        let run = self.extract(batches);
        let mut units = self.load_with(&run, &Options::default());
        self.confirm(&run, batches, &Options::default(), &mut units);
        for unit in &units {
            assert_eq!(unit.status, UnitStatus::Done, "{:?}", unit.error);
        }
        units
    }
}

/// An endpoint without credentials.
fn plain(url: &str) -> Endpoint {
    Endpoint { url: url.to_owned(), takes_credentials: false }
}
