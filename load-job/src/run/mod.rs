//! A load run: which units, grouped by target table, this task's share, one table after the other, and the report.
//! One table's failure never stops the others.

mod absent;
mod adopt;
mod attempt;
mod check;
mod continuity;
mod error;
mod finish;
mod judge;
mod order_of_runs;
mod pass;
mod reject;
mod rewrite;
mod select;
mod table;
mod warehouses;

pub use adopt::{AdoptOrder, Adoptee, adopt};
pub use error::LoadError;
pub use select::select_run;

use crate::warehouse::bigquery::Place;
use crate::warehouse::{TableName, TableOrder, Warehouse, WarehouseError};
use chrono::Utc;
use contract::TOOL_VERSION;
use contract::google::Endpoint;
use contract::landing::{Landing, paths};
use contract::pipeline::{Pipeline, StreamSettings};
use contract::report::{RunReport, TaskStatus, UnitReport, UnitStatus};
use contract::round::{Round, RunRound};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::{self, StoredError};
use contract::telemetry::{self, Event};
use contract::unit::{Task, Unit};
use pass::Workers;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use warehouses::Warehouses;

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The run whose batches are loaded; `None`: the newest run whose extract has finished.
    pub run_id: Option<RunId>,
    /// Only these sources; empty: all.
    pub sources: Vec<String>,
    /// Only these accounts; empty: all.
    pub accounts: Vec<String>,
    /// Only these streams; empty: all.
    pub streams: Vec<String>,
    /// Lets a snapshot delete any share of the rows.
    pub allow_mass_delete: bool,
    /// Applies a batch that is older than the last one applied.
    pub force: bool,
    /// Writes rows of the same content anew.
    pub rewrite: bool,
    /// Loads the run's confirming round.
    pub confirm: bool,
    /// Lets a stream write rows that another one has written so far.
    pub take_over: bool,
    /// Computes the change set and changes nothing.
    pub dry_run: bool,
    /// Where BigQuery is reached; `None`: as the environment says.
    pub bigquery: Option<Endpoint>,
}

/// Why nothing could be done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A filter or run id that names nothing, or a warehouse that is not supported.
    #[error("{0}")]
    Usage(String),
    /// The landing zone, or a file in it.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// The warehouse.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
}

/// A unit and what the pipeline file says of its stream.
#[derive(Debug, Clone)]
pub(crate) struct UnitWork {
    pub(crate) unit: Unit,
    pub(crate) settings: StreamSettings,
    /// The round of the run whose batch is loaded.
    pub(crate) round: Round,
    /// Another unit that writes into the same table for the same account.
    pub(crate) rival: Option<Unit>,
}

/// The units that go into one table.
#[derive(Debug, Clone)]
pub(crate) struct TableGroup {
    pub(crate) table: TableName,
    /// BigQuery: where the table lies, which may differ from company to company.
    pub(crate) place: Option<Place>,
    pub(crate) units: Vec<UnitWork>,
}

/// Loads a run. Call from a blocking thread of `runtime`. The report is stored after every table.
///
/// # Errors
/// Nothing could be done at all.
pub fn load(
    pipeline: &Pipeline,
    landing: &Arc<dyn Landing>,
    options: &Options,
    run_id: &RunId,
    task: Task,
    shutdown: &Shutdown,
    runtime: &Handle,
) -> Result<RunReport, RunError> {
    let round = if options.confirm { Round::Confirm } else { Round::First };
    let reading = RunRound { run: run_id.clone(), round };
    let groups = select::groups(pipeline, landing.as_ref(), options, &reading, task, runtime)?;
    let warehouses = Warehouses::open(pipeline, landing, options, &groups, task, shutdown, runtime)?;
    let report = RunReport {
        version: 1,
        run_id: run_id.clone(),
        stage: "load".into(),
        task_index: task.index,
        task_count: task.count,
        status: TaskStatus::Running,
        started_at: Utc::now(),
        finished_at: Utc::now(),
        tool_version: TOOL_VERSION.into(),
        units: Vec::new(),
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let side_by_side = warehouses.side_by_side(pipeline).min(groups.len()).max(1);
    let threads = (cores / side_by_side).max(1);
    let workers = Workers { landing: landing.as_ref(), runtime, threads, shutdown };
    if !options.dry_run {
        warehouses.log_extract(landing.as_ref(), &reading, &groups, runtime);
        store(landing.as_ref(), &report, &reading, runtime)?;
    }
    let tables = groups.len();
    let task = Loading {
        options,
        reading: &reading,
        workers: &workers,
        warehouses: &warehouses,
        queue: Mutex::new(groups.into()),
        progress: Mutex::new(Progress { report, is_interrupted: false, unreachable: Vec::new(), failure: None }),
    };
    std::thread::scope(|scope| {
        for _ in 1..side_by_side {
            scope.spawn(|| task.work());
        }
        task.work();
    });
    let Progress { mut report, is_interrupted, unreachable, failure } =
        task.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = failure {
        return Err(failure);
    }
    // With every table out of reach nothing was done at all.
    if let Some(error) = unreachable.first().filter(|_| unreachable.len() == tables) {
        return Err(error.clone().into());
    }
    report.status = if is_interrupted { TaskStatus::Interrupted } else { TaskStatus::Finished };
    report.finished_at = Utc::now();
    if !options.dry_run {
        store(landing.as_ref(), &report, &reading, runtime)?;
    }
    Ok(report)
}

/// What the threads of a task share.
struct Loading<'a> {
    options: &'a Options,
    reading: &'a RunRound,
    workers: &'a Workers<'a>,
    warehouses: &'a Warehouses,
    queue: Mutex<VecDeque<TableGroup>>,
    progress: Mutex<Progress>,
}

