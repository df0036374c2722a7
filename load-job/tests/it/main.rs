//! The load job against a real DuckDB file and a folder, and against BigQuery's emulator and a bucket: conformance of the MERGE, types,
//! drift, rejects, guards, each case against both.
//! One binary; each module is one promise of the design.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod adoption;
mod bad_input;
mod bigquery;
mod continuity;
mod guard;
mod hints;
mod idempotence;
mod in_use;
mod logs;
mod merge_table;
mod newer_version;
mod numbers;
mod suspects;
mod types;
mod world;
mod write_modes;
