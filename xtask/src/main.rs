//! What a contributor runs: `cargo xtask demo`, `cargo xtask test`. Both put DuckDB's library in its place before they build.

mod build;
mod library;
mod origin;
mod package;

use anyhow::Result;
use build::Workspace;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, shows and tests Drayage from a clone.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the programs and run the demo
    Demo {
        /// Arguments of `drayage demo`, for example `--dir DIR`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the tests
    Test {
        /// Leave out what needs an emulator or starts a program: for between two edits
        #[arg(long)]
        fast: bool,
        /// Arguments of `cargo test`, for example the name of a test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build a wheel for pip into dist/
    Wheel,
    /// Build an archive of the program into dist/, from a new wheel
    Archive,
    /// Put DuckDB's library in its place, and say where that is
    Library,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let library = library::ensure(&workspace)?;
    match task {
        Task::Library => {
            println!("{library}");
            Ok(ExitCode::SUCCESS)
        }
        Task::Wheel => {
            println!("{}", package::wheel(&workspace, &library)?.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Archive => {
            println!("{}", package::archive(&workspace, &library)?.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Demo { arguments } => build::demo(&workspace, &library, &arguments),
        Task::Test { fast, arguments } => build::test(&workspace, &library, fast, &arguments),
    }
}
