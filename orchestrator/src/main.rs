//! The program `orchestrator`. Everything is in the library, so that tests and `drayage` drive it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::main()
}
