//! What a DuckDB file remembers of its tables: the identity in the table's comment, and a row for each batch that was applied.
//! Both are written in the transaction that writes the rows.

use super::client::Client;
use super::schema::timestamp;
use super::sql::render;
use crate::warehouse::{Applied, Commit, Remember, TableId, TableName, WarehouseError};
use chrono::DateTime;
use contract::unit::Unit;
use duckdb::params;
use serde_json::{Map, Value, json};

/// The comment of a table.
pub(super) fn comment(client: &Client, table: &TableName) -> Result<Option<String>, WarehouseError> {
    let sql = render("table_comment", &json!({}))?;
    let found = client
        .query("read the catalogue", &sql, params![table.schema, table.table], |row| row.get::<_, Option<String>>(0))?;
    Ok(found.into_iter().flatten().next())
}

/// Everything that is remembered, the newest batches of each unit.
pub(super) fn read(client: &Client, log_schema: &str) -> Result<Vec<Applied>, WarehouseError> {
    let sql = render("remembered", &json!({ "log_schema": log_schema }))?;
    let rows = client.query("read what was applied before", &sql, [], |row| {
        let text = |at: usize| row.get::<_, String>(at);
        let maybe = |at: usize| row.get::<_, Option<String>>(at);
        let applied = || -> duckdb::Result<Option<Applied>> {
            // What no version of this program has written names no batch.
            let Ok(run_id) = text(5)?.parse() else { return Ok(None) };
            let table_id = match maybe(1)? {
                None => None,
                Some(id) => match TableId::parse(&id) {
                    None => return Ok(None),
                    known => known,
                },
            };
            let unit = Unit { source: text(2)?, account: text(3)?, stream: text(4)? };
            let synced = row.get::<_, Option<i64>>(8)?.and_then(DateTime::from_timestamp_micros);
            Ok(Some(Applied { table: text(0)?, table_id, unit, run_id, mode: text(6)?, state: maybe(7)?, synced }))
        };
        applied()
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// Gives the table its identity, and remembers the batches.
pub(super) fn write(
    client: &Client,
    log_schema: &str,
    table: &TableName,
    commit: &Commit<'_>,
) -> Result<(), WarehouseError> {
    let what = "remember what was applied";
    if let Some(identity) = commit.identity.filter(|identity| identity.is_new) {
        let comment = identity.id.comment(comment(client, table)?.as_deref());
        let names = json!({ "schema": table.schema, "table": table.table, "comment": comment });
        client.batch(what, &render("identify_table", &names)?)?;
    }
    let names = json!({ "log_schema": log_schema });
    let id = commit.identity.map(|identity| identity.id.as_str());
    if let Some(id) = id.filter(|_| commit.remember.iter().any(|remember| remember.claims)) {
        client.execute(what, &render("claim_batches", &names)?, params![id, table.in_schema()])?;
    }
    if commit.remember.is_empty() {
        return Ok(());
    }
    let row = |remember: &Remember| {
        let Applied { table, unit, run_id, mode, state, synced, .. } = &remember.applied;
        json!({
            "table_name": table, "table_id": id, "source": unit.source, "account": unit.account, "stream": unit.stream, "run_id": run_id.as_str(),
            "mode": mode, "state": state, "synced": synced.map(timestamp), "applied_at": timestamp(remember.at),
        })
    };
    let rows: Vec<Value> = commit.remember.iter().map(row).collect();
    let fields: Map<String, Value> = rows
        .iter()
        .filter_map(Value::as_object)
        .take(1)
        .flat_map(Map::keys)
        .map(|key| (key.clone(), "VARCHAR".into()))
        .collect();
    let names = json!({ "log_schema": log_schema, "structure": json!([fields]).to_string() });
    let rows = Value::from(rows).to_string();
    for statement in ["forget_batches", "remember_batch"] {
        client.execute(what, &render(statement, &names)?, params![rows])?;
    }
    Ok(())
}
