//! The log tables of a DuckDB file: one row per unit, stage and run, and one per change of a column.
//! A repeated load that changes nothing leaves the first load's row, which tells what happened.

use super::client::Client;
use super::schema::{timestamp, type_name};
use super::sql::render;
use crate::shape::TablePlan;
use crate::warehouse::log_tables::{self, LogColumn, LogTable, LoggedUnit};
use crate::warehouse::{Commit, LastApplied, TableName, WarehouseError};
use chrono::{DateTime, Utc};
use contract::report::{UnitReport, UnitStatus};
use contract::run_id::{RunId, latest_moment};
use contract::unit::Unit;
use duckdb::params;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Writes the rows of units, replacing what an earlier attempt has written.
pub(super) fn units(
    client: &Client,
    log_schema: &str,
    run_id: &RunId,
    stage: &str,
    units: &[UnitReport],
) -> Result<(), WarehouseError> {
    if units.is_empty() {
        return Ok(());
    }
    let what = "write the log";
    let row = |unit: &UnitReport| {
        let values = log_tables::unit_values(LoggedUnit { run_id, stage, unit });
        let mut row: Map<String, Value> = values.map(|(column, value)| (column.name.to_owned(), value)).collect();
        let changed = unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0;
        row.insert("tells_less".to_owned(), (unit.status != UnitStatus::Done || !changed).into());
        Value::Object(row)
    };
    let rows = Value::from(units.iter().map(row).collect::<Vec<_>>()).to_string();
    let mut fields: Map<String, Value> =
        log_tables::unit_columns().map(|column| (column.name.to_owned(), "VARCHAR".into())).collect();
    fields.insert("tells_less".to_owned(), "BOOLEAN".into());
    let columns: Vec<Value> = log_tables::unit_columns().map(column).collect();
    let names = json!({ "log_schema": log_schema, "columns": columns, "structure": json!([fields]).to_string() });
    for statement in ["delete_log", "log_unit"] {
        client.execute(what, &render(statement, &names)?, params![rows])?;
    }
    Ok(())
}

/// What a template sees of a column.
fn column(column: LogColumn) -> Value {
    json!({ "name": column.name, "type": type_name(column.ty), "required": column.is_required })
}

/// Makes the log tables, adds the columns that those of an older version lack, and makes schemas.
pub(super) fn create(client: &Client, log_schema: &str, schemas: &[String]) -> Result<(), WarehouseError> {
    let table = |table: LogTable| json!({ "name": table.name, "columns": table.columns.into_iter().map(column).collect::<Vec<_>>() });
    let logs: Vec<Value> = log_tables::all().into_iter().map(table).collect();
    let names = json!({ "log_schema": log_schema, "logs": logs, "schemas": schemas });
    client.batch("create the log tables", &render("create_log_tables", &names)?)
}

/// Writes the rows of the columns that were added, widened or split.
pub(super) fn schema_changes(
    client: &Client,
    log_schema: &str,
    table: &TableName,
    plan: &TablePlan,
    commit: &Commit<'_>,
) -> Result<(), WarehouseError> {
    let sql = render("log_schema_change", &json!({ "log_schema": log_schema }))?;
    for changed in log_tables::changed_columns(plan) {
        let row = params![
            commit.run_id.as_str(),
            table.to_string(),
            changed.column,
            changed.field,
            changed.change,
            changed.from,
            changed.to,
            timestamp(commit.synced),
        ];
        client.execute("write the log", &sql, row)?;
    }
    Ok(())
}

/// The run that was applied last to each unit.
pub(super) fn last_applied(client: &Client, log_schema: &str) -> Result<HashMap<Unit, LastApplied>, WarehouseError> {
    let sql = render("last_applied", &json!({ "log_schema": log_schema }))?;
    let latest = latest_moment(Utc::now());
    let (moment, id) = (timestamp(latest), latest.format("%Y%m%dT%H%M%SZ-~").to_string());
    let rows = client.query("read the log", &sql, params![moment, id], |row| {
        let unit = Unit { source: row.get(0)?, account: row.get(1)?, stream: row.get(2)? };
        Ok((unit, row.get::<_, String>(3)?, row.get::<_, i64>(4)?))
    })?;
    let applied = |(unit, run, at): (Unit, String, i64)| {
        let at = DateTime::from_timestamp_micros(at).unwrap_or_default();
        Some((unit, LastApplied { run_id: run.parse().ok()?, at }))
    };
    Ok(rows.into_iter().filter_map(applied).collect())
}
