//! The load of a table into a DuckDB file up to its change set. Everything lies in temporary tables.

use super::changes::Changes;
use super::client::{Client, failed};
use super::open::Open;
use super::sql::render;
use super::{logs, memory, schema, source};
use crate::shape::{ColumnPlan, ColumnType};
use crate::warehouse::templates::with;
use crate::warehouse::{
    AccountChange, ChangeRequest, ChangeSet, Commit, Counts, History, Staged, TableLoad, Target, WarehouseError,
};
use arrow::array::RecordBatch;
use chrono::DateTime;
use crossbeam_channel::Receiver;
use duckdb::params;
use serde_json::{Value, json};

/// A table that is open.
pub(super) struct Load<'w> {
    pub(super) open: Open<'w>,
}

/// A table whose records' keys are staged.
struct Keys<'w> {
    open: Open<'w>,
}

impl<'w> TableLoad<'w> for Load<'w> {
    fn target(&mut self) -> &mut dyn Target {
        &mut self.open
    }

    fn history(&self) -> &History {
        &self.open.file.history
    }

    fn keys(
        self: Box<Self>,
        keys: &[ColumnPlan],
        rows: &Receiver<RecordBatch>,
    ) -> Result<Box<dyn Staged<'w> + 'w>, WarehouseError> {
        self.open.client().hold_memory();
        stage(self.open.client(), "staging", keys, true, rows)?;
        Ok(Box::new(Keys { open: self.open }))
    }
}

impl<'w> Staged<'w> for Keys<'w> {
    fn target(&mut self) -> &mut dyn Target {
        &mut self.open
    }

    fn compare(self: Box<Self>, request: ChangeRequest) -> Result<Box<dyn ChangeSet<'w> + 'w>, WarehouseError> {
        let open = self.open;
        let client = open.client();
        accounts(client, &request.accounts)?;
        let what = format!("compare with {}", open.table);
        let duplicates = request.write.is_by_key() && has_duplicates(client, &request.keys)?;
        let looked_for = request.looks_for_absent() && open.existing.is_some();
        let names = with(
            &open.names(),
            json!({
                "keys": request.keys.iter().map(key).collect::<Vec<_>>(),
                "rewrite": request.rewrite,
                "duplicates": duplicates,
                "looked_for": looked_for,
                "named": request.accounts.iter().any(|account| account.named.is_some()),
            }),
        );
        let word = request.write.as_str();
        client.batch(&what, &render(&format!("{word}_changes"), &names)?)?;
        let net = render(&format!("{word}_counts"), &names)?;
        let counted = client.query(&what, &render("counts", &with(&names, json!({ "net": net })))?, [], |row| {
            let counts = Counts {
                staged: row.get(1)?,
                distinct: row.get(2)?,
                inserted: row.get(3)?,
                updated: row.get(4)?,
                deleted: row.get(5)?,
                unchanged: row.get(6)?,
                written: row.get(7)?,
                live: row.get(8)?,
                newest: row.get::<_, Option<i64>>(9)?.and_then(DateTime::from_timestamp_micros),
            };
            Ok((row.get::<_, String>(0)?, counts))
        })?;
        let of = |account: &AccountChange| {
            counted.iter().find(|(id, _)| *id == account.account).map(|(_, counts)| *counts).unwrap_or_default()
        };
        let counts = request.accounts.iter().map(of).collect();
        Ok(Box::new(Changes { open, request, counts, looked_for }))
    }

    fn record(self: Box<Self>, commit: &Commit<'_>) -> Result<(), WarehouseError> {
        record(self.open, commit)
    }
}

/// Writes the log rows and the memory in a transaction of their own.
pub(super) fn record(mut open: Open<'_>, commit: &Commit<'_>) -> Result<(), WarehouseError> {
    open.client().release_memory();
    open.begin()?;
    written(&open, commit)?;
    open.commit()
}

/// Writes the log rows and the memory.
pub(super) fn written(open: &Open<'_>, commit: &Commit<'_>) -> Result<(), WarehouseError> {
    let (client, log_schema) = (open.client(), &open.file.log_schema);
    logs::units(client, log_schema, commit.run_id, &commit.stage, commit.units)?;
    memory::write(client, log_schema, &open.table, commit)
}

/// The accounts and whether their absent rows are looked for, as a temporary table.
fn accounts(client: &Client, accounts: &[AccountChange]) -> Result<(), WarehouseError> {
    let what = "list the accounts";
    client.batch(what, &render("units", &json!({}))?)?;
    let mut appender =
        client.connection.appender_to_catalog_and_db("units", "temp", "main").map_err(|error| failed(what, &error))?;
    for account in accounts {
        let row = params![account.account, account.may_delete, account.named.is_some()];
        appender.append_row(row).map_err(|error| failed(what, &error))?;
    }
    appender.flush().map_err(|error| failed(what, &error))?;
    list(client, "named", accounts.iter().filter_map(|account| account.named.as_ref()).flatten())
}

/// Fills a temporary table of names.
pub(super) fn list<'n>(
    client: &Client,
    table: &str,
    names: impl IntoIterator<Item = &'n String>,
) -> Result<(), WarehouseError> {
    let what = "list rows by their keys";
    let appender = client.connection.appender_to_catalog_and_db(table, "temp", "main");
    let mut appender = appender.map_err(|error| failed(what, &error))?;
    for name in names {
        appender.append_row(params![name]).map_err(|error| failed(what, &error))?;
    }
    appender.flush().map_err(|error| failed(what, &error))
}

fn has_duplicates(client: &Client, keys: &[ColumnPlan]) -> Result<bool, WarehouseError> {
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let sql = render("has_duplicates", &json!({ "keys": names }))?;
    let found = client.query("check the keys", &sql, [], |row| row.get::<_, bool>(0))?;
    Ok(found.first().copied().unwrap_or(false))
}

/// Fills a temporary table until the channel closes; how many rows there were.
pub(super) fn stage(
    client: &Client,
    table: &str,
    columns: &[ColumnPlan],
    has_order: bool,
    rows: &Receiver<RecordBatch>,
) -> Result<u64, WarehouseError> {
    let columns: Vec<Value> = columns.iter().map(staged).collect();
    let names = json!({ "table": table, "columns": columns, "has_order": has_order });
    client.batch("create the staging table", &render("create_staging", &names)?)?;
    let statement = |source: &str| render("stage", &json!({ "table": table, "source": source }));
    source::read(client, "stage rows", rows, Vec::new(), statement, [])
}

/// What a template sees of a column that is staged.
fn staged(column: &ColumnPlan) -> Value {
    json!({ "name": column.name, "type": schema::staged_type_name(column.ty) })
}

/// What a template sees of a column of the key.
pub(super) fn key(column: &ColumnPlan) -> Value {
    json!({ "name": column.name, "cast": if column.ty == ColumnType::Json { "::JSON" } else { "" } })
}
