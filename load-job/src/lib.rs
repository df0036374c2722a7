//! The load job: reads the batches of a run from the landing zone, shapes their records into typed columns, and merges them into
//! the warehouse with audit columns and soft delete. It knows no API and no manifest.

mod adopt_command;
pub mod cli;
mod read;
pub mod run;
pub mod shape;
pub mod warehouse;
