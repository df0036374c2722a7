//! The warehouse of a load, as the pipeline file names it: one DuckDB file, or the BigQuery places of all companies.
//! How many tables are loaded side by side follows from it.

use super::select;
use super::{Options, RunError, TableGroup};
use crate::warehouse::bigquery::{Place, Places};
#[cfg(feature = "duckdb")]
use crate::warehouse::duckdb::{DuckDb, open_when_free};
use crate::warehouse::{Warehouse, WarehouseError};
use contract::google::{Rest, Service};
use contract::landing::Landing;
use contract::pipeline::{Pipeline, WarehouseEntry};
use contract::report::UnitReport;
use contract::round::RunRound;
use contract::shutdown::Shutdown;
use contract::unit::Task;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What is open.
pub(super) enum Warehouses {
    #[cfg(feature = "duckdb")]
    Duckdb(std::sync::Mutex<DuckDb>),
    Bigquery(Places),
}

impl Warehouses {
    /// Opens the warehouse. A DuckDB file is opened at once, BigQuery's places when their first table comes.
    pub(super) fn open(
        pipeline: &Pipeline,
        landing: &Arc<dyn Landing>,
        options: &Options,
        groups: &[TableGroup],
        task: Task,
        shutdown: &Shutdown,
        runtime: &Handle,
    ) -> Result<Self, RunError> {
        match &pipeline.warehouse {
            #[cfg(feature = "duckdb")]
            WarehouseEntry::Duckdb { path, log_schema, memory_limit, wait, .. } => {
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
                let path = std::path::Path::new(path);
                let open = || DuckDb::open(path, log_schema, limit, &schemas, options.dry_run);
                let mut warehouse = open_when_free(*wait, shutdown, open)?;
                if !options.dry_run {
                    warehouse.prepare(&schemas)?;
                }
                Ok(Self::Duckdb(std::sync::Mutex::new(warehouse)))
            }
            #[cfg(not(feature = "duckdb"))]
            WarehouseEntry::Duckdb { .. } => {
                let _ = (groups, task);
                Err(RunError::Usage(
                    "this build of load-job has no DuckDB; use `warehouse: {type: bigquery}`, or build with `--features duckdb`".into(),
                ))
            }
            WarehouseEntry::Bigquery { maximum_bytes_billed, .. } => {
                if !landing.location().starts_with("gs://") {
                    return Err(RunError::Usage(format!(
                        "BigQuery loads from Cloud Storage: with `warehouse: {{type: bigquery}}` the landing zone must be gs://bucket/prefix, not {}",
                        landing.location()
                    )));
                }
                let api = match &options.bigquery {
                    Some(endpoint) => Rest::at(Service::BigQuery, endpoint.clone()),
                    None => Rest::open(Service::BigQuery).map_err(|error| RunError::Usage(error.to_string()))?,
                };
                let places = Places::new(api, landing, runtime, shutdown, *maximum_bytes_billed, options.dry_run);
                Ok(Self::Bigquery(places))
            }
        }
    }

    /// How many tables are loaded at the same time.
    pub(super) fn side_by_side(&self, pipeline: &Pipeline) -> usize {
        match self {
            #[cfg(feature = "duckdb")]
            Self::Duckdb(_) => 1,
            // A table's load waits for jobs most of the time.
            Self::Bigquery(_) => pipeline.concurrency,
        }
    }

    /// Does something with the warehouse of a place.
    pub(super) fn with<T>(
        &self,
        place: Option<&Place>,
        act: impl FnOnce(&mut dyn Warehouse) -> Result<T, WarehouseError>,
    ) -> Result<T, WarehouseError> {
        match (self, place) {
            #[cfg(feature = "duckdb")]
            (Self::Duckdb(warehouse), _) => {
                act(&mut *warehouse.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
            }
            (Self::Bigquery(places), Some(place)) => act(&mut places.connect(place)?),
            (Self::Bigquery(_), None) => Err(WarehouseError::Statement {
                what: "find the table's project".into(),
                message: "internal error: a BigQuery table without a place".into(),
            }),
        }
    }

    /// Writes the extract's rows into the log tables, from its run reports. The data matters more: a failure is only told.
    pub(super) fn log_extract(
        &self,
        landing: &dyn Landing,
        reading: &RunRound,
        groups: &[TableGroup],
        runtime: &Handle,
    ) {
        let reports = match runtime.block_on(select::extract_reports(landing, reading)) {
            Ok(reports) => reports,
            Err(error) => return tracing::warn!(%error, "failed to read the extract's reports for the log table"),
        };
        let mut by_place: BTreeMap<Option<&Place>, Vec<UnitReport>> = BTreeMap::new();
        for unit in reports.into_iter().flat_map(|report| report.units) {
            let group = groups.iter().find(|group| group.units.iter().any(|work| work.unit == unit.unit()));
            if let Some(group) = group {
                by_place.entry(group.place.as_ref()).or_default().push(unit);
            }
        }
        let stage = reading.round.stage("extract");
        for (place, units) in by_place {
            if let Err(error) = self.with(place, |warehouse| warehouse.log(&reading.run, &stage, &units)) {
                tracing::warn!(%error, "failed to write the extract's rows into the log table");
            }
        }
    }
}
