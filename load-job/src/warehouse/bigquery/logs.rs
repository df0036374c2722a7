//! The log tables of a place: one row per unit, stage and run, and one per change of a column.
//! They are made by REST and written by statements that may be repeated; what was applied before is read once a load.

use super::client::{Client, Param};
use super::sql::{render, timestamp};
use crate::shape::TablePlan;
use crate::warehouse::{ChangeRequest, Commit, LastApplied, WarehouseError};
use chrono::{DateTime, Utc};
use contract::report::UnitReport;
use contract::run_id::{RunId, latest_moment};
use contract::unit::Unit;
use serde_json::{Value, json};
use std::collections::HashMap;

const ETL_LOGS: &str = "etl_logs";
const SCHEMA_CHANGES: &str = "schema_changes";
/// What the place remembers of its tables.
pub(super) const APPLIED_BATCHES: &str = "applied_batches";

/// Name, type, and whether it is required.
type LogField = (&'static str, &'static str, bool);

/// Makes the log tables where they are missing.
pub(super) fn create(client: &Client, dataset: &str) -> Result<(), WarehouseError> {
    let field = |(name, ty, required): &(&str, &str, bool)| json!({ "name": name, "type": ty, "mode": if *required { "REQUIRED" } else { "NULLABLE" } });
    let tables: [(&str, &[LogField], &[&str]); 3] = [
        (
            ETL_LOGS,
            &[
                ("run_id", "STRING", true),
                ("stage", "STRING", true),
                ("source", "STRING", true),
                ("account", "STRING", true),
                ("stream", "STRING", true),
                ("table_name", "STRING", false),
                ("status", "STRING", true),
                ("mode", "STRING", false),
                ("rows_extracted", "INT64", false),
                ("rows_inserted", "INT64", false),
                ("rows_updated", "INT64", false),
                ("rows_deleted", "INT64", false),
                ("rows_rejected", "INT64", false),
                ("bytes", "INT64", false),
                ("started_at", "TIMESTAMP", false),
                ("finished_at", "TIMESTAMP", false),
                ("duration_ms", "INT64", false),
                ("error", "STRING", false),
                ("bytes_processed", "INT64", false),
                ("bytes_billed", "INT64", false),
            ],
            &["run_id", "source", "account", "stream"],
        ),
        (
            SCHEMA_CHANGES,
            &[
                ("run_id", "STRING", true),
                ("table_name", "STRING", true),
                ("column_name", "STRING", true),
                ("field", "STRING", false),
                ("change", "STRING", true),
                ("from_type", "STRING", false),
                ("to_type", "STRING", true),
                ("changed_at", "TIMESTAMP", true),
            ],
            &["run_id"],
        ),
        (
            APPLIED_BATCHES,
            &[
                ("table_name", "STRING", true),
                ("table_id", "STRING", false),
                ("source", "STRING", true),
                ("account", "STRING", true),
                ("stream", "STRING", true),
                ("run_id", "STRING", true),
                ("mode", "STRING", true),
                ("state", "STRING", false),
                ("synced", "TIMESTAMP", false),
                ("applied_at", "TIMESTAMP", true),
            ],
            &["table_id", "account"],
        ),
    ];
    for (table, fields, clustering) in tables {
        if client.table(dataset, table)?.is_none() {
            let fields: Vec<Value> = fields.iter().map(field).collect();
            let body = json!({ "schema": { "fields": fields }, "clustering": { "fields": clustering } });
            client.create_table(dataset, table, body)?;
        }
    }
    Ok(())
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
            json!({
                "source": unit.source,
                "account": unit.account,
                "stream": unit.stream,
                "table_name": unit.table,
                "status": unit.status.as_str(),
                "mode": unit.mode,
                "rows_extracted": unit.rows_extracted,
                "rows_inserted": unit.rows_inserted,
                "rows_updated": unit.rows_updated,
                "rows_deleted": unit.rows_deleted,
                "rows_rejected": unit.rows_rejected,
                "bytes": unit.bytes,
                "started_at": timestamp(unit.started_at),
                "finished_at": timestamp(unit.finished_at),
                "duration_ms": unit.duration_ms,
                "error": unit.error,
                "bytes_processed": unit.bytes_processed,
                "bytes_billed": unit.bytes_billed,
                "changed": unit.rows_inserted + unit.rows_updated + unit.rows_deleted > 0,
            })
        })
        .collect();
    let rows = Value::from(rows).to_string();
    let text = render("log_unit", &json!({ "logs": [client.project, dataset, ETL_LOGS] }))?;
    let params =
        [("rows", Param::Text(&rows)), ("run_id", Param::Text(run_id.as_str())), ("stage", Param::Text(stage))];
    client.statement("write the log", "log", &text, &params).map(drop)
}

/// Writes the rows of the columns that were added, widened or split.
pub(super) fn schema_changes(
    client: &mut Client,
    dataset: &str,
    request: &ChangeRequest,
    plan: &TablePlan,
    commit: &Commit<'_>,
) -> Result<(), WarehouseError> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| {
            let column = &plan.columns[change.column];
            json!({
                "column": column.name,
                "field": column.field,
                "change": change.kind.as_str(),
                "from": change.from.map(|ty| ty.name()),
                "to": column.ty.name(),
            })
        })
        .collect();
    let (rows, table) = (Value::from(rows).to_string(), format!("{}.{}", request.table.schema, request.table.table));
    let text = render("log_schema_change", &json!({ "schema_changes": [client.project, dataset, SCHEMA_CHANGES] }))?;
    let params = [
        ("run_id", Param::Text(commit.run_id.as_str())),
        ("table_name", Param::Text(&table)),
        ("rows", Param::Text(&rows)),
        ("changed_at", Param::Instant(commit.synced)),
    ];
    client.statement("write the log", "log", &text, &params).map(drop)
}
