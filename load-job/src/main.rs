//! The `load-job` program: parses its command line and runs the library.
//! Everything else is in the library, so that tests drive it without a process.

use clap::Parser;
use contract::exit::Exit;
use load_job::cli::{Cli, run};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    contract::telemetry::init();
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(run(cli)).into(),
        Err(error) => {
            tracing::error!(%error, "failed to start");
            Exit::Unreachable.into()
        }
    }
}
