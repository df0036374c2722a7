//! The program `orchestrator`: reads the command line, runs one command, ends with its exit code.
//! Everything else is in the library, so that tests drive it without a process.

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = orchestrator::Cli::parse();
    contract::telemetry::init();
    let shutdown = match contract::shutdown::Shutdown::on_signals() {
        Ok(shutdown) => shutdown,
        Err(error) => {
            eprintln!("error: the system refuses signal handlers: {error}");
            return contract::exit::Exit::Unreachable.into();
        }
    };
    orchestrator::execute(cli, &shutdown).await.into()
}
