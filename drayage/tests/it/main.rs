//! `drayage` as a person meets it: the program as a process, by its own name and by others, with flags and at a terminal.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod init_at_a_terminal;
mod init_by_flags;
mod init_refusals;
mod init_side_by_side;
mod moving;
mod moving_api;
mod names;
mod newer_version;
mod own_source;
mod remedies;
mod texts;
mod world;
