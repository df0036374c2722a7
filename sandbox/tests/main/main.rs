//! The stand-ins as an ordinary HTTP client sees them.
//! Everything here goes over a socket; only the steering (generations, faults) is in-process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod callio;
mod client;
mod exports;
mod faults;
mod gaio_social;
mod gong;
mod lists;
mod plain;
mod program;
mod reports;
mod zoho_salesiq;
