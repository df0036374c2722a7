//! The extract against a stand-in of ServiceTitan over real HTTP: one test binary, a module for each theme.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod extract;
mod faults;
mod modes;
mod program;
mod shares;
mod support;
