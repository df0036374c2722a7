//! The DuckDB file as it is: every row and column of a table, as text.
//! A copy is read, so that a write-ahead log that a killed load has left is applied to the copy alone.

use crate::values;
use crate::world::copy;
use duckdb::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

pub(crate) struct Warehouse {
    connection: Connection,
    /// Whether all companies share its tables, or each has its own.
    shared: bool,
    _copy: TempDir,
}

/// Rows of a table, each with the texts of its columns in the order of the names.
pub(crate) struct Rows {
    names: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// Where a column stands.
    pub(crate) fn place(&self, column: &str) -> usize {
        self.names.iter().position(|name| name == column).unwrap_or_else(|| panic!("there is no column {column}"))
    }
}

impl Warehouse {
    /// The file as it is now; an empty warehouse where there is no file.
    pub(crate) fn open(file: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("w.duckdb");
        copy(file, &mine);
        copy(&file.with_extension("duckdb.wal"), &mine.with_extension("duckdb.wal"));
        Self { connection: Connection::open(&mine).unwrap(), shared: true, _copy: folder }
    }

    /// A warehouse to be filled.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("w.duckdb")).unwrap();
        connection.execute_batch("CREATE SCHEMA bronze").unwrap();
        Self { connection, shared: false, _copy: folder }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Adds rows as BigQuery tells them: all values as text, instants in microseconds; types by BigQuery's old names.
    pub(crate) fn add_bigquery_rows(&self, table: &str, columns: &[(String, String)], rows: &[Vec<Option<String>>]) {
        let ty = |name: &str| match name {
            "INTEGER" => "BIGINT",
            "FLOAT" => "DOUBLE",
            "STRING" => "VARCHAR",
            "NUMERIC" => "DECIMAL(38,9)",
            "DATETIME" | "TIMESTAMP" => "TIMESTAMP",
            "BOOLEAN" => "BOOLEAN",
            "DATE" => "DATE",
            "JSON" => "JSON",
            other => panic!("a column of type {other}"),
        };
        let definition: Vec<String> = columns.iter().map(|(name, of)| format!("\"{name}\" {}", ty(of))).collect();
        let make = format!("CREATE TABLE IF NOT EXISTS bronze.\"{table}\" ({})", definition.join(", "));
        self.connection.execute_batch(&make).unwrap();
        // Companies may have got a column at different times.
        for definition in &definition {
            let add = format!("ALTER TABLE bronze.\"{table}\" ADD COLUMN IF NOT EXISTS {definition}");
            self.connection.execute_batch(&add).unwrap();
        }
        let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let values: Vec<&str> =
            columns.iter().map(|(_, of)| if of == "TIMESTAMP" { "make_timestamp(?::BIGINT)" } else { "?" }).collect();
        let insert = format!("INSERT INTO bronze.\"{table}\" ({}) VALUES ({})", names.join(", "), values.join(", "));
        let mut statement = self.connection.prepare(&insert).unwrap();
        for row in rows {
            statement.execute(duckdb::params_from_iter(row.iter())).unwrap();
        }
    }

    /// All rows of all data tables but the instants of their change, columns by name: the same for two warehouses of the same runs.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<BTreeMap<String, Option<String>>>> {
        let mut all = BTreeMap::new();
        for name in self.everything().into_keys() {
            let Rows { names, rows } = self.rows("bronze", &name, &[]);
            let columns = self.columns("bronze", &name);
            let is_json = |name: &str| columns.iter().any(|(column, ty)| column == name && ty == "JSON");
            let of_cell = |(name, cell): (String, Option<String>)| {
                let cell = if is_json(&name) { cell.map(|text| values::json(&text).to_string()) } else { cell };
                (name, cell)
            };
            let of_row = |row: Vec<Option<String>>| -> BTreeMap<String, Option<String>> {
                names.iter().cloned().zip(row).filter(|(column, _)| column != "_etl_synced").map(of_cell).collect()
            };
            let mut rows: Vec<_> = rows.into_iter().map(of_row).collect();
            rows.sort();
            all.insert(name, rows);
        }
        all
    }

    /// Names and types of a table's columns, in order; none where there is no such table.
    pub(crate) fn columns(&self, schema: &str, table: &str) -> Vec<(String, String)> {
        let sql = "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? ORDER BY column_index";
        let mut statement = self.connection.prepare(sql).unwrap();
        let rows = statement.query_map([schema, table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// All rows of a table, in any order; of these columns only, if any are named.
    pub(crate) fn rows(&self, schema: &str, table: &str, columns: &[&str]) -> Rows {
        let all = self.columns(schema, table).into_iter().map(|(name, _)| name);
        let names: Vec<String> = all.filter(|name| columns.is_empty() || columns.contains(&name.as_str())).collect();
        if names.is_empty() {
            return Rows { names, rows: Vec::new() };
        }
        let texts: Vec<String> = names.iter().map(|name| format!("CAST(\"{name}\" AS VARCHAR)")).collect();
        let sql = format!("SELECT {} FROM \"{schema}\".\"{table}\"", texts.join(", "));
        let mut statement = self.connection.prepare(&sql).unwrap();
        let width = names.len();
        let read = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect()).unwrap();
        Rows { names, rows: read.map(Result::unwrap).collect() }
    }

    /// Changes the copy that is read.
    pub(crate) fn tamper(&self, sql: &str) {
        assert!(self.connection.execute(sql, []).unwrap() > 0, "{sql} changes nothing");
    }

    /// All rows of all data tables, to be compared with what they are later.
    pub(crate) fn everything(&self) -> BTreeMap<String, Vec<Vec<Option<String>>>> {
        let sql = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'bronze'";
        let mut statement = self.connection.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        let mut all = BTreeMap::new();
        for name in names {
            let mut rows = self.rows("bronze", &name, &[]).rows;
            rows.sort();
            all.insert(name, rows);
        }
        all
    }
}
