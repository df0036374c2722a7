//! `drayage completions`: a script for a shell, on standard output.

use crate::cli::Cli;
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use std::process::ExitCode;

/// Prints the script.
pub(crate) fn print(shell: Shell) -> ExitCode {
    generate(shell, &mut Cli::command(), "drayage", &mut std::io::stdout());
    ExitCode::SUCCESS
}
