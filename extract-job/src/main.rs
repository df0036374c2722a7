//! The program `extract-job`. Everything is in the library, so that tests and `drayage` drive it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    extract_job::cli::main()
}
