//! The staged rows of one table: shaped batches as Parquet files in the landing zone's bucket, loaded together by one job.
//! Memory is bounded by a row group and the upload's chunk, whatever the table's size.

use super::json;
use crate::shape::{ColumnPlan, ColumnType};
use crate::warehouse::WarehouseError;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Schema, TimestampMicrosecondType};
use bytes::Bytes;
use contract::landing::{Landing, LandingError, ObjectWriter};
use crossbeam_channel::Receiver;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// A row group is closed at this size: BigQuery wants at least 16 MiB ("Load Parquet data").
const ROW_GROUP_BYTES: usize = 24 * 1024 * 1024;
/// A file is closed at this size; several files are read in parallel.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// What was staged.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// Paths in the landing zone.
    pub(super) paths: Vec<String>,
    /// Rows in all of them.
    pub(super) rows: u64,
}

/// What the Parquet writer has put out and the upload has not taken yet.
#[derive(Debug, Clone, Default)]
struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One file that is being written.
struct File {
    path: String,
    parquet: ArrowWriter<Outlet>,
    outlet: Outlet,
    upload: Box<dyn ObjectWriter>,
    bytes: u64,
}

/// Writes rows under `folder` until the channel closes. `begun` gets the path of every file before it is begun.
pub(super) fn write(
    columns: &[ColumnPlan],
    rows: &Receiver<RecordBatch>,
    landing: &dyn Landing,
    runtime: &Handle,
    folder: &str,
    begun: &mut Vec<String>,
) -> Result<Staged, WarehouseError> {
    let mut staged = Staged::default();
    let mut open: Option<File> = None;
    for batch in rows {
        let batch = for_parquet(&batch, columns).map_err(|error| failed("shape", &error.to_string()))?;
        let mut file = match open.take() {
            Some(file) => file,
            None => {
                let path = format!("{folder}/part-{:05}.parquet", staged.paths.len());
                begun.push(path.clone());
                start(&batch, landing, runtime, path)?
            }
        };
        staged.rows += batch.num_rows() as u64;
        file.parquet.write(&batch).map_err(|error| failed(&file.path, &error.to_string()))?;
        if file.parquet.in_progress_size() >= ROW_GROUP_BYTES {
            file.parquet.flush().map_err(|error| failed(&file.path, &error.to_string()))?;
        }
        send(&mut file, runtime)?;
        if file.bytes >= FILE_BYTES {
            staged.paths.push(finish(file, runtime)?);
        } else {
            open = Some(file);
        }
    }
    if let Some(file) = open {
        staged.paths.push(finish(file, runtime)?);
    }
    Ok(staged)
}

fn start(batch: &RecordBatch, landing: &dyn Landing, runtime: &Handle, path: String) -> Result<File, WarehouseError> {
    let level = ZstdLevel::try_new(1).map_err(|error| failed(&path, &error.to_string()))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let outlet = Outlet::default();
    let parquet = ArrowWriter::try_new(outlet.clone(), batch.schema(), Some(properties))
        .map_err(|error| failed(&path, &error.to_string()))?;
    let upload = runtime.block_on(landing.write(&path)).map_err(|error| refused(&path, &error))?;
    Ok(File { path, parquet, outlet, upload, bytes: 0 })
}

fn send(file: &mut File, runtime: &Handle) -> Result<(), WarehouseError> {
    let bytes = file.outlet.take();
    if bytes.is_empty() {
        return Ok(());
    }
    file.bytes += bytes.len() as u64;
    runtime.block_on(file.upload.write(bytes)).map_err(|error| refused(&file.path, &error))
}

fn finish(mut file: File, runtime: &Handle) -> Result<String, WarehouseError> {
    file.parquet.finish().map_err(|error| failed(&file.path, &error.to_string()))?;
    send(&mut file, runtime)?;
    runtime.block_on(file.upload.finish()).map_err(|error| refused(&file.path, &error))?;
    Ok(file.path)
}

/// Times as instants in UTC: the one form of Parquet's timestamps whose target BigQuery documents without doubt. JSON keeps its digits.
fn for_parquet(batch: &RecordBatch, columns: &[ColumnPlan]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = batch.schema();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (index, (field, array)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        let array: ArrayRef = match columns.get(index).map(|column| column.ty) {
            Some(ColumnType::Datetime | ColumnType::Timestamp) => {
                Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
            }
            Some(ColumnType::Json) => {
                let texts = array.as_string::<i32>().iter().map(|text| text.map(json::keep_digits));
                Arc::new(texts.collect::<StringArray>())
            }
            _ => array.clone(),
        };
        fields.push(field.as_ref().clone().with_data_type(array.data_type().clone()));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn failed(path: &str, message: &str) -> WarehouseError {
    WarehouseError::Statement { what: format!("stage rows ({path})"), message: message.into() }
}

fn refused(path: &str, error: &LandingError) -> WarehouseError {
    failed(path, &error.to_string())
}
