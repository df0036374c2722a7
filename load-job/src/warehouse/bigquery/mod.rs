//! BigQuery: Parquet staged through the landing zone's bucket, one load job a table, a change set in the staging dataset, one MERGE.
//! All of it by REST (see ARCHITECTURE.md for why); its SQL lies in `sql/bigquery`.

mod adopt;
mod apply_note;
mod changes;
mod client;
mod core;
mod cost;
mod job;
mod json;
mod load;
mod logs;
mod memory;
mod open;
mod partition;
mod places;
mod schema;
mod sql;
mod staging;
mod table;

pub use core::BigQuery;
pub use places::{Place, Places};
