//! Cargo, called for the whole workspace: the same choice of features every time, so that nothing is compiled twice.

use crate::library::Library;
use anyhow::{Context, Result};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

/// The clone that this program was built from.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// # Errors
    /// The clone has moved since this program was built.
    pub(crate) fn find() -> Result<Self> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.parent().context("this package lies in no workspace")?.to_owned();
        anyhow::ensure!(root.join("Cargo.toml").is_file(), "{} is no workspace any more", root.display());
        Ok(Self { root })
    }

    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
            Some(folder) => self.root.join(folder),
            None => self.root.join("target"),
        }
    }

    /// The cargo that has started this program.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }
}

/// Builds the programs and runs the demo.
pub(crate) fn demo(workspace: &Workspace, library: &Library, arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    // The whole workspace, though one program is wanted: `--package` would choose other features of the dependencies than the tests do.
    cargo.args(["build", "--workspace", "--bin", "drayage"]).args(library.features());
    let built = wait(&mut cargo)?;
    if !built.success() {
        return Ok(code(built));
    }
    let program = workspace.target().join("debug").join("drayage");
    let mut demo = Command::new(program);
    demo.arg("demo").args(arguments);
    Ok(code(wait(&mut demo)?))
}

/// The test targets that start no program of ours. What starts one is in a target called `processes` or `end_to_end`.
const IN_PROCESS: [&str; 6] = ["--lib", "--bins", "--test", "it", "--test", "main"];
/// Modules in those targets that need BigQuery's emulator, the reference engine, or a program.
const SLOW: [&str; 3] = ["bigquery::", "differential::", "program::"];

/// How many tests of one program run at a time; read by Rust's test harness.
const THREADS: &str = "RUST_TEST_THREADS";

/// Runs the tests.
pub(crate) fn test(workspace: &Workspace, library: &Library, fast: bool, arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    // Most tests wait for a process, a server, or a bound that passes: with one thread a core, half of the cores' time would be idle.
    if std::env::var_os(THREADS).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        cargo.env(THREADS, (cores * 2).to_string());
    }
    cargo.args(["test", "--workspace"]).args(library.features());
    if fast {
        cargo.args(IN_PROCESS);
    }
    cargo.args(arguments);
    if fast {
        if !arguments.iter().any(|argument| argument == "--") {
            cargo.arg("--");
        }
        cargo.args(SLOW.iter().flat_map(|module| ["--skip", module]));
    }
    Ok(code(wait(&mut cargo)?))
}

/// Runs a command to its end.
pub(crate) fn wait(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("failed to start {}", command.get_program().to_string_lossy()))
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
