//! The run: starts extract-job, waits, starts load-job, waits, and says what came of it (design, sections 4 and 8).
//! It moves no data itself and needs neither API nor warehouse credentials: it meets the two jobs in stored files and exit codes.

mod arguments;
mod cli;
mod command;
#[cfg(feature = "demo")]
mod demo;
mod error;
mod launcher;
mod lease;
mod notify;
mod options;
mod outcome;
mod preflight;
mod prune;
mod run;
mod schedule;
mod serve;
mod stage;
mod summary;
mod trigger;

pub use arguments::shell_word;
pub use cli::Command;
pub use command::{main, start};
pub use error::RunError;
pub use launcher::local::LocalLauncher;
pub use launcher::terminate::terminate;
pub use launcher::{LaunchError, Launcher, StageEnd, StageOrder, TaskEnd, TaskExit};
pub use run::{RunChoice, RunOptions, run};
pub use stage::Stage;
pub use summary::rows::{Row, RowStatus};
pub use summary::{RunStatus, RunSummary};