struct Progress {
    report: RunReport,
    is_interrupted: bool,
    /// One for each table whose warehouse could not be reached.
    unreachable: Vec<WarehouseError>,
    /// The landing zone refused the report: nothing more is begun.
    failure: Option<RunError>,
}

impl Loading<'_> {
    /// Loads tables until none is left.
    fn work(&self) {
        loop {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(group) = next else { return };
            if let Some(reason) = self.workers.shutdown.reason() {
                tracing::warn!(table = %group.table, "stopped by {reason} before this table");
                self.progress.lock().unwrap_or_else(PoisonError::into_inner).is_interrupted = true;
                return;
            }
            self.table(group);
        }
    }

    fn table(&self, group: TableGroup) {
        for work in &group.units {
            telemetry::emit(&Event::UnitStarted { stage: "load".into(), unit: work.unit.clone(), total: None });
        }
        let started: Vec<UnitReport> =
            group.units.iter().map(|work| UnitReport::start(&work.unit, &group.table.table, Utc::now())).collect();
        let place = group.place.clone();
        let loaded = self.warehouses.with(place.as_ref(), |warehouse| {
            let units = table::load(group, self.options, &self.reading.run, self.workers, warehouse)?;
            self.log_failures(warehouse, &units);
            Ok(units)
        });
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let units = match loaded {
            Ok(units) => units,
            Err(error) => {
                let fail = |unit: UnitReport| unit.fail(error.to_string(), Utc::now());
                let units = started.into_iter().map(fail).collect();
                progress.unreachable.push(error);
                units
            }
        };
        units.iter().for_each(announce);
        progress.report.units.extend(units);
        progress.report.finished_at = Utc::now();
        if !self.options.dry_run
            && let Err(error) = store(self.workers.landing, &progress.report, self.reading, self.workers.runtime)
        {
            progress.failure.get_or_insert(error.into());
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn log_failures(&self, warehouse: &mut dyn Warehouse, units: &[UnitReport]) {
        let failed: Vec<UnitReport> = units.iter().filter(|unit| unit.status == UnitStatus::Failed).cloned().collect();
        if !self.options.dry_run
            && let Err(error) = warehouse.log(&self.reading.run, &self.reading.round.stage("load"), &failed)
        {
            tracing::warn!(%error, "failed to write the log table");
        }
    }
}

fn order(group: &TableGroup, run_id: &RunId) -> TableOrder {
    let partition_by = group.units.iter().find_map(|work| work.settings.partition_by.as_ref()).map(|entry| {
        let (field, every) = entry.parts();
        (field.to_owned(), every)
    });
    TableOrder {
        table: group.table.clone(),
        run_id: run_id.clone(),
        units: group.units.iter().map(|work| work.unit.clone()).collect(),
        partition_by,
    }
}

fn store(landing: &dyn Landing, report: &RunReport, reading: &RunRound, runtime: &Handle) -> Result<(), StoredError> {
    let task = Task { index: report.task_index, count: report.task_count };
    runtime.block_on(stored::write(landing, &paths::report(reading, &report.stage, task), report))
}

fn announce(unit: &UnitReport) {
    telemetry::emit(&Event::UnitFinished {
        stage: "load".into(),
        unit: unit.unit(),
        status: unit.status.as_str().into(),
        records: unit.rows_extracted,
        duration_ms: unit.duration_ms,
        error: unit.error.clone(),
    });
    for warning in &unit.warnings {
        tracing::warn!(source = unit.source, account = unit.account, stream = unit.stream, "{warning}");
    }
}
