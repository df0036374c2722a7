//! The log tables as data, for every warehouse: from a list of columns follow the statement that makes the table, those that add what a table
//! of an older version lacks, and the one that writes a row, by name. Columns that users add are left alone.

use crate::shape::{ColumnType, TablePlan};
use chrono::{DateTime, SecondsFormat, Utc};
use contract::report::UnitReport;
use contract::run_id::RunId;
use serde::Serialize;
use serde_json::{Value, json};

/// A log table.
#[derive(Debug, Clone)]
pub(super) struct LogTable {
    pub(super) name: &'static str,
    pub(super) columns: Vec<LogColumn>,
    /// What its rows are looked for by.
    pub(super) clustering: &'static [&'static str],
}

/// A column of a log table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogColumn {
    pub(super) name: &'static str,
    pub(super) ty: ColumnType,
    /// Whether every row has it. Only columns of the first version do: no row of before has a later one.
    pub(super) is_required: bool,
}

/// What a row of `etl_logs` is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggedUnit<'a> {
    pub(super) run_id: &'a RunId,
    pub(super) stage: &'a str,
    pub(super) unit: &'a UnitReport,
}

pub(super) const ETL_LOGS: &str = "etl_logs";
pub(super) const SCHEMA_CHANGES: &str = "schema_changes";
/// What a warehouse remembers of its tables.
pub(super) const APPLIED_BATCHES: &str = "applied_batches";

type OfUnit = fn(&LoggedUnit<'_>) -> Value;

/// The columns of `etl_logs`, each with its value.
const UNIT_COLUMNS: &[(LogColumn, OfUnit)] = &[
    (required("run_id", ColumnType::String), |row| json!(row.run_id.as_str())),
    (required("stage", ColumnType::String), |row| json!(row.stage)),
    (required("source", ColumnType::String), |row| json!(row.unit.source)),
    (required("account", ColumnType::String), |row| json!(row.unit.account)),
    (required("stream", ColumnType::String), |row| json!(row.unit.stream)),
    (column("table_name", ColumnType::String), |row| json!(row.unit.table)),
    (required("status", ColumnType::String), |row| json!(row.unit.status.as_str())),
    (column("mode", ColumnType::String), |row| json!(row.unit.mode)),
    (column("rows_extracted", ColumnType::Int64), |row| json!(row.unit.rows_extracted)),
    (column("rows_inserted", ColumnType::Int64), |row| json!(row.unit.rows_inserted)),
    (column("rows_updated", ColumnType::Int64), |row| json!(row.unit.rows_updated)),
    (column("rows_deleted", ColumnType::Int64), |row| json!(row.unit.rows_deleted)),
    (column("rows_rejected", ColumnType::Int64), |row| json!(row.unit.rows_rejected)),
    (column("bytes", ColumnType::Int64), |row| json!(row.unit.bytes)),
    (column("started_at", ColumnType::Timestamp), |row| instant(row.unit.started_at)),
    (column("finished_at", ColumnType::Timestamp), |row| instant(row.unit.finished_at)),
    (column("duration_ms", ColumnType::Int64), |row| json!(row.unit.duration_ms)),
    (column("error", ColumnType::String), |row| json!(row.unit.error)),
    (column("bytes_processed", ColumnType::Int64), |row| json!(row.unit.bytes_processed)),
    (column("bytes_billed", ColumnType::Int64), |row| json!(row.unit.bytes_billed)),
];

const CHANGE_COLUMNS: &[LogColumn] = &[
    required("run_id", ColumnType::String),
    required("table_name", ColumnType::String),
    required("column_name", ColumnType::String),
    column("field", ColumnType::String),
    required("change", ColumnType::String),
    column("from_type", ColumnType::String),
    required("to_type", ColumnType::String),
    required("changed_at", ColumnType::Timestamp),
];

const BATCH_COLUMNS: &[LogColumn] = &[
    required("table_name", ColumnType::String),
    column("table_id", ColumnType::String),
    required("source", ColumnType::String),
    required("account", ColumnType::String),
    required("stream", ColumnType::String),
    required("run_id", ColumnType::String),
    required("mode", ColumnType::String),
    column("state", ColumnType::String),
    column("synced", ColumnType::Timestamp),
    required("applied_at", ColumnType::Timestamp),
];

const fn column(name: &'static str, ty: ColumnType) -> LogColumn {
    LogColumn { name, ty, is_required: false }
}

const fn required(name: &'static str, ty: ColumnType) -> LogColumn {
    LogColumn { name, ty, is_required: true }
}

/// All log tables.
pub(super) fn all() -> [LogTable; 3] {
    [
        LogTable {
            name: ETL_LOGS,
            columns: UNIT_COLUMNS.iter().map(|(column, _)| *column).collect(),
            clustering: &["run_id", "source", "account", "stream"],
        },
        LogTable { name: SCHEMA_CHANGES, columns: CHANGE_COLUMNS.to_vec(), clustering: &["run_id"] },
        LogTable { name: APPLIED_BATCHES, columns: BATCH_COLUMNS.to_vec(), clustering: &["table_id", "account"] },
    ]
}

/// The columns of `etl_logs`.
pub(super) fn unit_columns() -> impl Iterator<Item = LogColumn> {
    UNIT_COLUMNS.iter().map(|(column, _)| *column)
}

/// A row of `etl_logs`, in the order of its columns.
pub(super) fn unit_values<'a>(row: LoggedUnit<'a>) -> impl Iterator<Item = (LogColumn, Value)> + 'a {
    UNIT_COLUMNS.iter().map(move |(column, value)| (*column, value(&row)))
}

/// A row of `schema_changes`, without what all rows of a load share.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct ChangedColumn<'a> {
    pub(super) column: &'a str,
    pub(super) field: &'a str,
    pub(super) change: &'static str,
    pub(super) from: Option<&'static str>,
    pub(super) to: &'static str,
}

/// The rows of `schema_changes` that a plan leaves.
pub(super) fn changed_columns(plan: &TablePlan) -> impl Iterator<Item = ChangedColumn<'_>> {
    plan.changes.iter().map(|change| {
        let column = &plan.columns[change.column];
        ChangedColumn {
            column: &column.name,
            field: &column.field,
            change: change.kind.as_str(),
            from: change.from.map(|ty| ty.name()),
            to: column.ty.name(),
        }
    })
}

/// An instant as every warehouse reads it.
fn instant(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Micros, true))
}
