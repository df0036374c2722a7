//! What the load needs of a warehouse. One folder per warehouse, with the same file names in each; its SQL lies in `sql/`.
//! Called from blocking threads, one table at a time; an implementation over HTTP blocks on its own runtime handle.

mod adoption;
pub mod bigquery;
#[cfg(feature = "duckdb")]
pub mod duckdb;
mod log_tables;
mod memory;

pub use adoption::{Adopted, Adoption};
pub(crate) use memory::FULL;
pub use memory::{Applied, Identity, Remember, TableId, state_digest};

use crate::shape::{ColumnType, ExistingColumn, Hint, TablePlan};
use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use contract::batch::Write;
use contract::pipeline::PartitionEvery;
use contract::report::UnitReport;
use contract::run_id::RunId;
use contract::unit::Unit;
use crossbeam_channel::Receiver;

/// Why the warehouse refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WarehouseError {
    /// It cannot be opened or reached: nothing can be loaded.
    #[error("the warehouse {location} is out of reach: {message}")]
    Unreachable {
        /// File, or project and dataset.
        location: String,
        /// What it said.
        message: String,
    },
    /// A DuckDB file that another program has open: it takes one that writes, or many that only read.
    #[error(
        "the warehouse {location} is open in {by}; close it, or give the load more time by `wait` in the pipeline file's warehouse"
    )]
    InUse {
        /// The file.
        location: String,
        /// The other program.
        by: String,
    },
    /// A table is not as this program left it.
    #[error("table {table}: {message}")]
    Table {
        /// The table.
        table: String,
        /// What is wrong.
        message: String,
    },
    /// A statement needs more memory than it may take; nothing of it was done.
    #[error("failed to {what}: the warehouse ran out of memory ({message}); give it more by `memory_limit`")]
    OutOfMemory {
        /// What the statement was for.
        what: String,
        /// What the warehouse said.
        message: String,
    },
    /// A statement failed.
    #[error("failed to {what}: {message}")]
    Statement {
        /// What the statement was for.
        what: String,
        /// What the warehouse said.
        message: String,
    },
}

/// A target table: schema (dataset) and name, before quoting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// BigQuery: the project; companies may have one each.
    pub project: Option<String>,
    /// Schema or dataset.
    pub schema: String,
    /// Table.
    pub table: String,
}

impl TableName {
    /// Schema (dataset) and table, as the log tables name it.
    pub fn in_schema(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(project) = &self.project {
            write!(f, "{project}.")?;
        }
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingTable {
    /// Its identity; `None` for a table that has got none yet, or has lost it.
    pub id: Option<TableId>,
    /// Its columns, audit columns left out.
    pub columns: Vec<ExistingColumn>,
}

/// What a table's load is for: names for jobs and labels, and how a new table is laid out.
#[derive(Debug, Clone)]
pub struct TableOrder {
    /// The table.
    pub table: TableName,
    /// The run.
    pub run_id: RunId,
    /// The units that go into it.
    pub units: Vec<Unit>,
    /// The field that a new table is partitioned by.
    pub partition_by: Option<(String, PartitionEvery)>,
}

/// What a warehouse read for a table's load, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Bytes read.
    pub processed: u64,
    /// Bytes billed.
    pub billed: u64,
}

impl Spent {
    /// Divides it among units by their share of the records' bytes; what does not divide goes to the first.
    pub fn share(self, units: &mut [UnitReport]) {
        let weights: Vec<u128> = units.iter().map(|unit| u128::from(unit.bytes.max(1))).collect();
        let all: u128 = weights.iter().sum();
        let part = |of: u64, weight: u128| u64::try_from(u128::from(of) * weight / all.max(1)).unwrap_or(u64::MAX);
        for (unit, weight) in units.iter_mut().zip(&weights) {
            (unit.bytes_processed, unit.bytes_billed) = (part(self.processed, *weight), part(self.billed, *weight));
        }
        let given = |of: fn(&UnitReport) -> u64| units.iter().map(of).sum::<u64>();
        let (processed, billed) = (given(|unit| unit.bytes_processed), given(|unit| unit.bytes_billed));
        if let Some(first) = units.first_mut() {
            first.bytes_processed += self.processed.saturating_sub(processed);
            first.bytes_billed += self.billed.saturating_sub(billed);
        }
    }
}

/// How one account's staged rows meet the target.
#[derive(Debug, Clone)]
pub struct AccountChange {
    /// The account.
    pub account: String,
    /// Whether live rows that are absent are looked for.
    pub may_delete: bool,
    /// Only these of them: each the JSON list of its account and the texts of its key.
    pub named: Option<Vec<String>>,
}

/// All that a change set follows from, beside the staged rows.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    /// The table.
    pub table: TableName,
    /// How it is written.
    pub write: Write,
    /// Key columns (without the account); empty for replace and append.
    pub keys: Vec<String>,
    /// The accounts.
    pub accounts: Vec<AccountChange>,
    /// Whether rows of the same content are written anew.
    pub rewrite: bool,
    /// Whether the target is there.
    pub table_exists: bool,
}

