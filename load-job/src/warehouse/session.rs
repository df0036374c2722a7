//! A warehouse, and the load of one of its tables as a chain of sessions: each step consumes the one before, so that none is left out, done twice
//! or done in another order.
//!
//! [`Warehouse::open`] → [`TableLoad::keys`] → [`Staged::compare`] → [`ChangeSet::rows`] → [`Ready::apply`]; a session that is dropped leaves the
//! target as it was and takes away what it has staged.

use super::{
    Adopted, Adoption, ChangeRequest, Commit, Counts, Decision, History, Spent, TableOrder, Target, WarehouseError,
};
use crate::shape::{ColumnPlan, Wanted};
use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use contract::report::UnitReport;
use contract::run_id::RunId;
use crossbeam_channel::Receiver;

/// A warehouse.
pub trait Warehouse: Send {
    /// Opens a table for a load.
    ///
    /// # Errors
    /// Out of reach; or the table lacks an audit column: it is not ours to write.
    fn open<'w>(&'w mut self, order: &TableOrder) -> Result<Box<dyn TableLoad<'w> + 'w>, WarehouseError>;

    /// Takes more memory after [`WarehouseError::OutOfMemory`]; false if there is no more to take.
    ///
    /// # Errors
    /// The warehouse cannot be asked.
    fn take_more_memory(&mut self) -> Result<bool, WarehouseError>;

    /// Makes a table of another ETL ours: adds what is missing and keeps every row. It may be repeated.
    ///
    /// # Errors
    /// There is no such table, it cannot be taken over, or a statement fails.
    fn adopt(&mut self, order: &TableOrder, adoption: &Adoption<'_>) -> Result<Adopted, WarehouseError>;

    /// Writes log rows outside of a table's load: the extract's, and failed units.
    ///
    /// # Errors
    /// The statement fails.
    fn log(&mut self, run_id: &RunId, stage: &str, units: &[UnitReport]) -> Result<(), WarehouseError>;
}

/// A table that is open.
pub trait TableLoad<'w> {
    /// The table.
    fn target(&mut self) -> &mut dyn Target;

    /// What the warehouse knows of the loads before.
    fn history(&self) -> &History;

    /// Stages what decides about each record until the channel closes: the key's columns, the account, the hash, the number and the place
    /// among the versions of its key.
    ///
    /// # Errors
    /// It cannot be written.
    fn keys(
        self: Box<Self>,
        keys: &[ColumnPlan],
        rows: &Receiver<RecordBatch>,
    ) -> Result<Box<dyn Staged<'w> + 'w>, WarehouseError>;
}

/// A table whose records' keys are staged.
pub trait Staged<'w> {
    /// The table.
    fn target(&mut self) -> &mut dyn Target;

    /// Computes the change set. Nothing changes in the target.
    ///
    /// # Errors
    /// A statement fails.
    fn compare(self: Box<Self>, request: ChangeRequest) -> Result<Box<dyn ChangeSet<'w> + 'w>, WarehouseError>;

    /// Writes the log rows and the memory of batches without a record that could be compared.
    ///
    /// # Errors
    /// A statement fails.
    fn record(self: Box<Self>, commit: &Commit<'_>) -> Result<(), WarehouseError>;
}

/// A table with its change set.
pub trait ChangeSet<'w> {
    /// The table.
    fn target(&mut self) -> &mut dyn Target;

    /// What would happen to the rows of each account, in the order of the request's.
    fn counts(&self) -> &[Counts];

    /// The live rows that would be marked as deleted, each as the JSON list of its account and the texts of its key.
    ///
    /// # Errors
    /// A statement fails.
    fn absent(&mut self) -> Result<Vec<String>, WarehouseError>;

    /// The staged records that are to be written, of so many.
    ///
    /// # Errors
    /// A statement fails.
    fn changed(&mut self, records: u64) -> Result<Wanted, WarehouseError>;

    /// Takes the rows of the records that are to be written until the channel closes, less those of accounts that were decided against.
    /// `synced` is the one instant of all rows. Nobody else sees anything of it in the target yet.
    ///
    /// # Errors
    /// They cannot be written; the target is then as before.
    fn rows(
        self: Box<Self>,
        decision: Decision,
        synced: DateTime<Utc>,
        rows: &Receiver<RecordBatch>,
    ) -> Result<Box<dyn Ready + 'w>, WarehouseError>;

    /// Writes the log rows and the memory of batches that change nothing in the table; what it has cost, as [`Ready::apply`] says.
    ///
    /// # Errors
    /// A statement fails.
    fn record(self: Box<Self>, commit: &Commit<'_>) -> Result<Spent, WarehouseError>;
}

/// A change set with its rows.
pub trait Ready {
    /// How many rows were taken.
    fn rows(&self) -> u64;

    /// Applies the change set together with the schema changes, the log rows and the memory, all or nothing; what it has cost since the table was
    /// opened, the log's own statements left out. Where that takes several statements, the memory never has more than the table: it
    /// forgets before, and learns after.
    ///
    /// # Errors
    /// A statement fails; the target is then as before.
    fn apply(self: Box<Self>, commit: &Commit<'_>) -> Result<Spent, WarehouseError>;
}
