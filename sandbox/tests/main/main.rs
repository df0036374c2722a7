//! The stand-ins as an ordinary HTTP client sees them.
//! Everything here goes over a socket; only the steering (generations, faults) is in-process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod client;
mod exports;
mod faults;
mod lists;
