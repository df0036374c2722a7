//! The table that is loaded: its name, what is asked for it, what is there, and what may be asked about it at any time of a load.

use super::{TableId, WarehouseError};
use crate::shape::{AUDIT_COLUMNS, ColumnType, ExistingColumn, Hint};
use contract::pipeline::PartitionEvery;
use contract::run_id::RunId;
use contract::unit::Unit;

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

/// A target table that is open: what is there, and what may be asked about it. Nothing of it changes anything.
pub trait Target {
    /// The table's name.
    fn table(&self) -> &TableName;

    /// The table as it is; `None` if there is no such table.
    fn existing(&self) -> Option<&ExistingTable>;

    /// Whether all values of an INT64 column are exact as doubles.
    ///
    /// # Errors
    /// The statement fails.
    fn is_exact_as_double(&mut self, column: &str) -> Result<bool, WarehouseError>;

    /// Whether an existing column can take on the type of a hint with all its values as they are.
    ///
    /// # Errors
    /// The statement fails.
    fn can_change(&mut self, column: &str, from: ColumnType, to: &Hint) -> Result<bool, WarehouseError>;

    /// The statement that drops a column, for people.
    ///
    /// # Errors
    /// There is no such statement; that would be a fault of this program.
    fn dropping(&self, column: &str) -> Result<String, WarehouseError>;
}

/// Refuses a table that lacks an audit column.
///
/// # Errors
/// It does.
pub(super) fn refuse_foreign(table: &TableName, has: impl Fn(&str) -> bool) -> Result<(), WarehouseError> {
    match AUDIT_COLUMNS.into_iter().find(|audit| !has(audit)) {
        None => Ok(()),
        Some(audit) => Err(WarehouseError::Table {
            table: table.to_string(),
            message: format!(
                "it exists, but without the column {audit}: it was not made by Drayage, or was changed since; take it over by `adopt`, name another `table`, or drop it"
            ),
        }),
    }
}
