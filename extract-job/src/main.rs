//! The program `extract-job`: reads its flags, runs, and ends with one of the four exit codes.

use contract::exit::Exit;
use std::process::ExitCode;

/// Gives large page buffers back to the system at once; the system's own allocator keeps them in pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = extract_job::cli::parse();
    contract::telemetry::init();
    // Waiting needs few threads; slicing and compressing have their own.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(16).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(extract_job::cli::run(arguments));
            // What is left is abandoned; nothing of it is published.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            eprintln!("error: start the runtime: {error}");
            Exit::Unreachable.into()
        }
    }
}
