//! The DuckDB connection: opening the file within bounds of memory, running statements, and telling errors apart.

use super::{library, source};
use crate::warehouse::WarehouseError;
use duckdb::{Config, Connection, Params, Row};
use std::path::{Path, PathBuf};

/// MiB for DuckDB while rows pass through it, unless the pipeline file says otherwise: what is staged spills to disk beyond it. What cannot
/// spill (opening a file whose log is to be replayed, commits, checkpoints) may take more.
const MEMORY_LIMIT_MIB: u64 = 64;

pub(super) struct Client {
    pub(super) connection: Connection,
    /// What DuckDB may take while rows pass through it, in MiB; `None` if the pipeline file has set the limit, which then stands.
    memory_mib: Option<u64>,
}

impl Client {
    /// Opens the file, creating it and its folder; `None` opens a database in memory (for a dry run without a file).
    pub(super) fn open(
        path: Option<&Path>,
        memory_limit: Option<&str>,
        schemas: &[String],
    ) -> Result<Self, WarehouseError> {
        let location = path.map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string());
        let unreachable = |message: String| WarehouseError::Unreachable { location: location.clone(), message };
        library::check().map_err(unreachable)?;
        if let Some(folder) = path.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()) {
            make_private(folder).map_err(|error| unreachable(error.to_string()))?;
        }
        // DuckDB calls the database by its file's name, and `bronze.jobs` could then mean either.
        let catalogue = path.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().to_lowercase());
        if let Some(name) = catalogue.filter(|name| schemas.iter().any(|schema| schema.to_lowercase() == *name)) {
            return Err(unreachable(format!(
                "the file is called like the schema {name}; give one of them another name"
            )));
        }
        let spill: PathBuf = path.map_or_else(std::env::temp_dir, |path| path.with_extension("duckdb.tmp"));
        let limit = memory_limit.map_or_else(|| format!("{}MiB", most_mib()), str::to_owned);
        let config = Config::default()
            .max_memory(&limit)
            .and_then(|config| config.with("temp_directory", spill.to_string_lossy()))
            .and_then(|config| config.with("preserve_insertion_order", "false"))
            .and_then(|config| config.with("autoinstall_known_extensions", "false"))
            .map_err(|error| unreachable(error.to_string()))?;
        let new = path.filter(|path| !path.exists());
        let connection = match path {
            Some(path) => Connection::open_with_flags(path, config),
            None => Connection::open_in_memory_with_flags(config),
        };
        let connection = connection.map_err(|error| explain_open(&location, &error.to_string()))?;
        source::register(&connection).map_err(|error| unreachable(error.to_string()))?;
        if let Some(path) = new {
            keep_private(path)
                .map_err(|error| unreachable(format!("cannot set the rights of the new file: {error}")))?;
        }
        Ok(Self { connection, memory_mib: memory_limit.is_none().then_some(MEMORY_LIMIT_MIB) })
    }

    /// Doubles DuckDB's memory for rows, up to three quarters of what the machine has free; false if there is no more.
    pub(super) fn take_more_memory(&mut self) -> bool {
        let Some(now) = self.memory_mib else { return false };
        let more = now * 2;
        if more > most_mib() {
            return false;
        }
        tracing::info!(memory_mib = more, "DuckDB needs more memory for this table; taking it");
        self.memory_mib = Some(more);
        true
    }

    /// Before rows pass through: what DuckDB keeps and could read again must make room for them.
    pub(super) fn hold_memory(&self) {
        if let Some(mib) = self.memory_mib {
            self.limit_memory(mib);
        }
    }

    /// Before what cannot spill.
    pub(super) fn release_memory(&self) {
        if let Some(mib) = self.memory_mib {
            self.limit_memory(most_mib().max(mib));
        }
    }

    /// Where the limit cannot be set, because more is in use, the one before stands.
    fn limit_memory(&self, mib: u64) {
        if let Err(error) = self.batch("limit the memory", &format!("SET memory_limit = '{mib}MiB'")) {
            tracing::debug!(%error, mib, "failed to limit DuckDB's memory");
        }
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

/// Makes a folder and what is missing above it, for its owner alone: rows hold personal data. One that is there stays as it is.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// A file that DuckDB has just made is its owner's alone.
#[cfg(unix)]
fn keep_private(file: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn keep_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}

pub(super) fn failed(what: &str, error: &duckdb::Error) -> WarehouseError {
    let (what, message) = (what.to_owned(), error.to_string());
    // The appender's messages lack the words of a query's.
    let of_memory = ["Out of Memory Error", "could not allocate block", "failed to pin block"];
    if of_memory.iter().any(|words| message.contains(words)) {
        let message = message.lines().next().unwrap_or_default().to_owned();
        return WarehouseError::OutOfMemory { what, message };
    }
    WarehouseError::Statement { what, message }
}

/// The most that DuckDB may have, in MiB.
fn most_mib() -> u64 {
    (free_mib() * 3 / 4).max(MEMORY_LIMIT_MIB)
}

/// Memory that the machine can still give, in MiB; where that cannot be told, so much that DuckDB's own limit decides.
fn free_mib() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok());
    kib.map_or(4096, |kib: u64| kib / 1024)
}

fn explain_open(location: &str, message: &str) -> WarehouseError {
    let location = location.to_owned();
    if message.contains("Could not set lock") || message.contains("Conflicting lock") {
        WarehouseError::InUse { location, by: holder(message) }
    } else {
        WarehouseError::Unreachable { location, message: message.to_owned() }
    }
}

/// Who has the file open, from `… Conflicting lock is held in /usr/bin/python3 (PID 123) by user ann. See also …`.
fn holder(message: &str) -> String {
    let held = message.split_once("lock is held in ").map(|(_, rest)| rest);
    let Some((program, rest)) = held.and_then(|held| held.split_once(" (PID ")) else {
        return "another process".into();
    };
    let pid: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("{program} (process {pid})")
}
