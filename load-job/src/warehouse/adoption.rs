//! Taking over a table that another ETL has made: what is asked of a warehouse, and what must be right before anything is changed.
//! Rows that could not be matched with the records to come would stay beside them as doubles, so such a table is refused.

use super::{TableId, TableName, WarehouseError};
use crate::shape::{ExistingColumn, column_name};
use chrono::{DateTime, Utc};
use contract::run_id::RunId;
use contract::unit::Unit;

/// A table that is to be taken over.
#[derive(Debug, Clone)]
pub struct Adoption<'a> {
    /// The table.
    pub table: &'a TableName,
    /// The unit whose rows it holds, and that writes them from now on.
    pub unit: &'a Unit,
    /// The fields of the stream's key; `None` where no batch has told them yet.
    pub keys: Option<&'a [String]>,
    /// What the memory notes it under.
    pub run_id: &'a RunId,
    /// The instant that rows without one get.
    pub at: DateTime<Utc>,
}

/// What an adoption has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The rows that belong to the account now, and did not before.
    pub rows: u64,
    /// The audit columns that were added.
    pub added: Vec<String>,
    /// Columns of types that Drayage does not write: new values go beside them.
    pub foreign: Vec<String>,
    /// The table's identity.
    pub id: TableId,
}

impl Adoption<'_> {
    /// A refusal; nothing was changed.
    pub(super) fn refuse(&self, message: String) -> WarehouseError {
        WarehouseError::Table { table: self.table.to_string(), message }
    }

    /// The columns of the key.
    ///
    /// # Errors
    /// A key without a column, or with one of a type that holds no keys of ours.
    pub(super) fn key_columns(&self, columns: &[ExistingColumn]) -> Result<Vec<String>, WarehouseError> {
        let column = |key: &String| {
            let found = columns.iter().find(|column| is_for(column, key)).ok_or_else(|| {
                self.refuse(format!(
                    "it has no column for `{key}`, by which the stream knows its rows; rename the column that holds it to `{}`",
                    column_name(key)
                ))
            })?;
            match found.ty {
                Some(_) => Ok(found.name.clone()),
                None => Err(self.refuse(format!(
                    "its column `{}` is of a type that Drayage does not write, but the stream knows its rows by it; change its type first",
                    found.name
                ))),
            }
        };
        self.keys.unwrap_or_default().iter().map(column).collect()
    }

    /// What to say of rows that share a key, or have none.
    pub(super) fn doubled(&self, keys: &[String], rows: u64) -> WarehouseError {
        self.refuse(format!(
            "{rows} of its rows have no key of their own ({}): they are null there, or another row has the same; remove them first",
            keys.join(", ")
        ))
    }
}

/// Whether a column holds a field: as the table remembers it, else by its name.
fn is_for(column: &ExistingColumn, field: &str) -> bool {
    match &column.field {
        Some(remembered) => remembered == field,
        None => column.name == field || column.name.to_lowercase() == column_name(field),
    }
}

/// Whether a column is named like a field, and not as we would name the field's column: then the table must remember the field.
pub(super) fn needs_its_field(column: &ExistingColumn) -> bool {
    column.field.is_none() && column.name.to_lowercase() != column_name(&column.name)
}
