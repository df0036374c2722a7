//! The three real programs, as processes, against the stand-ins of the sources and a DuckDB file: what the user is promised.
//! What the tables must hold is worked out by an oracle that shares no code with extract and load.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod both_generations;
mod cloud;
mod connectors;
mod demo;
mod failures;
mod kill_confirm;
mod kill_extract;
mod kill_load;
mod leases;
mod model;
mod oracle;
mod programs;
mod rerun;
mod secrets;
mod shifting;
mod tables;
mod values;
mod world;
