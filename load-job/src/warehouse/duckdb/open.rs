//! A table of a DuckDB file that is open for a load: what is there, and what its sessions leave behind if they are dropped.

use super::client::Client;
use super::core::DuckDb;
use super::sql::render;
use super::{memory, retype, schema, source};
use crate::shape::{ColumnType, Hint};
use crate::warehouse::{ExistingTable, TableId, TableName, Target, WarehouseError, refuse_foreign};
use duckdb::params;
use serde_json::{Value, json};

/// The table. All that is staged of it lies in temporary tables; they, and a transaction that is not committed, go with it.
pub(super) struct Open<'w> {
    pub(super) file: &'w DuckDb,
    pub(super) table: TableName,
    pub(super) existing: Option<ExistingTable>,
    in_transaction: bool,
}

impl<'w> Open<'w> {
    pub(super) fn describe(file: &'w DuckDb, table: &TableName) -> Result<Self, WarehouseError> {
        let sql = render("describe_table", &json!({}))?;
        let rows = file.client.query("read the catalogue", &sql, params![table.schema, table.table], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        })?;
        let mut open = Self { file, table: table.clone(), existing: None, in_transaction: false };
        if rows.is_empty() {
            return Ok(open);
        }
        refuse_foreign(table, |audit| rows.iter().any(|(name, ..)| name.eq_ignore_ascii_case(audit)))?;
        let columns =
            rows.into_iter().filter_map(|(name, ty, comment)| schema::existing(name, &ty, comment.as_deref()));
        let comment = memory::comment(&file.client, table)?;
        let id = comment.as_deref().and_then(TableId::in_comment);
        open.existing = Some(ExistingTable { id, columns: columns.collect() });
        Ok(open)
    }

    pub(super) fn client(&self) -> &'w Client {
        &self.file.client
    }

    /// What every statement about the table is told.
    pub(super) fn names(&self) -> Value {
        json!({ "schema": self.table.schema, "table": self.table.table, "table_exists": self.existing.is_some() })
    }

    pub(super) fn begin(&mut self) -> Result<(), WarehouseError> {
        self.client().batch("begin a transaction", "BEGIN TRANSACTION")?;
        self.in_transaction = true;
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), WarehouseError> {
        self.client().batch("commit", "COMMIT")?;
        self.in_transaction = false;
        Ok(())
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.in_transaction {
            let _ = self.client().batch("roll back", "ROLLBACK");
        }
        self.client().release_memory();
        let _ = self.client().batch("use all threads", source::MANY_THREADS);
        let sql = "DROP VIEW IF EXISTS temp.winners; DROP TABLE IF EXISTS temp.ranked; DROP TABLE IF EXISTS temp.changes; \
                   DROP TABLE IF EXISTS temp.deletions; DROP TABLE IF EXISTS temp.contents; DROP TABLE IF EXISTS temp.staging; \
                   DROP TABLE IF EXISTS temp.rows";
        if let Err(error) = self.client().batch("drop what is staged", sql) {
            tracing::warn!(table = %self.table, %error, "failed to drop what is staged; it goes with this process");
        }
    }
}

impl Target for Open<'_> {
    fn table(&self) -> &TableName {
        &self.table
    }

    fn existing(&self) -> Option<&ExistingTable> {
        self.existing.as_ref()
    }

    fn is_exact_as_double(&mut self, column: &str) -> Result<bool, WarehouseError> {
        let table = &self.table;
        let sql =
            render("is_exact_as_double", &json!({ "schema": table.schema, "table": table.table, "column": column }))?;
        let found = self.client().query("check a column's values", &sql, [], |row| row.get(0))?;
        Ok(found.first().copied().unwrap_or(false))
    }

    fn can_change(&mut self, column: &str, from: ColumnType, to: &Hint) -> Result<bool, WarehouseError> {
        retype::is_exact(self.client(), &self.table, column, from, to)
    }

    fn dropping(&self, column: &str) -> Result<String, WarehouseError> {
        let table = &self.table;
        render("drop_column", &json!({ "schema": table.schema, "table": table.table, "column": column }))
    }
}
