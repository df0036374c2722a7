//! `drayage manual`: a manual page for each command, for packages.

use crate::cli::Cli;
use clap::CommandFactory;
use contract::exit::Exit;
use std::path::Path;
use std::process::ExitCode;

/// Writes the pages into a folder that is there.
pub(crate) fn write(dir: &Path) -> ExitCode {
    match clap_mangen::generate_to(Cli::command(), dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: failed to write the manual pages to {}: {error}", dir.display());
            Exit::Unreachable.into()
        }
    }
}
