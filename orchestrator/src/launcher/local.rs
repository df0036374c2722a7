//! The launcher of one machine: a task is a process, its JSON log lines are shown as this process's own.
//! A child gets its settings from its arguments and a few variables; secrets reach it through the environment alone.
//!
//! A child's standard input is a pipe whose other end this process alone holds ([`contract::tether`]): however this process dies, the
//! child sees the pipe end, abandons its units and is gone within a second.

use super::terminate::terminate;
use super::{LaunchError, Launcher, StageEnd, StageOrder, TaskEnd, TaskExit};
use crate::stage::Stage;
use async_trait::async_trait;
use contract::program;
use contract::shutdown::{GRACE_SECONDS, Shutdown};
use contract::{telemetry, tether};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Settings of this program that the jobs know too. They are handed on as arguments where they are meant for them.
pub(super) const OWN_SETTINGS: [&str; 26] = [
    "DRAYAGE_PIPELINE",
    "DRAYAGE_MANIFEST",
    "DRAYAGE_CONFIG",
    "DRAYAGE_CONNECT",
    "DRAYAGE_STATE",
    "DRAYAGE_ONLY",
    "DRAYAGE_RUN_ID",
    "DRAYAGE_SOURCE",
    "DRAYAGE_ACCOUNT",
    "DRAYAGE_STREAM",
    "DRAYAGE_FULL_REFRESH",
    "DRAYAGE_FROM",
    "DRAYAGE_TO",
    "DRAYAGE_LIMIT",
    "DRAYAGE_DRY_RUN",
    "DRAYAGE_ALLOW_MASS_DELETE",
    "DRAYAGE_FORCE",
    "DRAYAGE_REWRITE",
    "DRAYAGE_TAKE_OVER",
    "DRAYAGE_WAIT",
    "DRAYAGE_OUTPUT",
    "DRAYAGE_TOKEN",
    "DRAYAGE_LISTEN",
    "DRAYAGE_AT",
    "DRAYAGE_CRON",
    "DRAYAGE_TIMEZONE",
];
/// What a program needs whatever a pipeline file says of it.
const SYSTEM_VARIABLES: [&str; 13] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "USERPROFILE",
    "APPDATA",
    "LD_LIBRARY_PATH",
];
const SYSTEM_PREFIXES: [&str; 6] = ["DRAYAGE_", "GOOGLE_", "GCE_", "CLOUDSDK_", "SSL_CERT_", "LC_"];
/// Ctrl-c reaches the children by the terminal as well. A second signal within moments would look like the user's "now".
const AFTER_CTRL_C: Duration = Duration::from_millis(500);
/// How long the rest of a dead child's log may take: a process that it has left behind could hold the pipe open.
const DRAIN: Duration = Duration::from_secs(1);
/// How many error lines of a task are kept for the summary, and how many characters of each.
const KEPT_LINES: usize = 20;
const KEPT_CHARACTERS: usize = 2000;

/// Runs the jobs as processes of this machine.
#[derive(Debug, Clone)]
pub struct LocalLauncher {
    pub(super) programs: Programs,
    pub(super) environment: Vec<(String, String)>,
    /// Variables that no load inherits.
    secrets: BTreeSet<String>,
}

/// A job's process that runs, or has run.
struct Task {
    child: Child,
    /// Nothing is ever written: that it is open tells the child that this process lives.
    _tether: Option<ChildStdin>,
}

/// What is started for a job.
#[derive(Debug, Clone)]
pub(super) enum Programs {
    /// A program for each, in this folder.
    Separate(PathBuf),
    /// The one program `drayage`, which has a command for each.
    Drayage(PathBuf),
}

impl LocalLauncher {
    /// A launcher of the programs in a folder; `environment` is added to what the children inherit.
    pub fn new(folder: impl Into<PathBuf>, environment: Vec<(String, String)>) -> Self {
        Self { programs: Programs::Separate(folder.into()), environment, secrets: BTreeSet::new() }
    }

    /// A launcher of the programs in `DRAYAGE_BIN_DIR`; or of this one, if it is `drayage`, under whatever name; or of those beside it.
    ///
    /// # Errors
    /// The place of this program is unknown.
    pub fn from_environment(environment: Vec<(String, String)>) -> Result<Self, LaunchError> {
        let named = std::env::var_os("DRAYAGE_BIN_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        if let Some(folder) = named {
            return Ok(Self::new(folder, environment));
        }
        let program = std::env::current_exe().map_err(LaunchError::Homeless)?;
        if program::does_all() {
            return Ok(Self { programs: Programs::Drayage(program), environment, secrets: BTreeSet::new() });
        }
        Ok(Self::new(program.parent().map_or_else(PathBuf::new, Path::to_path_buf), environment))
    }