/// What would happen to one account's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows staged.
    pub staged: u64,
    /// Different keys (rows, for append) among them.
    pub distinct: u64,
    /// Rows that the target does not have.
    pub inserted: u64,
    /// Rows with other content, or restored.
    pub updated: u64,
    /// Live rows that are absent from a snapshot.
    pub deleted: u64,
    /// Rows of the same content.
    pub unchanged: u64,
    /// Live rows of the account before.
    pub live: u64,
    /// When the newest of the account's rows was written, live or not.
    pub newest: Option<DateTime<Utc>>,
}

/// What is left of a change set after the checks.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// Accounts that are left out altogether.
    pub excluded: Vec<String>,
    /// Accounts whose deletes are held back.
    pub keep: Vec<String>,
    /// Absent rows of other accounts that stay as they are, as [`Warehouse::absent`] names them.
    pub spare: Vec<String>,
}

/// A load that was applied to a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastApplied {
    /// The run.
    pub run_id: RunId,
    /// When it was applied.
    pub at: DateTime<Utc>,
}

/// What is written in the same transaction as the rows, or right after it.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// The run.
    pub run_id: &'a RunId,
    /// The stage of the log rows.
    pub stage: String,
    /// The one instant of all rows.
    pub synced: DateTime<Utc>,
    /// The unit reports for the log table.
    pub units: &'a [UnitReport],
    /// The table's identity; `None` where there is no table and none is made.
    pub identity: Option<&'a Identity>,
    /// What is remembered of the batches.
    pub remember: &'a [Remember],
}

/// A warehouse. Every method may be repeated; only `apply` and the logs change anything that lasts.
pub trait Warehouse: Send {
    /// Says which table the calls up to [`Warehouse::drop_staging`] are for.
    fn begin(&mut self, order: &TableOrder);

    /// A table and its columns; `None` if there is no such table.
    ///
    /// # Errors
    /// Out of reach; or the table lacks an audit column: it is not ours to write.
    fn describe(&mut self, table: &TableName) -> Result<Option<ExistingTable>, WarehouseError>;

    /// What is remembered of a unit, in whatever table, and of the rows of its account in the table of this identity.
    ///
    /// # Errors
    /// The statement fails.
    fn remembered(&mut self, id: Option<&TableId>, unit: &Unit) -> Result<Vec<Applied>, WarehouseError>;

    /// Whether all values of an INT64 column are exact as doubles.
    ///
    /// # Errors
    /// The statement fails.
    fn is_exact_as_double(&mut self, table: &TableName, column: &str) -> Result<bool, WarehouseError>;

