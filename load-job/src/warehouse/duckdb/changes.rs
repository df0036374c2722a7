//! The change set of a table in a DuckDB file, and its application: one transaction, with the log rows and the memory.

use super::load::{key, list, record, stage, written};
use super::open::Open;
use super::schema::timestamp;
use super::sql::render;
use super::{logs, retype, schema, source};
use crate::shape::{ColumnPlan, ColumnType, ExistingColumn, SchemaChangeKind, TablePlan, Wanted};
use crate::warehouse::templates::with;
use crate::warehouse::{
    ChangeRequest, ChangeSet, Commit, Counts, Decision, Ready, Spent, Target, WarehouseError, wanted_of,
};
use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use crossbeam_channel::Receiver;
use duckdb::params;
use serde_json::{Value, json};
use std::sync::Arc;

/// A table with its change set.
pub(super) struct Changes<'w> {
    pub(super) open: Open<'w>,
    pub(super) request: ChangeRequest,
    pub(super) counts: Vec<Counts>,
    /// Whether absent rows were looked for.
    pub(super) looked_for: bool,
}

/// A change set whose rows are written, in a transaction that is yet to be committed.
struct Written<'w> {
    open: Open<'w>,
    plan: Arc<TablePlan>,
    rows: u64,
}

impl<'w> ChangeSet<'w> for Changes<'w> {
    fn target(&mut self) -> &mut dyn Target {
        &mut self.open
    }

    fn counts(&self) -> &[Counts] {
        &self.counts
    }

    fn absent(&mut self) -> Result<Vec<String>, WarehouseError> {
        if !self.looked_for {
            return Ok(Vec::new());
        }
        let sql = "SELECT _etl_name FROM temp.deletions";
        self.open.client().query("list the rows that are missing", sql, [], |row| row.get(0))
    }

    fn changed(&mut self, records: u64) -> Result<Wanted, WarehouseError> {
        wanted_of(&self.counts, records, || {
            let sql = render("changed_rows", &json!({}))?;
            self.open.client().query("list the rows that change", &sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }

    fn rows(
        mut self: Box<Self>,
        decision: Decision,
        synced: DateTime<Utc>,
        rows: &Receiver<RecordBatch>,
    ) -> Result<Box<dyn Ready + 'w>, WarehouseError> {
        let plan = self.request.plan.clone();
        self.leave_out(&decision)?;
        self.open.begin()?;
        self.alter(&plan)?;
        let what = format!("write into {}", self.open.table);
        let names = self.open.names();
        if self.request.write.removes_absent() && self.open.existing.is_some() {
            self.open.client().batch(&what, &render(self.request.write.as_str(), &names)?)?;
        }
        let updates = self.count(&what, "SELECT count(*)::UBIGINT FROM temp.changes WHERE action <> 'INSERT'")?;
        let deletes =
            if self.looked_for { self.count(&what, "SELECT count(*)::UBIGINT FROM temp.deletions")? } else { 0 };
        if updates > 0 {
            self.refuse_doubled(&what)?;
        }
        let rows = if updates + deletes == 0 {
            self.insert(&plan, true, synced, rows)?
        } else if self.may_replace_rows() {
            self.expect(&what, updates, self.open.client().execute(&what, &render("take_out", &names)?, [])?)?;
            if deletes > 0 {
                let sql = render("mark_deleted", &names)?;
                let marked = self.open.client().execute(&what, &sql, params![timestamp(synced)])?;
                self.expect(&what, deletes, marked)?;
            }
            self.insert(&plan, false, synced, rows)?
        } else {
            self.merge(&plan, deletes, synced, rows)?
        };
        Ok(Box::new(Written { open: self.open, plan, rows }))
    }

    fn record(self: Box<Self>, commit: &Commit<'_>) -> Result<Spent, WarehouseError> {
        record(self.open, commit).map(|()| Spent::default())
    }
}

impl Changes<'_> {
    /// Takes out of the change set what was decided against.
    fn leave_out(&self, decision: &Decision) -> Result<(), WarehouseError> {
        let client = self.open.client();
        let (excluded, keep) = (decision.excluded.iter(), decision.keep.iter());
        let mut removals: Vec<(&str, Vec<&String>)> = vec![("changes", excluded.clone().collect())];
        if self.looked_for {
            removals.push(("deletions", excluded.clone().chain(keep).collect()));
        }
        if self.request.write.removes_absent() {
            removals.push(("contents", excluded.collect()));
        }
        for (table, accounts) in removals.into_iter().filter(|(_, accounts)| !accounts.is_empty()) {
            let sql = render("exclude_accounts", &json!({ "table": table }))?;
            client.execute("leave out accounts", &sql, params![json!(accounts).to_string()])?;
        }
        if self.looked_for && !decision.spare.is_empty() {
            list(client, "spare", &decision.spare)?;
            let sql = "DELETE FROM temp.deletions WHERE _etl_name IN (FROM temp.spare)";
            client.batch("leave out rows that are suspects", sql)?;
        }
        Ok(())
    }

    /// Makes the table, or changes its columns.
    fn alter(&self, plan: &TablePlan) -> Result<(), WarehouseError> {
        let (client, table) = (self.open.client(), &self.open.table);
        if self.open.existing.is_none() {
            let columns: Vec<Value> = plan.columns.iter().map(column).collect();
            let sql =
                render("create_table", &json!({ "schema": table.schema, "table": table.table, "columns": columns }))?;
            return client.batch(&format!("create table {table}"), &sql);
        }
        for change in &plan.changes {
            let changed = &plan.columns[change.column];
            let template = match change.kind {
                SchemaChangeKind::Added | SchemaChangeKind::Split => "add_column",
                SchemaChangeKind::Widened | SchemaChangeKind::Retyped => "widen_column",
            };
            let mut names =
                json!({ "schema": table.schema, "table": table.table, "column": column(changed), "using": null });
            if let (SchemaChangeKind::Retyped, Some(from)) = (change.kind, change.from) {
                names["using"] = json!(retype::value(&changed.name, from, changed.ty, plan.reading(&changed.field))?);
            }
            let sql = render(template, &names)?;
            client.batch(&format!("change column {} of {table}", changed.name), &sql)?;
        }
        Ok(())
    }

    fn count(&self, what: &str, sql: &str) -> Result<u64, WarehouseError> {
        let found = self.open.client().query(what, sql, [], |row| row.get::<_, u64>(0))?;
        Ok(found.first().copied().unwrap_or(0))
    }

    /// Whether a row may be taken out and put in again: it has no values but those that the program writes, and stands where it stood when it
    /// was compared. A column of DuckDB's name for that place hides it.
    fn may_replace_rows(&self) -> bool {
        let plan = &self.request.plan;
        let is_written = |found: &ExistingColumn| {
            let is_place = found.name.eq_ignore_ascii_case("rowid");
            !is_place && plan.columns.iter().any(|column| column.name == found.name)
        };
        let existing = self.open.existing.as_ref();
        plan.changes.is_empty() && existing.is_some_and(|table| table.columns.iter().all(is_written))
    }

    /// Refuses a table in which several rows have the key of one record: which of them is meant nobody can tell.
    fn refuse_doubled(&self, what: &str) -> Result<(), WarehouseError> {
        let sql = "SELECT (count(*) - count(DISTINCT _etl_seq))::UBIGINT FROM temp.changes WHERE action <> 'INSERT'";
        match self.count(what, sql)? {
            0 => Ok(()),
            rows => Err(WarehouseError::Table {
                table: self.open.table.to_string(),
                message: format!(
                    "{rows} of its rows have the account and the key of another one, which no load has made: remove what is doubled, then load the run again"
                ),
            }),
        }
    }

    fn expect(&self, what: &str, expected: u64, changed: usize) -> Result<(), WarehouseError> {
        if changed as u64 == expected {
            return Ok(());
        }
        let message = format!("{expected} rows were to change, but {changed} did");
        Err(WarehouseError::Statement { what: what.to_owned(), message })
    }

    /// Takes rows straight into the target.
    fn insert(
        &self,
        plan: &TablePlan,
        all_new: bool,
        synced: DateTime<Utc>,
        rows: &Receiver<RecordBatch>,
    ) -> Result<u64, WarehouseError> {
        let columns: Vec<Value> = plan.columns.iter().map(column).collect();
        let names = with(&self.open.names(), json!({ "columns": columns, "all_new": all_new }));
        let is_json = |column: &&ColumnPlan| column.ty == ColumnType::Json;
        let json = plan.columns.iter().filter(is_json).map(|column| column.name.clone()).collect();
        let what = format!("write into {}", self.open.table);
        let statement = |source: &str| render("insert", &with(&names, json!({ "source": source })));
        source::read(self.open.client(), &what, rows, json, statement, params![timestamp(synced)])
    }

    /// Stages the rows beside the target and merges them.
    fn merge(
        &self,
        plan: &TablePlan,
        deletes: u64,
        synced: DateTime<Utc>,
        rows: &Receiver<RecordBatch>,
    ) -> Result<u64, WarehouseError> {
        let client = self.open.client();
        let what = format!("write into {}", self.open.table);
        let taken = stage(client, "rows", &plan.columns, false, rows)?;
        let columns: Vec<Value> = plan.columns.iter().map(column).collect();
        let keys: Vec<Value> = self.request.keys.iter().map(key).collect();
        let names = json!({ "columns": columns, "keys": keys, "deletions": deletes > 0 });
        let sql = render(self.request.write.as_str(), &with(&self.open.names(), names))?;
        let synced = timestamp(synced);
        let changed = if deletes > 0 {
            client.execute(&what, &sql, params![synced, synced, synced])?
        } else {
            client.execute(&what, &sql, params![synced, synced])?
        };
        self.expect(&what, taken + deletes, changed)?;
        Ok(taken)
    }
}

impl Ready for Written<'_> {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn apply(mut self: Box<Self>, commit: &Commit<'_>) -> Result<Spent, WarehouseError> {
        let (client, log_schema) = (self.open.client(), &self.open.file.log_schema);
        client.release_memory();
        logs::schema_changes(client, log_schema, &self.open.table, &self.plan, commit)?;
        written(&self.open, commit)?;
        self.open.commit()?;
        Ok(Spent::default())
    }
}

/// What a template sees of a column of the target.
fn column(column: &ColumnPlan) -> Value {
    json!({
        "name": column.name,
        "type": schema::type_name(column.ty),
        "comment": schema::comment(column),
        "cast": if column.ty == ColumnType::Json { "::JSON" } else { "" },
    })
}
