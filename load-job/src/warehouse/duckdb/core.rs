//! DuckDB's side of [`Warehouse`]: staging, change set, apply.
//! Everything before `apply` lives in temporary tables; `apply` is one transaction with its log rows.

use super::adopt;
use super::client::{Client, failed};
use super::logs;
use super::memory;
use super::retype;
use super::schema::{self, timestamp};
use super::sql::render;
use crate::shape::{ColumnPlan, ColumnType, Hint, SchemaChangeKind, TablePlan};
use crate::warehouse::log_tables::{APPLIED_BATCHES, ETL_LOGS};
use crate::warehouse::{
    AccountChange, Adopted, Adoption, Applied, ChangeRequest, Commit, Counts, Decision, ExistingTable, LastApplied,
    Spent, TableId, TableName, TableOrder, Warehouse, WarehouseError,
};
use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use contract::batch::Write;
use contract::report::UnitReport;
use contract::run_id::RunId;
use contract::unit::Unit;
use crossbeam_channel::Receiver;
use duckdb::params;
use serde_json::{Value, json};
use std::path::Path;

/// Rows that the appender may hold before they go into the staging table.
const FLUSH_ROWS: usize = 16 * 1024;
/// So many bytes of large rows, or wide ones, at the latest.
const FLUSH_BYTES: usize = 16 << 20;

/// A DuckDB file.
pub struct DuckDb {
    client: Client,
    log_schema: String,
    has_logs: bool,
    has_memory: bool,
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
        let (has_logs, has_memory) = (is_there(ETL_LOGS)?, is_there(APPLIED_BATCHES)?);
        Ok(Self { client, log_schema: log_schema.to_owned(), has_logs, has_memory })
    }

    /// The staged rows' accounts and whether they may delete, as a temporary table.
    fn units(&self, accounts: &[AccountChange]) -> Result<(), WarehouseError> {
        self.client.batch("list the accounts", &render("units", &json!({}))?)?;
        for account in accounts {
            let sql = "INSERT INTO temp.units VALUES (?, ?, ?)";
            let is_named = account.named.is_some();
            self.client.execute("list the accounts", sql, params![account.account, account.may_delete, is_named])?;
            self.list("named", account.named.iter().flatten())?;
        }
        Ok(())
    }

    /// Fills a temporary table of names.
    fn list<'n>(&self, table: &str, names: impl IntoIterator<Item = &'n String>) -> Result<(), WarehouseError> {
        let what = "list rows by their keys";
        let appender = self.client.connection.appender_to_catalog_and_db(table, "temp", "main");
        let mut appender = appender.map_err(|error| failed(what, &error))?;
        for name in names {
            appender.append_row(params![name]).map_err(|error| failed(what, &error))?;
        }
        appender.flush().map_err(|error| failed(what, &error))
    }

    fn has_duplicates(&self, keys: &[String]) -> Result<bool, WarehouseError> {
        let sql = render("has_duplicates", &json!({ "keys": keys }))?;
        let found = self.client.query("check the keys", &sql, [], |row| row.get::<_, bool>(0))?;
        Ok(found.first().copied().unwrap_or(false))
    }

    fn alter(&self, request: &ChangeRequest, plan: &TablePlan) -> Result<(), WarehouseError> {
        let table = &request.table;
        let names =
            |column: Value| json!({ "schema": table.schema, "table": table.table, "column": column, "using": null });
        if !request.table_exists {
            let columns: Vec<Value> = plan.columns.iter().map(column).collect();
            let sql =
                render("create_table", &json!({ "schema": table.schema, "table": table.table, "columns": columns }))?;
            return self.client.batch(&format!("create table {table}"), &sql);
        }
        for change in &plan.changes {
            let changed = &plan.columns[change.column];
            let template = match change.kind {
                SchemaChangeKind::Added | SchemaChangeKind::Split => "add_column",
                SchemaChangeKind::Widened | SchemaChangeKind::Retyped => "widen_column",
            };
            let mut names = names(column(changed));
            if let (SchemaChangeKind::Retyped, Some(from)) = (change.kind, change.from) {
                names["using"] = json!(retype::value(&changed.name, from, changed.ty, plan.reading(&changed.field))?);
            }
            let sql = render(template, &names)?;
            self.client.batch(&format!("change column {} of {table}", changed.name), &sql)?;
        }
        Ok(())
    }

    fn count(&self, what: &str, sql: &str) -> Result<u64, WarehouseError> {
        Ok(self.client.query(what, sql, [], |row| row.get::<_, u64>(0))?.first().copied().unwrap_or(0))
    }

    /// Writes the change set into the target, inside the transaction.
    fn write(&self, request: &ChangeRequest, plan: &TablePlan, synced: DateTime<Utc>) -> Result<(), WarehouseError> {
        let table = &request.table;
        let synced = timestamp(synced);
        let columns: Vec<Value> = plan.columns.iter().map(column).collect();
        let what = format!("write into {table}");
        if request.write == Write::Replace && request.table_exists {
            let sql = render("replace", &json!({ "schema": table.schema, "table": table.table }))?;
            self.client.batch(&what, &sql)?;
        }
        let updates = self.count(&what, "SELECT count(*)::UBIGINT FROM temp.changes WHERE action <> 'INSERT'")?;
        let deletes =
            if deletes(request) { self.count(&what, "SELECT count(*)::UBIGINT FROM temp.deletions")? } else { 0 };
        if updates + deletes == 0 {
            let staged = self.count(&what, "SELECT count(*)::UBIGINT FROM temp.staging")?;
            let inserts = self.count(&what, "SELECT count(*)::UBIGINT FROM temp.changes")?;
            if inserts > 0 {
                let names = json!({ "schema": table.schema, "table": table.table, "columns": columns, "whole": inserts == staged });
                self.client.execute(&what, &render("insert", &names)?, params![synced])?;
            }
            return Ok(());
        }
        let keys = keys(request, plan);
        let names = json!({ "schema": table.schema, "table": table.table, "columns": columns, "keys": keys, "deletions": deletes > 0 });
        let sql = render("merge", &names)?;
        if deletes > 0 {
            self.client.execute(&what, &sql, params![synced, synced, synced])?;
        } else {
            self.client.execute(&what, &sql, params![synced, synced])?;
        }
        Ok(())
    }
}