    /// Whether an existing column can take on the type of a hint with all its values as they are.
    ///
    /// # Errors
    /// The statement fails.
    fn can_change(
        &mut self,
        table: &TableName,
        column: &str,
        from: ColumnType,
        to: &Hint,
    ) -> Result<bool, WarehouseError>;

    /// The statement that drops a column, for people.
    ///
    /// # Errors
    /// There is no such statement; that would be a fault of this program.
    fn dropping(&self, table: &TableName, column: &str) -> Result<String, WarehouseError>;

    /// Stages rows under a plan until the channel closes; what was staged before is dropped.
    ///
    /// # Errors
    /// The rows cannot be written.
    fn stage(&mut self, plan: &TablePlan, rows: &Receiver<RecordBatch>) -> Result<(), WarehouseError>;

    /// Computes the change set of the staged rows; counts in the order of the request's accounts. Changes nothing in the target.
    ///
    /// # Errors
    /// A statement fails.
    fn change_set(&mut self, request: &ChangeRequest) -> Result<Vec<Counts>, WarehouseError>;

    /// The live rows that the change set would mark as deleted, each as the JSON list of its account and the texts of its key.
    ///
    /// # Errors
    /// A statement fails.
    fn absent(&mut self, request: &ChangeRequest) -> Result<Vec<String>, WarehouseError>;

    /// Applies the change set, less what was decided, together with the schema changes, the log rows and the memory, all or nothing.
    /// Where that takes several statements, the memory never has more than the table: it forgets before, and learns after.
    ///
    /// # Errors
    /// A statement fails; the target is then as before.
    fn apply(
        &mut self,
        request: &ChangeRequest,
        plan: &TablePlan,
        decision: &Decision,
        commit: &Commit<'_>,
    ) -> Result<(), WarehouseError>;

    /// Writes the log rows and the memory of batches that change nothing in the table.
    ///
    /// # Errors
    /// A statement fails.
    fn record(&mut self, table: &TableName, commit: &Commit<'_>) -> Result<(), WarehouseError>;

    /// What was read since [`Warehouse::begin`], the log's own statements left out; zero where reading costs nothing.
    fn spent(&self) -> Spent;

    /// Takes more memory after [`WarehouseError::OutOfMemory`]; false if there is no more to take.
    ///
    /// # Errors
    /// The warehouse cannot be asked.
    fn take_more_memory(&mut self) -> Result<bool, WarehouseError>;

    /// Drops what is staged.
    ///
    /// # Errors
    /// The statement fails; it then expires by itself.
    fn drop_staging(&mut self) -> Result<(), WarehouseError>;

    /// The run that was applied to a unit last, by the log table. One that is ahead of the clock comes only where there is no other.
    ///
    /// # Errors
    /// The statement fails.
    fn last_applied(&mut self, unit: &Unit) -> Result<Option<LastApplied>, WarehouseError>;

    /// Makes a table of another ETL ours: adds what is missing and keeps every row. It may be repeated.
    ///
    /// # Errors
    /// There is no such table, it cannot be taken over, or a statement fails.
    fn adopt(&mut self, adoption: &Adoption<'_>) -> Result<Adopted, WarehouseError>;

    /// Writes log rows outside of an apply: the extract's, and failed units.
    ///
    /// # Errors
    /// The statement fails.
    fn log(&mut self, run_id: &RunId, stage: &str, units: &[UnitReport]) -> Result<(), WarehouseError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_shared_by_bytes_and_add_up() {
        let unit =
            |bytes| UnitReport { bytes, ..UnitReport::start(&Unit::new("s", "a", "t").unwrap(), "t", Utc::now()) };
        let mut units = [unit(1), unit(3), unit(0)];
        Spent { processed: 101, billed: 10 }.share(&mut units);
        let shares: Vec<(u64, u64)> = units.iter().map(|unit| (unit.bytes_processed, unit.bytes_billed)).collect();
        assert_eq!(shares, [(21, 2), (60, 6), (20, 2)]);
    }
}
