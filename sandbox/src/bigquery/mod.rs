//! A stand-in of BigQuery: an emulator (PyPI's `bqemulator`) with a strict gate in front, which is what programs talk to.
//! The gate refuses what BigQuery refuses and the emulator lets through, remembers what it forgets, and injects faults.

mod ddl;
mod emulator;
mod fault;
mod field;
mod gate;
mod install;
mod job;
mod jobs;
mod label;
mod load;
mod log;
mod query;
mod reply;
mod seat;
mod server;
mod shape;
mod source_files;
mod sql;
mod tables;
#[cfg(test)]
mod tests;
mod upstream;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

pub use emulator::{Emulator, EmulatorError};
pub use fault::{Effect, Fault, Operation};
pub use install::InstallError;
pub use log::Request;
pub use reply::JobError;
pub use seat::Seat;
pub use upstream::Row;

use gate::Gate;
use wire::{Cutter, Wires};

/// What the stand-in serves and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds the buckets: `gs://bucket/object` is the file `bucket/object` in it.
    pub gcs_root: PathBuf,
    /// The projects that there are; none named: every project is there.
    pub projects: Vec<String>,
    /// When set, a request without this bearer token gets 401.
    pub token: Option<String>,
    /// A job is DONE when it is asked for the so-manieth time; 0: in the answer to its insert.
    pub polls_until_done: u32,
    /// What a query processes for each table that it names, in bytes; at least 10 MiB of it are billed.
    pub bytes_per_table: u64,
}

impl Default for Options {
    /// Two polls, 1 MiB a table, no token, any project; buckets in the current folder.
    fn default() -> Self {
        Self {
            gcs_root: PathBuf::from("."),
            projects: Vec::new(),
            token: None,
            polls_until_done: 2,
            bytes_per_table: 1 << 20,
        }
    }
}

/// Why the stand-in did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
}

/// A running stand-in. Dropping it stops it; the emulator ends with the last stand-in that uses it.
#[derive(Debug)]
pub struct BigQuery {
    gate: Arc<Gate>,
    url: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl BigQuery {
    /// Starts an emulator and a gate in front of it, on threads of its own: it goes on serving while the caller blocks.
    ///
    /// # Errors
    /// When the emulator cannot be installed or started, or no port is free.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let emulator = Emulator::start(&options.gcs_root).await?;
        Self::over(Arc::new(emulator), options)
    }

    /// Starts a gate in front of a running emulator; its folder of buckets goes before the one in the options. Gates that
    /// share an emulator share its data, but each remembers tables and jobs of its own: give each its own projects.
    ///
    /// # Errors
    /// When no port is free or no thread can be started.
    pub fn over(emulator: Arc<Emulator>, options: Options) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bigquery")
            .enable_all()
            .build()?;
        let socket = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        socket.set_nonblocking(true)?;
        let url = format!("http://{}", socket.local_addr()?);
        let gate = Arc::new(Gate::new(emulator, options));
        let entered = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(socket);
        drop(entered);
        let service = server::router(Arc::clone(&gate)).into_make_service_with_connect_info::<Cutter>();
        let stand_in = Self { gate, url, runtime: Some(runtime) };
        let listener = Wires(listener?);
        if let Some(runtime) = &stand_in.runtime {
            runtime.spawn(async move { axum::serve(listener, service).await });
        }
        Ok(stand_in)
    }

    /// The base URL, without `/bigquery/v2`.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn emulator(&self) -> &Arc<Emulator> {
        &self.gate.emulator
    }

    /// Adds a fault to the script.
    pub fn fault(&self, fault: Fault) {
        self.gate.faults().add(fault);
    }

    /// Drops the faults that have not struck yet.
    pub fn clear_faults(&self) {
        self.gate.faults().clear();
    }

    /// From now on the project's caller is another account, one that may run jobs and see its own alone: `jobs.get` of those that there are
    /// is denied. Whether BigQuery denies it a job that is not there, too, is not documented: `denies_missing` chooses.
    pub fn change_account(&self, project: &str, denies_missing: bool) {
        self.gate.jobs().change_account(project, denies_missing);
    }

    /// All calls since the start, or since [`Self::clear_requests`].
    pub fn requests(&self) -> Vec<Request> {
        self.gate.log().clone()
    }

    pub fn clear_requests(&self) {
        self.gate.log().clear();
    }

    /// The SQL of every query that was sent, in order; repeated calls repeat.
    pub fn queries(&self) -> Vec<String> {
        self.gate.log().iter().filter_map(Request::sql).map(str::to_owned).collect()
    }

    /// Runs a statement past the gate: no rules, no faults, no log.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn rows(&self, project: &str, sql: &str) -> Result<Vec<Row>, JobError> {
        let _turn = self.gate.turn().await;
        self.gate.upstream.rows(project, sql, None).await
    }
}

impl Drop for BigQuery {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
