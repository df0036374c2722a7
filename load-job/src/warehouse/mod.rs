//! What the load needs of a warehouse, and what all warehouses share. One folder per warehouse, with the same file names in each; its SQL lies
//! in `sql/`. Called from blocking threads, one table at a time; an implementation over HTTP blocks on its own runtime handle.

mod adoption;
pub mod bigquery;
mod change;
mod column_note;
mod commit;
#[cfg(feature = "duckdb")]
pub mod duckdb;
mod error;
mod history;
mod log_tables;
mod memory;
mod session;
mod target;
mod templates;

pub use adoption::{Adopted, Adoption};
use change::wanted_of;
pub use change::{AccountChange, ChangeRequest, Counts, Decision};
pub use commit::{Commit, LastApplied, Spent};
pub use error::WarehouseError;
pub use history::History;
pub(crate) use memory::FULL;
pub use memory::{Applied, Identity, Remember, TableId, state_digest};
pub use session::{ChangeSet, Ready, Staged, TableLoad, Warehouse};
use target::refuse_foreign;
pub use target::{ExistingTable, TableName, TableOrder, Target};