impl DuckDb {
    /// Makes schemas and log tables.
    ///
    /// # Errors
    /// The statement fails.
    pub fn prepare(&mut self, schemas: &[String]) -> Result<(), WarehouseError> {
        logs::create(&self.client, &self.log_schema, schemas)?;
        (self.has_logs, self.has_memory) = (true, true);
        Ok(())
    }
}

impl Warehouse for DuckDb {
    fn begin(&mut self, _: &TableOrder) {}

    fn describe(&mut self, table: &TableName) -> Result<Option<ExistingTable>, WarehouseError> {
        let sql = render("describe_table", &json!({}))?;
        let rows = self.client.query("read the catalogue", &sql, params![table.schema, table.table], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        })?;
        if rows.is_empty() {
            return Ok(None);
        }
        for audit in crate::shape::AUDIT_COLUMNS {
            if !rows.iter().any(|(name, ..)| name.eq_ignore_ascii_case(audit)) {
                let message = format!(
                    "it exists, but without the column {audit}: it was not made by Drayage, or was changed since; take it over by `adopt`, name another `table`, or drop it"
                );
                return Err(WarehouseError::Table { table: table.to_string(), message });
            }
        }
        let columns =
            rows.into_iter().filter_map(|(name, ty, comment)| schema::existing(name, &ty, comment.as_deref()));
        let comment = memory::comment(&self.client, table)?;
        let id = comment.as_deref().and_then(TableId::in_comment);
        Ok(Some(ExistingTable { id, columns: columns.collect() }))
    }

    fn remembered(&mut self, id: Option<&TableId>, unit: &Unit) -> Result<Vec<Applied>, WarehouseError> {
        if self.has_memory { memory::read(&self.client, &self.log_schema, id, unit) } else { Ok(Vec::new()) }
    }

    fn is_exact_as_double(&mut self, table: &TableName, column: &str) -> Result<bool, WarehouseError> {
        let sql =
            render("is_exact_as_double", &json!({ "schema": table.schema, "table": table.table, "column": column }))?;
        Ok(self.client.query("check a column's values", &sql, [], |row| row.get(0))?.first().copied().unwrap_or(false))
    }

    fn can_change(
        &mut self,
        table: &TableName,
        column: &str,
        from: ColumnType,
        to: &Hint,
    ) -> Result<bool, WarehouseError> {
        retype::is_exact(&self.client, table, column, from, to)
    }

    fn dropping(&self, table: &TableName, column: &str) -> Result<String, WarehouseError> {
        render("drop_column", &json!({ "schema": table.schema, "table": table.table, "column": column }))
    }

    fn stage(&mut self, plan: &TablePlan, rows: &Receiver<RecordBatch>) -> Result<(), WarehouseError> {
        let columns: Vec<Value> = plan
            .columns
            .iter()
            .map(|column| json!({ "name": column.name, "type": schema::staged_type_name(column.ty) }))
            .collect();
        self.client.batch("create the staging table", &render("create_staging", &json!({ "columns": columns }))?)?;
        let what = "stage rows";
        let mut appender = self
            .client
            .connection
            .appender_to_catalog_and_db("staging", "temp", "main")
            .map_err(|error| failed(what, &error))?;
        let (mut waiting, mut bytes) = (0, 0);
        for batch in rows {
            waiting += batch.num_rows();
            bytes += batch.get_array_memory_size();
            appender.append_record_batch(batch).map_err(|error| failed(what, &error))?;
            // The appender holds rows outside of DuckDB's memory limit until they are flushed.
            if waiting >= FLUSH_ROWS || bytes >= FLUSH_BYTES {
                appender.flush().map_err(|error| failed(what, &error))?;
                (waiting, bytes) = (0, 0);
            }
        }
        appender.flush().map_err(|error| failed(what, &error))
    }

    fn change_set(&mut self, request: &ChangeRequest) -> Result<Vec<Counts>, WarehouseError> {
        self.units(&request.accounts)?;
        let table = &request.table;
        let what = format!("compare with {table}");
        let names = json!({ "schema": table.schema, "table": table.table, "table_exists": request.table_exists });
        let distinct_from = match request.write {
            Write::Merge => {
                let duplicates = self.has_duplicates(&request.keys)?;
                let winners = json!({ "duplicates": duplicates, "keys": request.keys });
                self.client.batch(&what, &render("winners", &winners)?)?;
                let keys: Vec<Value> = request.keys.iter().map(|key| json!({ "name": key, "cast": "" })).collect();
                let merge = with(&names, json!({ "keys": keys, "rewrite": request.rewrite }));
                self.client.batch(&what, &render("merge_changes", &merge)?)?;
                if deletes(request) {
                    let named = request.accounts.iter().any(|account| account.named.is_some());
                    let deletions = with(&names, json!({ "keys": keys, "named": named }));
                    self.client.batch(&what, &render("deletions", &deletions)?)?;
                }
                "temp.winners"
            }
            Write::Append => {
                self.client.batch(&what, &render("append_changes", &names)?)?;
                "(SELECT DISTINCT _etl_account, _etl_row_hash FROM temp.staging)"
            }
            Write::Replace => {
                self.client.batch(&what, &render("replace_changes", &names)?)?;
                "temp.staging"
            }
        };
        let flags = with(
            &names,
            json!({ "deletions": deletes(request), "replace": request.write == Write::Replace, "distinct_from": distinct_from }),
        );
        let counted = self.client.query(&what, &render("counts", &flags)?, [], |row| {
            let counts = Counts {
                staged: row.get(1)?,
                distinct: row.get(2)?,
                inserted: row.get(3)?,
                updated: row.get(4)?,
                deleted: row.get(5)?,
                unchanged: row.get(6)?,
                live: row.get(7)?,
                newest: row.get::<_, Option<i64>>(8)?.and_then(DateTime::from_timestamp_micros),
            };
            Ok((row.get::<_, String>(0)?, counts))
        })?;
        let of = |account: &str| counted.iter().find(|(id, _)| id == account).map(|(_, counts)| *counts);
        Ok(request.accounts.iter().map(|account| of(&account.account).unwrap_or_default()).collect())
    }

    fn absent(&mut self, request: &ChangeRequest) -> Result<Vec<String>, WarehouseError> {
        if !deletes(request) {
            return Ok(Vec::new());
        }
        self.client
            .query("list the rows that are missing", "SELECT _etl_name FROM temp.deletions", [], |row| row.get(0))
    }

    fn apply(
        &mut self,
        request: &ChangeRequest,
        plan: &TablePlan,
        decision: &Decision,
        commit: &Commit<'_>,
    ) -> Result<(), WarehouseError> {
        let mut removals: Vec<(&str, &String)> = Vec::new();
        for account in &decision.excluded {
            removals.extend(["staging", "changes"].map(|table| (table, account)));
        }
        if deletes(request) {
            removals.extend(decision.excluded.iter().chain(&decision.keep).map(|account| ("deletions", account)));
        }
        if request.write == Write::Replace {
            removals.extend(decision.excluded.iter().map(|account| ("contents", account)));
        }
        for (table, account) in removals {
            let sql = render("exclude_accounts", &json!({ "table": table }))?;
            self.client.execute("leave out an account", &sql, params![account])?;
        }
        if deletes(request) && !decision.spare.is_empty() {
            self.list("spare", &decision.spare)?;
            let sql = "DELETE FROM temp.deletions WHERE _etl_name IN (FROM temp.spare)";
            self.client.batch("leave out rows that are suspects", sql)?;
        }
        self.client.transaction(|| {
            self.alter(request, plan)?;
            self.write(request, plan, commit.synced)?;
            logs::schema_changes(&self.client, &self.log_schema, request, plan, commit)?;
            logs::units(&self.client, &self.log_schema, commit.run_id, &commit.stage, commit.units)?;
            memory::write(&self.client, &self.log_schema, &request.table, commit)
        })
    }

    fn record(&mut self, table: &TableName, commit: &Commit<'_>) -> Result<(), WarehouseError> {
        self.client.transaction(|| {
            logs::units(&self.client, &self.log_schema, commit.run_id, &commit.stage, commit.units)?;
            memory::write(&self.client, &self.log_schema, table, commit)
        })
    }

    fn spent(&self) -> Spent {
        Spent::default()
    }

    fn take_more_memory(&mut self) -> Result<bool, WarehouseError> {
        self.client.take_more_memory()
    }

    fn drop_staging(&mut self) -> Result<(), WarehouseError> {
        let sql = "DROP VIEW IF EXISTS temp.winners; DROP TABLE IF EXISTS temp.ranked; DROP TABLE IF EXISTS temp.changes; \
                   DROP TABLE IF EXISTS temp.deletions; DROP TABLE IF EXISTS temp.contents; DROP TABLE IF EXISTS temp.staging";
        self.client.batch("drop the staging table", sql)
    }

    fn last_applied(&mut self, unit: &Unit) -> Result<Option<LastApplied>, WarehouseError> {
        if self.has_logs { logs::last_applied(&self.client, &self.log_schema, unit) } else { Ok(None) }
    }

    fn adopt(&mut self, adoption: &Adoption<'_>) -> Result<Adopted, WarehouseError> {
        adopt::adopt(&self.client, &self.log_schema, adoption)
    }

    fn log(&mut self, run_id: &RunId, stage: &str, units: &[UnitReport]) -> Result<(), WarehouseError> {
        self.client.transaction(|| logs::units(&self.client, &self.log_schema, run_id, stage, units))
    }
}

/// Whether rows can be marked as deleted at all.
fn deletes(request: &ChangeRequest) -> bool {
    request.write == Write::Merge && request.table_exists && request.accounts.iter().any(|account| account.may_delete)
}

fn column(column: &ColumnPlan) -> Value {
    json!({
        "name": column.name,
        "type": schema::type_name(column.ty),
        "comment": schema::comment(column),
        "cast": if column.ty == ColumnType::Json { "::JSON" } else { "" },
    })
}

fn keys(request: &ChangeRequest, plan: &TablePlan) -> Vec<Value> {
    let cast = |key: &String| match plan.columns.iter().find(|column| column.name == *key) {
        Some(column) if column.ty == ColumnType::Json => "::JSON",
        _ => "",
    };
    request.keys.iter().map(|key| json!({ "name": key, "cast": cast(key) })).collect()
}

/// One context and what is added to it.
fn with(names: &Value, more: Value) -> Value {
    let mut all = names.clone();
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all
}