    /// The launcher whose loads get none of these variables: the secrets of sources, which they need not know. What a program of this
    /// machine needs to run at all stays.
    #[must_use]
    pub fn hiding_from_load(mut self, variables: impl IntoIterator<Item = String>) -> Self {
        let is_the_systems = |name: &str| {
            SYSTEM_VARIABLES.contains(&name) || SYSTEM_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        };
        self.secrets.extend(variables.into_iter().filter(|name| !is_the_systems(name)));
        self
    }

    /// The program that does a stage, and the words that it begins with.
    pub(super) fn program(&self, stage: Stage) -> (PathBuf, &'static [&'static str]) {
        match (&self.programs, stage) {
            (Programs::Drayage(program), Stage::Extract | Stage::ConfirmExtract) => (program.clone(), &["extract"]),
            (Programs::Drayage(program), Stage::Load | Stage::ConfirmLoad) => (program.clone(), &["load"]),
            (Programs::Separate(folder), _) => {
                // A bare name would be looked for in PATH.
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                (folder.join(format!("{}{}", stage.program(), std::env::consts::EXE_SUFFIX)), &[])
            }
        }
    }

    fn command(&self, order: &StageOrder, index: usize) -> Command {
        let (program, first) = self.program(order.stage);
        let mut command = Command::new(program);
        #[cfg(unix)]
        if matches!(self.programs, Programs::Drayage(_)) {
            // A copy that bears the name of another program would be that one.
            command.arg0("drayage");
        }
        command.args(first).args(&order.arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        for name in OWN_SETTINGS {
            command.env_remove(name);
        }
        command.env("DRAYAGE_LOG_FORMAT", "json").env(tether::VARIABLE, tether::BY_STDIN);
        if std::env::var_os("DRAYAGE_PROGRESS_SECONDS").is_none() && shows_bars() {
            command.env("DRAYAGE_PROGRESS_SECONDS", "1");
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if order.stage.job() == Stage::Load {
            for name in &self.secrets {
                command.env_remove(name);
            }
        }
        command.env("CLOUD_RUN_TASK_INDEX", index.to_string());
        command.env("CLOUD_RUN_TASK_COUNT", order.tasks.to_string());
        command.env("DRAYAGE_RUN_ID", order.run_id.as_str());
        command
    }

    fn start(&self, order: &StageOrder, index: usize) -> Result<Task, LaunchError> {
        let mut child = self.command(order, index).spawn().map_err(|source| LaunchError::Start {
            program: self.program(order.stage).0.display().to_string(),
            source,
        })?;
        // Waiting for a child closes what it still holds of its standard input.
        let tether = child.stdin.take();
        Ok(Task { child, _tether: tether })
    }
}

#[async_trait]
impl Launcher for LocalLauncher {
    async fn prepare(&self, stages: &[Stage]) -> Result<(), LaunchError> {
        for stage in stages {
            let (program, _) = self.program(*stage);
            if !program.is_file() {
                let folder = program.parent().map_or_else(String::new, |folder| folder.display().to_string());
                return Err(LaunchError::Missing { program: stage.program(), folder });
            }
        }
        Ok(())
    }

    async fn run_stage(&self, order: &StageOrder, shutdown: &Shutdown) -> Result<StageEnd, LaunchError> {
        let mut tasks = Vec::with_capacity(order.tasks);
        for index in 0..order.tasks {
            match self.start(order, index) {
                Ok(task) => tasks.push(task),
                Err(error) => {
                    for task in &mut tasks {
                        // Gone or killed: either way it runs no more when this returns.
                        let _ = task.child.kill().await;
                    }
                    return Err(error);
                }
            }
        }
        let tasks = tasks.into_iter().enumerate().map(|(index, task)| supervise(index, task, shutdown));
        let (tasks, stopped): (Vec<TaskEnd>, Vec<Option<String>>) =
            futures::future::join_all(tasks).await.into_iter().unzip();
        Ok(StageEnd { tasks, interrupted: stopped.into_iter().flatten().next(), ..StageEnd::default() })
    }
}

/// Whether this process shows bars, which want fresh figures; log lines every second would bury a log.
fn shows_bars() -> bool {
    match std::env::var("DRAYAGE_LOG_FORMAT").as_deref() {
        Ok("json") => false,
        Ok("text") => true,
        _ => std::io::stderr().is_terminal(),
    }
}

/// Waits for one child, shows what it logs, and stops it once `shutdown` is raised; also tells why it was stopped.
async fn supervise(index: usize, mut task: Task, shutdown: &Shutdown) -> (TaskEnd, Option<String>) {
    let child = &mut task.child;
    let (keep, mut kept) = mpsc::unbounded_channel();
    let log = child.stderr.take().map(|stderr| tokio::spawn(relay(stderr, keep)));
    let ended = tokio::select! {
        status = child.wait() => Some(status),
        _ = shutdown.requested() => None,
    };
    let (status, stopped) = match ended {
        Some(status) => (status, None),
        None => (stop(child, shutdown).await, shutdown.reason()),
    };
    if let Some(mut log) = log
        && timeout(DRAIN, &mut log).await.is_err()
    {
        log.abort();
    }
    let exit = match status {
        Ok(status) => task_exit(status),
        // The system lost track of the child: nobody knows how it ended.
        Err(error) => {
            tracing::error!(%error, task = index, "failed to wait for the process");
            TaskExit::Code(-1)
        }
    };
    let mut said = VecDeque::new();
    if exit != TaskExit::Code(0) {
        while let Ok(line) = kept.try_recv() {
            said.push_back(line);
            if said.len() > KEPT_LINES {
                said.pop_front();
            }
        }
    }
    (TaskEnd { index, exit, said: said.into() }, stopped)
}

async fn stop(child: &mut Child, shutdown: &Shutdown) -> std::io::Result<ExitStatus> {
    if shutdown.reason().as_deref() == Some("SIGINT")
        && let Ok(status) = timeout(AFTER_CTRL_C, child.wait()).await
    {
        return status;
    }
    terminate(child);
    match timeout(Duration::from_secs(GRACE_SECONDS), child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            tracing::warn!(process = child.id(), "the task did not stop within {GRACE_SECONDS} s and is killed");
            child.start_kill()?;
            child.wait().await
        }
    }
}

