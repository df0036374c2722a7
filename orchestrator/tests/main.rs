//! The program `orchestrator` with shell scripts in the place of the two jobs: order, arguments, exit codes, lease, signals.
//! The scripts keep the jobs' contract (plan, run reports, latest run), so that only the orchestrator is under test.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cloud_run;
#[cfg(feature = "demo")]
mod demo;
mod exits;
mod leases;
mod passing;
mod prune;
mod schedule;
mod serve;
mod serving;
mod signals;
mod slack;
mod world;
