//! The command line of `drayage`: the commands of the three programs under one name, and what only a person needs.

use crate::init::InitArguments;
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Moves the data of REST APIs into a warehouse.
///
/// Exit codes: 0 all units done; 1 some units failed, the others are done; 2 wrong usage, pipeline file or manifest;
/// 3 nothing could be done (landing zone or warehouse out of reach, or another run holds the lease).
#[derive(Debug, Parser)]
#[command(name = "drayage", version = contract::program::version())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up a pipeline for an account of your own: asks for what it needs, and writes the files
    Init(InitArguments),
    #[command(flatten)]
    Orchestrator(orchestrator::Command),
    #[command(flatten)]
    Connectors(extract_job::cli::Command),
    /// Extract records into the landing zone, and load nothing
    Extract(extract_job::cli::ExtractArgs),
    /// Load the batches of a run into the warehouse
    Load(load_job::cli::LoadArgs),
    /// Take over a table that another ETL has made: its rows stay, and the next load goes on with them
    Adopt(load_job::cli::AdoptArgs),
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(hide = true)]
    Manual {
        /// The folder to write them into
        dir: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
