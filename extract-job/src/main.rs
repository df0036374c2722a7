//! The program `extract-job`: reads its flags, runs, and ends with one of the four exit codes.

use contract::exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = extract_job::cli::parse();
    contract::telemetry::init();
    // Waiting needs one thread; slicing, compressing and writing files have their own. Every thread costs memory.
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(cores + 16).enable_all().build();
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
