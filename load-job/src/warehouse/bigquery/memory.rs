//! What BigQuery remembers of its tables: the identity in a label of the table, and a row for each batch that was applied.
//! No statement writes both the rows and the memory, so the memory forgets before rows are written and learns after: it never says that a
//! table has what it has not, and what a killed load left unsaid is said when the run is loaded again.

use super::client::{Client, Param, refused};
use super::sql::render;
use crate::warehouse::log_tables::APPLIED_BATCHES;
use crate::warehouse::{Applied, Commit, TableId, TableName, WarehouseError};
use chrono::DateTime;
use contract::unit::Unit;
use reqwest::Method;
use serde_json::{Value, json};

/// The label that holds a table's identity.
pub(super) const LABEL: &str = "drayage_table";

const WHAT: &str = "remember what was applied";

/// The identity of a table as `tables.get` tells it.
pub(super) fn identity(table: &Value) -> Option<TableId> {
    table["labels"][LABEL].as_str().and_then(TableId::parse)
}

/// Gives a table that is there its identity; its other labels stay.
pub(super) fn identify(client: &Client, table: &TableName, found: &Value, id: &TableId) -> Result<(), WarehouseError> {
    let mut labels = found["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(LABEL.to_owned(), id.as_str().into());
    let path = format!("/datasets/{}/tables/{}", table.schema, table.table);
    let patched = client.call(Method::PATCH, &path, &[], Some(&json!({ "labels": labels })));
    patched.map(drop).map_err(|error| refused(&client.project, &format!("label table {table}"), error))
}

/// Everything that the place remembers, the newest batches of each unit; nothing if there is no memory yet.
pub(super) fn read(client: &mut Client, dataset: &str) -> Result<Vec<Applied>, WarehouseError> {
    if client.table(dataset, APPLIED_BATCHES)?.is_none() {
        return Ok(Vec::new());
    }
    let text = render("remembered", &json!({ "applied_batches": path(client, dataset) }))?;
    let rows = client.rows("read what was applied before", "log", &text, &[])?;
    let read = |row: Vec<Option<String>>| {
        let [table, id, source, account, stream, run_id, mode, state, synced]: [Option<String>; 9] =
            row.try_into().ok()?;
        Some(Applied {
            table: table?,
            table_id: id.as_deref().map(TableId::parse).map_or(Some(None), |id| id.map(Some))?,
            unit: Unit { source: source?, account: account?, stream: stream? },
            run_id: run_id?.parse().ok()?,
            mode: mode?,
            state,
            synced: synced.and_then(|text| DateTime::from_timestamp_micros(text.parse().ok()?)),
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Before the rows are written: forgets the states that will hold no longer.
pub(super) fn forget(
    client: &mut Client,
    dataset: &str,
    table: &TableName,
    commit: &Commit<'_>,
) -> Result<(), WarehouseError> {
    let name = table.in_schema();
    for remember in commit.remember.iter().filter(|remember| remember.supersedes) {
        let unit = &remember.applied.unit;
        let text = render("forget_batches", &json!({ "applied_batches": path(client, dataset) }))?;
        let params = [
            ("table_id", Param::Text(id(commit))),
            ("table_name", Param::Text(&name)),
            ("account", Param::Text(&unit.account)),
            ("source", Param::Text(&unit.source)),
            ("stream", Param::Text(&unit.stream)),
            ("run_id", Param::Text(remember.applied.run_id.as_str())),
        ];
        client.statement(WHAT, "log", &text, &params)?;
    }
    Ok(())
}

/// After the rows are written: remembers the batches.
pub(super) fn learn(
    client: &mut Client,
    dataset: &str,
    table: &TableName,
    commit: &Commit<'_>,
) -> Result<(), WarehouseError> {
    let name = table.in_schema();
    if commit.identity.is_some() && commit.remember.iter().any(|remember| remember.claims) {
        let text = render("claim_batches", &json!({ "applied_batches": path(client, dataset) }))?;
        let params = [("table_id", Param::Text(id(commit))), ("table_name", Param::Text(&name))];
        client.statement(WHAT, "log", &text, &params)?;
    }
    let Some(first) = commit.remember.first() else { return Ok(()) };
    let row = |applied: &Applied| {
        let Unit { source, account, stream } = &applied.unit;
        json!({ "source": source, "account": account, "stream": stream, "mode": applied.mode, "state": applied.state, "synced": applied.synced.map(|at| at.timestamp_micros().to_string()) })
    };
    let rows =
        Value::from(commit.remember.iter().map(|remember| row(&remember.applied)).collect::<Vec<_>>()).to_string();
    let text = render("remember_batch", &json!({ "applied_batches": path(client, dataset) }))?;
    let params = [
        ("rows", Param::Text(&rows)),
        ("table_id", Param::Text(id(commit))),
        ("table_name", Param::Text(&name)),
        ("run_id", Param::Text(first.applied.run_id.as_str())),
        ("applied_at", Param::Instant(first.at)),
    ];
    client.statement(WHAT, "log", &text, &params).map(drop)
}

/// The table's identity; empty where there is no table.
fn id<'a>(commit: &Commit<'a>) -> &'a str {
    commit.identity.map(|identity| identity.id.as_str()).unwrap_or_default()
}

fn path(client: &Client, dataset: &str) -> [String; 3] {
    [client.project.clone(), dataset.to_owned(), APPLIED_BATCHES.to_owned()]
}
