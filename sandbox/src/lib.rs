//! Local stand-ins for the outside world, served over real HTTP: for the demo, the tests and the benchmark; and what tests know of a program
//! as a process. Never part of a production image; no stand-in knows the programs that it serves.

pub mod bigquery;
pub mod callio;
pub mod cloud_run;
pub mod cloud_storage;
pub mod fault;
pub mod gaio_social;
pub mod gong;
mod lives;
pub mod metadata;
pub mod process;
mod python;
pub mod reference;
pub mod request_log;
pub mod scripted;
pub mod servicetitan;
pub mod slack;
pub mod stand_in;
pub mod zoho_salesiq;
