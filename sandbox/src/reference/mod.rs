//! The reference engine for declarative manifests (PyPI's `airbyte-cdk`, pinned) as a process that takes jobs: what our own engine is
//! compared with. Installed once for each machine; it ends when this process ends.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;
use tempfile::NamedTempFile;

use crate::python::{self, InstallError, Packages};

const RUN: &str = include_str!("../../reference/run.py");
const ENGINE: Packages =
    Packages { name: "airbyte-cdk", requirements: include_str!("../../reference/requirements.txt"), finish: None };

/// Why there is no answer of the reference engine.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("the reference engine cannot be talked to: {0}")]
    Pipe(#[from] io::Error),
    #[error("the reference engine has ended:\n{0}")]
    Ended(String),
    #[error("the reference engine's answer is no JSON: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("the reference engine broke: {0}")]
    Broken(String),
}

/// A running reference engine. It does one job after the other, each in a process of its own.
#[derive(Debug)]
pub struct Reference {
    child: Child,
    jobs: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it says beside its answers, for when it ends too early.
    log: NamedTempFile,
}

impl Reference {
    /// Starts it (two seconds), and installs it first where it is not there yet (about a minute, over the network).
    ///
    /// # Errors
    /// It cannot be installed or started.
    pub fn start() -> Result<Self, ReferenceError> {
        let installed = ENGINE.install()?;
        let log = NamedTempFile::new()?;
        let mut child = python::clean(&installed.python)
            .args(["-c", RUN])
            .env("HOME", &installed.home)
            .env("TZ", "UTC")
            .env_remove("REQUEST_CACHE_PATH")
            // Kept open by this process alone: when it is gone, the engine reads the end and stops.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.reopen()?)
            .spawn()?;
        let (Some(jobs), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        };
        let mut reference = Self { child, jobs, answers: BufReader::new(answers), log };
        reference.answer()?;
        Ok(reference)
    }

    /// Does a job; `sandbox/reference/run.py` says what there is to do.
    ///
    /// # Errors
    /// The process is gone, or the job made it stumble in a way that is no result.
    pub fn call(&mut self, job: &Value) -> Result<Value, ReferenceError> {
        writeln!(self.jobs, "{job}")?;
        self.jobs.flush()?;
        let answer = self.answer()?;
        match answer.get("broken").and_then(Value::as_str) {
            Some(why) => Err(ReferenceError::Broken(why.to_owned())),
            None => Ok(answer),
        }
    }

    fn answer(&mut self) -> Result<Value, ReferenceError> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(ReferenceError::Ended(std::fs::read_to_string(self.log.path())?));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