fn task_exit(status: ExitStatus) -> TaskExit {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return TaskExit::Signal(signal);
    }
    TaskExit::Code(status.code().unwrap_or(-1))
}

/// Shows every line, and hands on those that say what went wrong.
async fn relay(stderr: impl AsyncRead + Unpin, keep: mpsc::UnboundedSender<String>) {
    let mut lines = BufReader::new(stderr);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match lines.read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(complaint) = complaint(line) {
            // Nobody listens any more only when the stage is over.
            let _ = keep.send(complaint);
        }
        telemetry::relay(line);
    }
}

/// What a log line says went wrong with the task: its errors, and text that is no log line (a panic, a usage message).
/// A unit's errors are in the run report.
pub(super) fn complaint(line: &str) -> Option<String> {
    let text = match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(fields)) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            if fields.contains_key("event") || text("severity") != Some("ERROR") {
                return None;
            }
            let message = text("message").unwrap_or_default();
            text("error").map_or_else(|| message.to_owned(), |error| format!("{message}: {error}"))
        }
        _ => line.trim_end().to_owned(),
    };
    (!text.trim().is_empty()).then(|| text.chars().take(KEPT_CHARACTERS).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use contract::run_id::RunId;

    #[test]
    fn only_errors_of_the_task_are_kept() {
        let table = [
            (r#"{"severity":"ERROR","message":"failed","error":"no space","time":"x"}"#, Some("failed: no space")),
            (r#"{"severity":"ERROR","message":"a/b/c: failed","event":"unit_finished"}"#, None),
            (r#"{"severity":"INFO","message":"started"}"#, None),
            ("thread 'main' panicked at x.rs:1", Some("thread 'main' panicked at x.rs:1")),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(complaint(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_load_gets_no_secret_of_a_source() {
        let secrets = ["API_TOKEN", "HOME", "GOOGLE_APPLICATION_CREDENTIALS", "DRAYAGE_LOG"].map(str::to_owned);
        let launcher = LocalLauncher::new("/x", vec![("API_TOKEN".into(), "hush".into())]).hiding_from_load(secrets);
        let order = |stage: Stage| StageOrder {
            stage,
            run_id: RunId::new(chrono::Utc::now()),
            tasks: 1,
            arguments: Vec::new(),
            since: None,
        };
        let value = |stage: Stage, name: &str| {
            let command = launcher.command(&order(stage), 0);
            command.as_std().get_envs().find(|(key, _)| *key == name).map(|(_, value)| value.is_some())
        };
        for stage in [Stage::Load, Stage::ConfirmLoad] {
            assert_eq!(value(stage, "API_TOKEN"), Some(false), "it is taken away");
            assert_eq!(value(stage, "HOME"), None, "it is inherited");
            assert_eq!(value(stage, "GOOGLE_APPLICATION_CREDENTIALS"), None);
        }
        for stage in [Stage::Extract, Stage::ConfirmExtract] {
            assert_eq!(value(stage, "API_TOKEN"), Some(true));
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let launcher = LocalLauncher::new(folder.path(), Vec::new());
        let error = launcher.prepare(&Stage::FIRST).await.unwrap_err();
        assert!(error.to_string().starts_with("the program extract-job is not in "), "{error}");
        assert!(error.hint().unwrap().contains("cargo build"));
    }

    #[test]
    fn a_signal_is_told_by_name() {
        assert_eq!(TaskExit::Signal(9).to_string(), "was killed by signal 9 (SIGKILL)");
        assert_eq!(TaskExit::Signal(40).to_string(), "was killed by signal 40");
        assert_eq!(TaskExit::Code(3).to_string(), "ended with exit code 3");
    }
}
