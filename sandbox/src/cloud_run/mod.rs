//! A stand-in of the Cloud Run Admin API v2: jobs, executions, tasks and operations over HTTP, with faults.
//! A job is a program of this machine; its tasks really run, as processes that have a container's environment.

mod answer;
mod execution;
mod fault;
mod fields;
mod job;
mod list;
mod method;
mod name;
mod process;
mod refusal;
mod request;
mod route;
mod runner;
mod seen;
mod server;
pub(crate) mod serving;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use execution::{ExecutionState, TaskState};
pub use fault::{Call, Fault, FaultAction, Strikes};
pub use job::Job;
pub use request::Request;
pub use seen::{ExecutionSeen, Log, TaskSeen};

use serving::Serving;
use state::State;

/// What the stand-in serves and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The project's id. Requests may use it or the number; answers carry the number.
    pub project: String,
    pub project_number: u64,
    /// The only location; any other is refused like a project that is not the caller's.
    pub region: String,
    pub jobs: Vec<Job>,
    /// What an image brings along (`PATH`, `HOME`): nothing else reaches a task but its job's variables and the platform's.
    pub base_env: Vec<(String, String)>,
    /// Folder for what tasks write: `<execution>/task-<index>-attempt-<number>.out` and `.err`.
    pub logs: PathBuf,
    /// The bearer token that every request must carry; `None` lets everyone in.
    pub token: Option<String>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
}

impl Options {
    /// Project `sandbox-project` (123456) in `us-central1`, no jobs, no token, 10 s of grace, a plain `PATH` and `HOME`.
    pub fn new(logs: impl Into<PathBuf>) -> Self {
        let base_env = [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/tmp")];
        Self {
            project: "sandbox-project".to_owned(),
            project_number: 123_456,
            region: "us-central1".to_owned(),
            jobs: Vec::new(),
            base_env: base_env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            logs: logs.into(),
            token: None,
            grace: Duration::from_secs(10),
        }
    }

    fn log_file(&self, execution: &str, task: usize, attempt: u32, kind: &str) -> PathBuf {
        self.logs.join(execution).join(format!("task-{task}-attempt-{attempt}.{kind}"))
    }

    fn check(&self) -> io::Result<()> {
        let wrong = |problem: String| Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        for (index, job) in self.jobs.iter().enumerate() {
            if let Err(problem) = job.check() {
                return wrong(problem);
            }
            if self.jobs.iter().take(index).any(|earlier| earlier.name == job.name) {
                return wrong(format!("two jobs are called '{}'", job.name));
            }
        }
        Ok(())
    }
}

/// A running stand-in; dropping it kills every task that runs and closes the port.
#[derive(Debug)]
pub struct CloudRun {
    state: Arc<State>,
    serving: Serving,
}

impl CloudRun {
    /// Starts the stand-in on threads of its own: it goes on serving while the caller blocks.
    ///
    /// # Errors
    /// A job is wrong (`InvalidInput`), or no port or threads can be had.
    pub fn start(options: Options) -> io::Result<Self> {
        options.check()?;
        let state = Arc::new(State::new(options));
        let serving = Serving::start(server::router(Arc::clone(&state)))?;
        Ok(Self { state, serving })
    }

    /// `http://127.0.0.1:<port>`, in place of `https://run.googleapis.com`.
    pub fn url(&self) -> &str {
        self.serving.url()
    }

    /// Adds a fault to the script.
    pub fn fault(&self, fault: Fault) {
        self.state.script().add(fault, Instant::now());
    }

    /// Forgets the faults that are still to come.
    pub fn clear_faults(&self) {
        self.state.script().clear();
    }

    /// From now on this token is asked for; `None` lets everyone in.
    pub fn set_token(&self, token: Option<String>) {
        *self.state.token() = token;
    }

    /// The requests seen, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.state.log().clone()
    }

    /// Every execution, oldest first.
    pub fn executions(&self) -> Vec<ExecutionSeen> {
        let book = self.state.book();
        book.executions.iter().map(|execution| ExecutionSeen::of(&self.state, execution)).collect()
    }

    /// What an attempt has written so far. `execution` is the short or the full name; attempts count from 0.
    ///
    /// # Errors
    /// There was no such attempt.
    pub fn log(&self, execution: &str, task: usize, attempt: u32) -> io::Result<Log> {
        let id = execution.rsplit('/').next().unwrap_or(execution);
        let read = |kind: &str| std::fs::read(self.state.options.log_file(id, task, attempt, kind));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Log { out: text(read("out")?), err: text(read("err")?) })
    }
}

impl Drop for CloudRun {
    fn drop(&mut self) {
        process::kill_all(&self.state);
    }
}
