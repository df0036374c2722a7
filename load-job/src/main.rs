//! The program `load-job`. Everything is in the library, so that tests and `drayage` drive it too.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    load_job::cli::main()
}
