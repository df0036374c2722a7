//! The DuckDB connection: opening the file within bounds of memory, running statements, and telling errors apart.
//! The one module, with `core`, that names the vendor crate.

use crate::warehouse::WarehouseError;
use duckdb::{Config, Connection, Params, Row};
use std::path::{Path, PathBuf};

/// Memory for DuckDB unless the pipeline file says otherwise: staging spills to disk beyond it.
const MEMORY_LIMIT: &str = "192MB";

pub(super) struct Client {
    pub(super) connection: Connection,
}

impl Client {
    /// Opens the file, creating it and its folder; `None` opens a database in memory (for a dry run without a file).
    pub(super) fn open(path: Option<&Path>, memory_limit: Option<&str>) -> Result<Self, WarehouseError> {
        let location = path.map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string());
        let unreachable = |message: String| WarehouseError::Unreachable { location: location.clone(), message };
        if let Some(folder) = path.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| unreachable(error.to_string()))?;
        }
        let spill: PathBuf = path.map_or_else(std::env::temp_dir, |path| path.with_extension("duckdb.tmp"));
        let limit = memory_limit.unwrap_or(MEMORY_LIMIT);
        let config = Config::default()
            .max_memory(limit)
            .and_then(|config| config.with("temp_directory", spill.to_string_lossy()))
            .and_then(|config| config.with("preserve_insertion_order", "false"))
            .and_then(|config| config.with("autoinstall_known_extensions", "false"))
            .map_err(|error| unreachable(error.to_string()))?;
        let connection = match path {
            Some(path) => Connection::open_with_flags(path, config),
            None => Connection::open_in_memory_with_flags(config),
        };
        let connection = connection.map_err(|error| unreachable(explain_open(&error.to_string())))?;
        Ok(Self { connection })
    }

    /// Runs statements that take no values.
    pub(super) fn batch(&self, what: &str, sql: &str) -> Result<(), WarehouseError> {
        self.connection.execute_batch(sql).map_err(|error| failed(what, &error))
    }

    /// Runs one statement; the number of rows it changed.
    pub(super) fn execute(&self, what: &str, sql: &str, params: impl Params) -> Result<usize, WarehouseError> {
        self.connection.execute(sql, params).map_err(|error| failed(what, &error))
    }

    /// Runs a query and reads its rows.
    pub(super) fn query<T>(
        &self,
        what: &str,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, WarehouseError> {
        let mut statement = self.connection.prepare(sql).map_err(|error| failed(what, &error))?;
        let rows = statement.query_map(params, read).map_err(|error| failed(what, &error))?;
        rows.collect::<duckdb::Result<_>>().map_err(|error| failed(what, &error))
    }

    /// Runs `work` in a transaction: all of it or nothing.
    pub(super) fn transaction<T>(&self, work: impl FnOnce() -> Result<T, WarehouseError>) -> Result<T, WarehouseError> {
        self.batch("begin a transaction", "BEGIN TRANSACTION")?;
        match work().and_then(|value| self.batch("commit", "COMMIT").map(|()| value)) {
            Ok(value) => Ok(value),
            Err(error) => {
                let _ = self.batch("roll back", "ROLLBACK");
                Err(error)
            }
        }
    }
}

pub(super) fn failed(what: &str, error: &duckdb::Error) -> WarehouseError {
    WarehouseError::Statement { what: what.to_owned(), message: error.to_string() }
}

fn explain_open(message: &str) -> String {
    if message.contains("Could not set lock") || message.contains("Conflicting lock") {
        format!("another process has the file open; close it and try again ({message})")
    } else {
        message.to_owned()
    }
}
