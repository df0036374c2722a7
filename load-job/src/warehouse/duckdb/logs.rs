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
use duckdb::types::Value as Bound;
use duckdb::{params, params_from_iter};
use serde_json::{Value, json};

/// Writes the rows of units, replacing what an earlier attempt has written.
pub(super) fn units(
    client: &Client,
    log_schema: &str,
    run_id: &RunId,
    stage: &str,
    units: &[UnitReport],
) -> Result<(), WarehouseError> {
    let what = "write the log";
    let columns: Vec<Value> = log_tables::unit_columns().map(column).collect();
    let names = json!({ "log_schema": log_schema, "columns": columns });
    let (find, delete, insert) =
        (render("logged_unit", &names)?, render("delete_log", &names)?, render("log_unit", &names)?);
    for unit in units {
        let key = params![run_id.as_str(), stage, unit.source, unit.account, unit.stream];
        let logged = client.query(what, &find, key, |row| row.get::<_, String>(0))?;
        let changed = unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0;
        let worse = unit.status != UnitStatus::Done || !changed;
        if worse && logged.iter().any(|status| status == UnitStatus::Done.as_str()) {
            continue;
        }
        client.execute(what, &delete, key)?;
        let row = log_tables::unit_values(LoggedUnit { run_id, stage, unit });
        client.execute(what, &insert, params_from_iter(row.map(|(_, value)| bound(value))))?;
    }
    Ok(())
}

/// What a template sees of a column.
fn column(column: LogColumn) -> Value {
    json!({ "name": column.name, "type": type_name(column.ty), "required": column.is_required })
}

/// A value as it is bound; the statement casts it to its column's type.
fn bound(value: Value) -> Bound {
    match value {
        Value::Null => Bound::Null,
        Value::String(text) => Bound::Text(text),
        Value::Number(number) => number.as_u64().map_or_else(|| Bound::Text(number.to_string()), Bound::UBigInt),
        other => Bound::Text(other.to_string()),
    }
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
    for change in &plan.changes {
        let column = &plan.columns[change.column];
        let row = params![
            commit.run_id.as_str(),
            table.to_string(),
            column.name,
            column.field,
            change.kind.as_str(),
            change.from.map(|ty| ty.name()),
            column.ty.name(),
            timestamp(commit.synced),
        ];
        client.execute("write the log", &sql, row)?;
    }
    Ok(())
}

/// The run that was applied to a unit last.
pub(super) fn last_applied(
    client: &Client,
    log_schema: &str,
    unit: &Unit,
) -> Result<Option<LastApplied>, WarehouseError> {
    let sql = render("last_applied", &json!({ "log_schema": log_schema }))?;
    let latest = latest_moment(Utc::now());
    let (moment, id) = (timestamp(latest), latest.format("%Y%m%dT%H%M%SZ-~").to_string());
    let rows =
        client.query("read the log", &sql, params![unit.source, unit.account, unit.stream, moment, id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })?;
    let applied = |(run, at): &(String, i64)| {
        Some(LastApplied { run_id: run.parse().ok()?, at: DateTime::from_timestamp_micros(*at).unwrap_or_default() })
    };
    Ok(rows.first().and_then(applied))
}
