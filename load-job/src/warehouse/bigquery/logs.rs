//! The log tables of a place: one row per unit, stage and run, and one per change of a column.
//! They are made by REST and written by statements that may be repeated; what was applied before is read once a load.

use super::client::{Client, Param};
use super::sql::render;
use crate::shape::TablePlan;
use crate::warehouse::log_tables::{self, ETL_LOGS, LogColumn, LogTable, LoggedUnit, SCHEMA_CHANGES};
use crate::warehouse::{Commit, LastApplied, TableName, WarehouseError};
use chrono::{DateTime, Utc};
use contract::report::UnitReport;
use contract::run_id::{RunId, latest_moment};
use contract::unit::Unit;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Makes the log tables where they are missing, and adds the columns that those of an older version lack.
pub(super) fn create(client: &mut Client, dataset: &str) -> Result<(), WarehouseError> {
    for log in log_tables::all() {
        match client.table(dataset, log.name)? {
            None => {
                let mode = |column: &LogColumn| if column.is_required { "REQUIRED" } else { "NULLABLE" };
                let field =
                    |column: &LogColumn| json!({ "name": column.name, "type": column.ty.name(), "mode": mode(column) });
                let fields: Vec<Value> = log.columns.iter().map(field).collect();
                let body = json!({ "schema": { "fields": fields }, "clustering": { "fields": log.clustering } });
                client.create_table(dataset, log.name, body)?;
            }
            Some(table) => add_columns(client, dataset, &log, &table)?,
        }
    }
    Ok(())
}

/// Adds what a log table of an older version lacks.
fn add_columns(client: &mut Client, dataset: &str, log: &LogTable, table: &Value) -> Result<(), WarehouseError> {
    let fields = table["schema"]["fields"].as_array();
    let has = |name: &str| {
        fields
            .into_iter()
            .flatten()
            .filter_map(|field| field["name"].as_str())
            .any(|there| there.eq_ignore_ascii_case(name))
    };
    let lacking = log.columns.iter().filter(|column| !has(column.name));
    let added: Vec<Value> =
        lacking.map(|column| json!({ "name": column.name, "type": column.ty.name(), "description": "" })).collect();
    if added.is_empty() {
        return Ok(());
    }
    let text = render("add_column", &json!({ "target": [client.project, dataset, log.name], "columns": added }))?;
    client.statement(&format!("add columns to {dataset}.{}", log.name), "log", &text, &[]).map(drop)
}

/// The run that was applied last to each unit of the place; nothing if there is no log yet.
pub(super) fn last_applied(client: &mut Client, dataset: &str) -> Result<HashMap<Unit, LastApplied>, WarehouseError> {
    if client.table(dataset, ETL_LOGS)?.is_none() {
        return Ok(HashMap::new());
    }
    let text = render("last_applied", &json!({ "logs": [client.project, dataset, ETL_LOGS] }))?;
    let latest = latest_moment(Utc::now());
    let id = latest.format("%Y%m%dT%H%M%SZ-~").to_string();
    let params = [("latest", Param::Instant(latest)), ("latest_id", Param::Text(&id))];
    let rows = client.rows("read the log", "log", &text, &params)?;
    let read = |row: Vec<Option<String>>| {
        let [source, account, stream, run_id, at]: [Option<String>; 5] = row.try_into().ok()?;
        let at = DateTime::from_timestamp_micros(at?.parse().ok()?).unwrap_or_default();
        let unit = Unit { source: source?, account: account?, stream: stream? };
        Some((unit, LastApplied { run_id: run_id?.parse().ok()?, at }))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Writes the rows of units, replacing what an earlier attempt has written.
pub(super) fn units(
    client: &mut Client,
    dataset: &str,
    run_id: &RunId,
    stage: &str,
    units: &[UnitReport],
) -> Result<(), WarehouseError> {
    if units.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = units
        .iter()
        .map(|unit| {
            let row = log_tables::unit_values(LoggedUnit { run_id, stage, unit });
            let mut row: Map<String, Value> = row.map(|(column, value)| (column.name.to_owned(), value)).collect();
            row.insert("changed".to_owned(), json!(unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0));
            Value::Object(row)
        })
        .collect();
    let columns: Vec<Value> =
        log_tables::unit_columns().map(|column| json!({ "name": column.name, "type": column.ty.name() })).collect();
    let rows = Value::from(rows).to_string();
    let text = render("log_unit", &json!({ "logs": [client.project, dataset, ETL_LOGS], "columns": columns }))?;
    let params =
        [("rows", Param::Text(&rows)), ("run_id", Param::Text(run_id.as_str())), ("stage", Param::Text(stage))];
    client.statement("write the log", "log", &text, &params).map(drop)
}

/// Writes the rows of the columns that were added, widened or split.
pub(super) fn schema_changes(
    client: &mut Client,
    dataset: &str,
    table: &TableName,
    plan: &TablePlan,
    commit: &Commit<'_>,
) -> Result<(), WarehouseError> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = log_tables::changed_columns(plan).collect();
    let (rows, table) = (json!(rows).to_string(), table.in_schema());
    let text = render("log_schema_change", &json!({ "schema_changes": [client.project, dataset, SCHEMA_CHANGES] }))?;
    let params = [
        ("run_id", Param::Text(commit.run_id.as_str())),
        ("table_name", Param::Text(&table)),
        ("rows", Param::Text(&rows)),
        ("changed_at", Param::Instant(commit.synced)),
    ];
    client.statement("write the log", "log", &text, &params).map(drop)
}
