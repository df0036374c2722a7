//! Arrow batches into tables of a DuckDB file: into temporary ones as they are, into the target with the audit columns beside them.

use super::client::{Client, failed};
use crate::shape::AUDIT_COLUMNS;
use crate::warehouse::{TableName, WarehouseError};
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use crossbeam_channel::Receiver;
use duckdb::Appender;
use std::sync::Arc;

/// Rows that the appender may hold, outside of DuckDB's memory limit, before they go into the table.
const FLUSH_ROWS: usize = 16 * 1024;
/// So many bytes of large rows, or wide ones, at the latest.
const FLUSH_BYTES: usize = 16 << 20;

const WHAT: &str = "stage rows";

/// Fills a temporary table until the channel closes; how many rows there were.
pub(super) fn into_temporary(
    client: &Client,
    table: &str,
    rows: &Receiver<RecordBatch>,
) -> Result<u64, WarehouseError> {
    let appender = client.connection.appender_to_catalog_and_db(table, "temp", "main");
    append(appender.map_err(|error| failed(WHAT, &error))?, rows, WHAT, Ok)
}

/// Inserts new rows into the target until the channel closes; how many there were.
pub(super) fn into_target(
    client: &Client,
    table: &TableName,
    columns: &[&str],
    synced: DateTime<Utc>,
    rows: &Receiver<RecordBatch>,
) -> Result<u64, WarehouseError> {
    let what = format!("write into {table}");
    let names = [columns, &AUDIT_COLUMNS].concat();
    let appender = client.connection.appender_with_columns_to_db(&table.table, &table.schema, &names);
    append(appender.map_err(|error| failed(&what, &error))?, rows, &what, |batch| as_inserted(&batch, synced))
}

fn append(
    mut appender: Appender<'_>,
    rows: &Receiver<RecordBatch>,
    what: &str,
    shaped: impl Fn(RecordBatch) -> Result<RecordBatch, ArrowError>,
) -> Result<u64, WarehouseError> {
    let (mut all, mut waiting, mut bytes) = (0, 0, 0);
    for batch in rows {
        all += batch.num_rows() as u64;
        waiting += batch.num_rows();
        bytes += batch.get_array_memory_size();
        let batch = shaped(batch)
            .map_err(|error| WarehouseError::Statement { what: what.to_owned(), message: error.to_string() })?;
        appender.append_record_batch(batch).map_err(|error| failed(what, &error))?;
        if waiting >= FLUSH_ROWS || bytes >= FLUSH_BYTES {
            appender.flush().map_err(|error| failed(what, &error))?;
            (waiting, bytes) = (0, 0);
        }
    }
    appender.flush().map_err(|error| failed(what, &error))?;
    Ok(all)
}

/// The data columns and the audit columns of new rows, from data columns, account, hash and number.
fn as_inserted(batch: &RecordBatch, synced: DateTime<Utc>) -> Result<RecordBatch, ArrowError> {
    let (rows, data) = (batch.num_rows(), batch.num_columns().saturating_sub(3));
    let mut fields: Vec<Field> = batch.schema().fields()[..data].iter().map(|field| field.as_ref().clone()).collect();
    let mut arrays: Vec<ArrayRef> = batch.columns()[..data].to_vec();
    let audit: [(DataType, ArrayRef); 4] = [
        (
            DataType::Timestamp(TimeUnit::Microsecond, None),
            Arc::new(TimestampMicrosecondArray::from_value(synced.timestamp_micros(), rows)),
        ),
        (DataType::Utf8, Arc::new(StringArray::from_iter_values(std::iter::repeat_n("INSERT", rows)))),
        (DataType::Utf8, batch.column(data).clone()),
        (DataType::Utf8, batch.column(data + 1).clone()),
    ];
    for (name, (ty, array)) in AUDIT_COLUMNS.into_iter().zip(audit) {
        fields.push(Field::new(name, ty, false));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}
