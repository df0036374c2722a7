//! Why a warehouse refuses.

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
