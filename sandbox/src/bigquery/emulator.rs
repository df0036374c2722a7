//! The emulator as a child process on free ports: started, waited for, ended on drop or with this process.
//! Its output goes to a file, which tells the port that it took and, when it fails, why.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::install::{self, InstallError};
use super::upstream::Upstream;
use crate::python::{self, Installed};

const RUN: &str = include_str!("../../bigquery/run.py");
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);

/// Why the emulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("cannot start the BigQuery emulator: {0}")]
    Start(#[from] io::Error),
    #[error("the BigQuery emulator does not answer: {reason}\n{output}")]
    NotReady { reason: String, output: String },
}

/// A running emulator; it serves any number of projects and forgets everything when it is dropped.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    port: u16,
    gcs_root: PathBuf,
    folder: TempDir,
    /// One job after the other: the emulator's transactions are visible to every query that runs beside them.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Emulator {
    /// Starts an emulator that finds `gs://bucket/object` at `gcs_root/bucket/object`. Installs it first where it is not
    /// there yet.
    ///
    /// # Errors
    /// When it cannot be installed or started, or does not answer within 90 seconds.
    pub async fn start(gcs_root: &Path) -> Result<Self, EmulatorError> {
        Self::start_in(temporary()?, gcs_root).await
    }

    /// Starts an emulator whose buckets lie in its own temporary folder. For one that is shared by all tests of a program and never dropped:
    /// it ends with the program, and its folder with it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn with_own_buckets() -> Result<Self, EmulatorError> {
        let folder = temporary()?;
        let gcs_root = folder.path().join("buckets");
        Self::start_in(folder, &gcs_root).await
    }

    async fn start_in(folder: TempDir, gcs_root: &Path) -> Result<Self, EmulatorError> {
        let installed = tokio::task::spawn_blocking(install::install).await.map_err(io::Error::other)??;
        std::fs::create_dir_all(gcs_root)?;
        let child = spawn(&installed, gcs_root, folder.path())?;
        let turn = tokio::sync::Mutex::new(());
        let mut emulator = Self { child, port: 0, gcs_root: gcs_root.to_owned(), folder, turn };
        emulator.wait().await?;
        Ok(emulator)
    }

    /// The base URL, without `/bigquery/v2`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder that holds the buckets.
    pub fn gcs_root(&self) -> &Path {
        &self.gcs_root
    }

    /// The file of its output.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    async fn wait(&mut self) -> Result<(), EmulatorError> {
        let end = Instant::now() + PATIENCE;
        loop {
            if self.port == 0 {
                self.port = self.output().lines().find_map(port_of).unwrap_or_default();
            }
            if self.port != 0 && Upstream::new(self.url()).is_ready().await {
                return Ok(());
            }
            let reason = match self.child.try_wait()? {
                Some(status) => format!("it has ended ({status})"),
                None if Instant::now() > end => format!("nothing within {} seconds", PATIENCE.as_secs()),
                None => {
                    tokio::time::sleep(POLL).await;
                    continue;
                }
            };
            return Err(EmulatorError::NotReady { reason, output: self.output() });
        }
    }

    fn output(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(self.log()).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_or_else(|error| error.to_string(), |_| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn temporary() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("bigquery-").tempdir()
}

fn spawn(installed: &Installed, gcs_root: &Path, folder: &Path) -> io::Result<Child> {
    let output = File::create(folder.join("output"))?;
    let mut command = python::clean(&installed.python);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BQEMU_") {
            command.env_remove(name);
        }
    }
    command
        .args(["-c", RUN, "start", "--rest-port", "0", "--grpc-port", "0", "--ephemeral", "--log-format", "json"])
        .env("HOME", &installed.home)
        .env("BQEMU_GCS_LOCAL_ROOT", gcs_root)
        .env("BQEMU_ENABLE_FORMAT_EXTENSIONS", "false")
        .env("EMULATOR_FOLDER", folder)
        .env("PYTHONUNBUFFERED", "1")
        .current_dir(folder)
        // Kept open by this process alone: when it is gone, the emulator reads the end and stops.
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

/// The port in the line that says where the REST server listens.
fn port_of(line: &str) -> Option<u16> {
    let line: Value = serde_json::from_str(line).ok()?;
    let port = line.get("port").filter(|_| line.get("event").and_then(Value::as_str) == Some("rest.listen"))?;
    port.as_u64().and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_line_of_the_rest_server_alone() {
        let cases = [
            (r#"{"host": "127.0.0.1", "port": 41961, "event": "rest.listen"}"#, Some(41961)),
            (r#"{"host": "127.0.0.1", "port": 39671, "event": "grpc.listen"}"#, None),
            ("Uvicorn running on http://127.0.0.1:41961 (Press CTRL+C to quit)", None),
        ];
        for (line, port) in cases {
            assert_eq!(port_of(line), port, "{line}");
        }
    }
}
