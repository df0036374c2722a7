//! Local stand-ins for the outside world, served over real HTTP: for the demo, the tests and the benchmark.
//! Never part of a production image; nothing here knows the programs that it serves.

pub mod bigquery;
pub mod cloud_run;
pub mod cloud_storage;
pub mod fault;
pub mod metadata;
pub mod request_log;
pub mod servicetitan;
pub mod slack;
