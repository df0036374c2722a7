//! Arrow batches that come through a channel, as a table function of a DuckDB connection: one statement takes them as they come. An appender
//! would hold rows outside of DuckDB's memory limit, and pin more memory with each of its flushes.

use super::client::{Client, failed};
use crate::warehouse::WarehouseError;
use arrow::array::RecordBatch;
use crossbeam_channel::Receiver;
use duckdb::Connection;
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vtab::{
    BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk, to_duckdb_logical_type_for_field,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The function; its one parameter says which source is meant.
const FUNCTION: &str = "_etl_source";
/// Ends what [`read`] begins with.
pub(super) const MANY_THREADS: &str = "RESET threads";
/// More rows than any other side of a join has.
const MANY: u64 = 1 << 40;
/// Rows that DuckDB takes at a time ("Vectors": STANDARD_VECTOR_SIZE).
const VECTOR: usize = 2048;

/// The sources that statements may read now. A function of DuckDB takes values, and no channel.
static OPEN: Mutex<BTreeMap<i64, Arc<Source>>> = Mutex::new(BTreeMap::new());

/// Rows on their way.
struct Source {
    /// Columns whose texts are JSON.
    json: Vec<String>,
    state: Mutex<State>,
}

struct State {
    /// What is to be handed on next.
    batch: Option<RecordBatch>,
    rows: Receiver<RecordBatch>,
    taken: u64,
}

impl Source {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next rows, as many as DuckDB takes; none after the last.
    fn next(&self) -> Option<RecordBatch> {
        let mut state = self.state();
        loop {
            if let Some(batch) = state.batch.take().filter(|batch| batch.num_rows() > 0) {
                let head = batch.slice(0, batch.num_rows().min(VECTOR));
                state.batch = Some(batch.slice(head.num_rows(), batch.num_rows() - head.num_rows()));
                state.taken += head.num_rows() as u64;
                return Some(head);
            }
            state.batch = Some(state.rows.recv().ok()?);
        }
    }
}

/// The table function.
struct Function;

impl VTab for Function {
    type InitData = ();
    type BindData = Arc<Source>;

    fn bind(bind: &BindInfo) -> Result<Self::BindData, Box<dyn Error>> {
        let id = bind.get_parameter(0).to_int64();
        let source = open().get(&id).cloned().ok_or_else(|| format!("there is no source {id}"))?;
        let schema = source.state().batch.as_ref().map(RecordBatch::schema).ok_or("a source without rows")?;
        for field in schema.fields() {
            let mut ty = to_duckdb_logical_type_for_field(field)?;
            if source.json.contains(field.name()) {
                // The type that the JSON extension gives its texts. A cast would parse once more what was parsed before.
                ty.set_alias("JSON");
            }
            bind.add_result_column(field.name(), ty);
        }
        // Nobody knows how many there are; they must not be gathered to be joined with what is known to be less.
        bind.set_cardinality(MANY, false);
        Ok(source)
    }

    fn init(init: &InitInfo) -> Result<Self::InitData, Box<dyn Error>> {
        init.set_max_threads(1);
        Ok(())
    }

    fn func(info: &TableFunctionInfo<Self>, output: &mut DataChunkHandle) -> Result<(), Box<dyn Error>> {
        match info.get_bind_data().next() {
            Some(rows) => record_batch_to_duckdb_data_chunk(&rows, output),
            None => {
                output.set_len(0);
                Ok(())
            }
        }
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        Some(vec![LogicalTypeHandle::from(LogicalTypeId::Bigint)])
    }
}

fn open() -> MutexGuard<'static, BTreeMap<i64, Arc<Source>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the function known to a connection.
pub(super) fn register(connection: &Connection) -> duckdb::Result<()> {
    connection.register_table_function::<Function>(FUNCTION)
}

/// A source that is open, until this is dropped: as long as it is, whoever sends rows waits for them to be taken.
struct Opened(i64);

impl Opened {
    fn new(source: &Arc<Source>) -> Self {
        let mut open = open();
        let id = open.last_key_value().map_or(0, |(last, _)| last + 1);
        open.insert(id, source.clone());
        Self(id)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        open().remove(&self.0);
    }
}

/// Runs a statement that reads rows until the channel closes; how many they were. `statement` is told what to read from. Without any rows
/// nothing is run. The texts of the columns `json` are known to be JSON.
pub(super) fn read(
    client: &Client,
    what: &str,
    rows: &Receiver<RecordBatch>,
    json: Vec<String>,
    statement: impl FnOnce(&str) -> Result<String, WarehouseError>,
    params: impl duckdb::Params,
) -> Result<u64, WarehouseError> {
    let Ok(first) = rows.recv() else { return Ok(0) };
    let state = State { batch: Some(first), rows: rows.clone(), taken: 0 };
    let source = Arc::new(Source { json, state: Mutex::new(state) });
    // One thread reads the source. A second one would turn in circles until there is something to do, and take a core from the shaping.
    client.batch(what, "SET threads = 1")?;
    let opened = Opened::new(&source);
    let text = statement(&format!("{FUNCTION}({})", opened.0))?;
    let inserted = client.connection.execute(&text, params).map_err(|error| failed(what, &error))? as u64;
    // Where the statement has failed, that waits for the end of its transaction.
    client.batch(what, MANY_THREADS)?;
    let taken = source.state().taken;
    if inserted != taken {
        let message = format!("{taken} rows were handed over, but {inserted} were taken");
        return Err(WarehouseError::Statement { what: what.to_owned(), message });
    }
    Ok(taken)
}
