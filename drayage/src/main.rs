//! The one program for people: it links the three programs and hands over. Called by the name of one of them (a link), it is that one.

mod cli;
mod completions;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod documented;
mod init;
mod manual;

use clap::Parser;
use cli::{Cli, Command};
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    let job: Option<fn() -> ExitCode> = match Path::new(&called).file_stem().and_then(OsStr::to_str) {
        Some("extract-job") => Some(extract_job::cli::main),
        Some("load-job") => Some(load_job::cli::main),
        Some("orchestrator") => Some(orchestrator::main),
        _ => None,
    };
    contract::program::is_drayage(env!("DRAYAGE_VERSION"), job.is_none());
    match job {
        Some(main) => main(),
        None => hand_over(Cli::parse().command),
    }
}

fn hand_over(command: Command) -> ExitCode {
    match command {
        Command::Init(arguments) => init::start(&arguments),
        Command::Orchestrator(command) => orchestrator::start(command),
        Command::Connectors(command) => extract_job::cli::start(command),
        Command::Extract(arguments) => extract_job::cli::start(arguments),
        Command::Load(arguments) => load_job::cli::start(arguments),
        Command::Adopt(arguments) => load_job::cli::adopt(arguments),
        Command::Completions { shell } => completions::print(shell),
        Command::Manual { dir } => manual::write(&dir),
    }
}
