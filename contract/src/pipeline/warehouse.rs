//! The warehouse as the pipeline file names it, and where an account's tables and logs lie in it.

use super::file::{AccountWarehouse, WarehouseEntry};

/// Where an account's tables lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TablePlace {
    /// BigQuery: the project; companies may have one each.
    pub project: Option<String>,
    /// Schema or dataset.
    pub schema: String,
}

impl WarehouseEntry {
    /// Where the tables of an account lie: in its own project, dataset or schema, or in the warehouse's.
    pub fn place(&self, own: &AccountWarehouse) -> TablePlace {
        match self {
            Self::Duckdb { schema, .. } => {
                TablePlace { project: None, schema: own.schema.clone().unwrap_or_else(|| schema.clone()) }
            }
            Self::Bigquery { project, dataset, .. } => TablePlace {
                project: Some(own.project.clone().unwrap_or_else(|| project.clone())),
                schema: own.dataset.clone().unwrap_or_else(|| dataset.clone()),
            },
        }
    }

    /// The schema or dataset of the log tables of an account.
    pub fn logs<'a>(&'a self, own: &'a AccountWarehouse) -> &'a str {
        match self {
            Self::Duckdb { log_schema, .. } => log_schema,
            Self::Bigquery { log_dataset, .. } => own.log_dataset.as_ref().unwrap_or(log_dataset),
        }
    }
}
