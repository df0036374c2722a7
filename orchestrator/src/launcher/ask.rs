//! Questions to the extract's program that start no run: whether a pipeline can be used (`check`), and which streams there are (`streams`).
//! Only where it is a program of this machine, which has the secrets of the sources.

use super::LaunchError;
use super::local::{LocalLauncher, OWN_SETTINGS, Programs, complaint};
use crate::stage::Stage;
use contract::exit::Exit;
use contract::tether;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// References of Secret Manager are fetched; nothing else takes long.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What the program has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What it has printed.
    Said(String),
    /// The files are wrong, in its words.
    Wrong(String),
    /// It could not find out, and why.
    Unknown(String),
}

impl LocalLauncher {
    /// Asks the extract's program something.
    ///
    /// # Errors
    /// The program is not there, or does not start.
    pub(crate) async fn ask(&self, command: &str, arguments: &[String]) -> Result<Asked, LaunchError> {
        let (program, _) = self.program(Stage::Extract);
        let start = |source| LaunchError::Start { program: program.display().to_string(), source };
        let mut process = Command::new(&program);
        #[cfg(unix)]
        if matches!(self.programs, Programs::Drayage(_)) {
            process.arg0("drayage");
        }
        process.arg(command).args(arguments).kill_on_drop(true);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in OWN_SETTINGS {
            process.env_remove(name);
        }
        process.env("DRAYAGE_LOG_FORMAT", "json").env(tether::VARIABLE, tether::BY_STDIN);
        process.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = process.spawn().map_err(start)?;
        let _tether = child.stdin.take();
        let Ok(output) = tokio::time::timeout(ANSWER_WITHIN, child.wait_with_output()).await else {
            let why = format!("`{command}` has not ended within {} s", ANSWER_WITHIN.as_secs());
            return Ok(Asked::Unknown(why));
        };
        let output = output.map_err(start)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let errors = errors.lines().filter_map(complaint).collect::<Vec<_>>().join("\n");
        Ok(match output.status.code() {
            Some(0) => Asked::Said(String::from_utf8_lossy(&output.stdout).into_owned()),
            Some(code) if code == i32::from(Exit::Usage.code()) => Asked::Wrong(errors),
            _ => Asked::Unknown(errors),
        })
    }
}
