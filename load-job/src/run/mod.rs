//! A load run: which units, grouped by target table, this task's share, one table after the other, and the report.
//! One table's failure never stops the others.

mod error;
mod reject;
mod select;
mod stage;
mod table;

pub use error::LoadError;
pub use select::select_run;

use crate::warehouse::duckdb::DuckDb;
use crate::warehouse::{TableName, Warehouse, WarehouseError};
use chrono::Utc;
use contract::TOOL_VERSION;
use contract::landing::{Landing, paths};
use contract::pipeline::{Pipeline, StreamSettings, WarehouseEntry};
use contract::report::{RunReport, TaskStatus, UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::{self, StoredError};
use contract::telemetry::{self, Event};
use contract::unit::{Task, Unit};
use stage::Workers;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

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
    /// Computes the change set and changes nothing.
    pub dry_run: bool,
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
    /// Another unit that writes into the same table for the same account.
    pub(crate) rival: Option<Unit>,
}

/// The units that go into one table.
#[derive(Debug, Clone)]
pub(crate) struct TableGroup {
    pub(crate) table: TableName,
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
    let groups = select::groups(pipeline, landing.as_ref(), options, run_id, task, runtime)?;
    let mut warehouse = open(pipeline, options, &groups, task)?;
    let mut report = RunReport {
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
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let workers = Workers { landing: landing.as_ref(), runtime, threads, shutdown };
    if !options.dry_run {
        log_extract(warehouse.as_mut(), landing.as_ref(), run_id, &groups, runtime);
        store(landing.as_ref(), &report, runtime)?;
    }
    report.status = TaskStatus::Finished;
    for group in groups {
        if let Some(reason) = shutdown.reason() {
            tracing::warn!(table = %group.table, "stopped by {reason} before this table");
            report.status = TaskStatus::Interrupted;
            break;
        }
        for work in &group.units {
            telemetry::emit(&Event::UnitStarted { stage: "load".into(), unit: work.unit.clone(), total: None });
        }
        let units = table::load(group, options, run_id, &workers, warehouse.as_mut())?;
        units.iter().for_each(announce);
        let failed: Vec<UnitReport> = units.iter().filter(|unit| unit.status == UnitStatus::Failed).cloned().collect();
        if !options.dry_run
            && let Err(error) = warehouse.log(run_id, "load", &failed)
        {
            tracing::warn!(%error, "failed to write the log table");
        }
        report.units.extend(units);
        report.finished_at = Utc::now();
        if !options.dry_run {
            let status = std::mem::replace(&mut report.status, TaskStatus::Running);
            store(landing.as_ref(), &report, runtime)?;
            report.status = status;
        }
    }
    report.finished_at = Utc::now();
    if !options.dry_run {
        store(landing.as_ref(), &report, runtime)?;
    }
    Ok(report)
}

fn open(
    pipeline: &Pipeline,
    options: &Options,
    groups: &[TableGroup],
    task: Task,
) -> Result<Box<dyn Warehouse>, RunError> {
    match &pipeline.warehouse {
        WarehouseEntry::Duckdb { path, log_schema, memory_limit, .. } => {
            if task.count > 1 {
                return Err(RunError::Usage(format!(
                    "a DuckDB file takes one writing process: load with 1 task, not {}",
                    task.count
                )));
            }
            let mut schemas: Vec<String> = groups.iter().map(|group| group.table.schema.clone()).collect();
            schemas.sort();
            schemas.dedup();
            let limit = memory_limit.as_deref();
            let mut warehouse = DuckDb::open(Path::new(path), log_schema, limit, &schemas, options.dry_run)?;
            if !options.dry_run {
                warehouse.prepare(&schemas)?;
            }
            Ok(Box::new(warehouse))
        }
        WarehouseEntry::Bigquery { .. } => {
            Err(RunError::Usage("a bigquery warehouse is not supported yet; use type: duckdb".into()))
        }
    }
}

fn store(landing: &dyn Landing, report: &RunReport, runtime: &Handle) -> Result<(), StoredError> {
    let task = Task { index: report.task_index, count: report.task_count };
    runtime.block_on(stored::write(landing, &paths::report(&report.run_id, &report.stage, task), report))
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

/// Writes the extract's rows into the log table, from its run reports. The data matters more: a failure is only told.
fn log_extract(
    warehouse: &mut dyn Warehouse,
    landing: &dyn Landing,
    run_id: &RunId,
    groups: &[TableGroup],
    runtime: &Handle,
) {
    let reports = match runtime.block_on(select::extract_reports(landing, run_id)) {
        Ok(reports) => reports,
        Err(error) => return tracing::warn!(%error, "failed to read the extract's reports for the log table"),
    };
    let selected =
        |unit: &UnitReport| groups.iter().any(|group| group.units.iter().any(|work| work.unit == unit.unit()));
    let units: Vec<UnitReport> = reports.into_iter().flat_map(|report| report.units).filter(selected).collect();
    if let Err(error) = warehouse.log(run_id, "extract", &units) {
        tracing::warn!(%error, "failed to write the extract's rows into the log table");
    }
}
