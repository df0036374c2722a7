//! A DuckDB file as a warehouse: opening it, and what is done outside of a table's load.

use super::client::Client;
use super::load::Load;
use super::open::Open;
use super::sql::render;
use super::{adopt, logs, memory};
use crate::warehouse::log_tables::{APPLIED_BATCHES, ETL_LOGS};
use crate::warehouse::{Adopted, Adoption, History, TableLoad, TableOrder, Warehouse, WarehouseError};
use contract::report::UnitReport;
use contract::run_id::RunId;
use duckdb::params;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

/// A DuckDB file.
pub struct DuckDb {
    pub(super) client: Client,
    pub(super) log_schema: String,
    pub(super) history: History,
}

impl DuckDb {
    /// Opens the file, creating it if need be. A dry run leaves no file behind where there was none.
    ///
    /// # Errors
    /// The file cannot be opened, or another process holds it.
    pub fn open(
        path: &Path,
        log_schema: &str,
        memory_limit: Option<&str>,
        schemas: &[String],
        dry_run: bool,
    ) -> Result<Self, WarehouseError> {
        let path = if dry_run && !path.exists() { None } else { Some(path) };
        let client = Client::open(path, memory_limit, &[schemas, &[log_schema.to_owned()]].concat())?;
        // A dry run makes no log tables, but reads those that are there.
        let find = render("describe_table", &json!({}))?;
        let is_there = |table: &str| -> Result<bool, WarehouseError> {
            Ok(!client.query("read the catalogue", &find, params![log_schema, table], |_| Ok(()))?.is_empty())
        };
        let last = if is_there(ETL_LOGS)? { logs::last_applied(&client, log_schema)? } else { HashMap::new() };
        let applied = if is_there(APPLIED_BATCHES)? { memory::read(&client, log_schema)? } else { Vec::new() };
        Ok(Self { client, log_schema: log_schema.to_owned(), history: History::new(last, applied) })
    }

    /// Makes schemas and log tables.
    ///
    /// # Errors
    /// The statement fails.
    pub fn prepare(&mut self, schemas: &[String]) -> Result<(), WarehouseError> {
        logs::create(&self.client, &self.log_schema, schemas)
    }
}

impl Warehouse for DuckDb {
    fn open<'w>(&'w mut self, order: &TableOrder) -> Result<Box<dyn TableLoad<'w> + 'w>, WarehouseError> {
        Ok(Box::new(Load { open: Open::describe(self, &order.table)? }))
    }

    fn take_more_memory(&mut self) -> Result<bool, WarehouseError> {
        Ok(self.client.take_more_memory())
    }

    fn adopt(&mut self, _: &TableOrder, adoption: &Adoption<'_>) -> Result<Adopted, WarehouseError> {
        adopt::adopt(&self.client, &self.log_schema, adoption)
    }

    fn log(&mut self, run_id: &RunId, stage: &str, units: &[UnitReport]) -> Result<(), WarehouseError> {
        self.client.transaction(|| logs::units(&self.client, &self.log_schema, run_id, stage, units))
    }
}
