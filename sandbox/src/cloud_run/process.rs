//! One attempt of one task: a process with a container's environment, stopped as the platform stops a container.
//! The process leads a group of its own: SIGTERM goes to it alone, SIGKILL and the end of the attempt to all it started.

use std::fs::File;
use std::future::pending;
use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::execution::{AttemptEnd, Cause, Exit};
use super::job::Plan;
use super::state::State;

/// Which attempt of which task.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    /// The short name of the execution.
    pub(crate) execution: &'a str,
    pub(crate) index: usize,
    pub(crate) number: u32,
}

impl Attempt<'_> {
    /// Runs until the process has ended, by itself or because it was told to.
    pub(crate) async fn run(&self, state: &State, plan: &Plan, cancel: &mut watch::Receiver<bool>) -> AttemptEnd {
        let mut child = match self.spawn(state, plan) {
            Ok(child) => child,
            Err(error) => return AttemptEnd { exit: Exit::NotStarted(error.to_string()), cause: Cause::Own },
        };
        let group = child.id();
        // A process that ended by itself in the same moment was not stopped.
        let (status, cause) = tokio::select! {
            biased;
            status = child.wait() => (status, Cause::Own),
            () = raised(cancel) => (stop(state, &mut child).await, Cause::Cancel),
            () = sleep(plan.timeout) => (stop(state, &mut child).await, Cause::Timeout),
        };
        if let Some(group) = group {
            // The container is gone, and with it whatever the process has left behind.
            signal::kill_group(group);
            state.live().groups.remove(&group);
        }
        let exit = match status {
            Ok(status) => exit_of(status),
            Err(error) => Exit::NotStarted(format!("the process was lost: {error}")),
        };
        AttemptEnd { exit, cause }
    }

    fn spawn(&self, state: &State, plan: &Plan) -> io::Result<Child> {
        std::fs::create_dir_all(state.options.logs.join(self.execution))?;
        let log = |kind: &str| File::create(state.options.log_file(self.execution, self.index, self.number, kind));
        let mut command = Command::new(&plan.command);
        command.args(&plan.args).stdin(Stdio::null()).stdout(log("out")?).stderr(log("err")?);
        command.env_clear().envs(state.options.base_env.iter().map(|(name, value)| (name, value)));
        command.envs(plan.env.iter().map(|(name, value)| (name, value)));
        command.env("CLOUD_RUN_JOB", &plan.job);
        command.env("CLOUD_RUN_EXECUTION", self.execution);
        command.env("CLOUD_RUN_TASK_INDEX", self.index.to_string());
        command.env("CLOUD_RUN_TASK_ATTEMPT", self.number.to_string());
        command.env("CLOUD_RUN_TASK_COUNT", plan.task_count.to_string());
        command.current_dir("/").kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        // Under the lock, so that a server that is being dropped misses no process.
        let mut live = state.live();
        if live.stopped {
            return Err(io::Error::other("the stand-in has stopped"));
        }
        let child = command.spawn()?;
        live.groups.extend(child.id());
        Ok(child)
    }
}

/// Ends every process, at once.
pub(crate) fn kill_all(state: &State) {
    let mut live = state.live();
    live.stopped = true;
    live.groups.drain().for_each(signal::kill_group);
}

async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|raised| *raised).await.is_err() {
        // Nobody is left who could raise it.
        pending::<()>().await;
    }
}

async fn stop(state: &State, child: &mut Child) -> io::Result<ExitStatus> {
    let process = child.id();
    process.into_iter().for_each(signal::terminate);
    match timeout(state.options.grace, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            process.into_iter().for_each(signal::kill_group);
            child.start_kill()?;
            child.wait().await
        }
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Exit::Signal(signal);
    }
    Exit::Code(status.code().unwrap_or(-1))
}

/// Signals to a process or its group. One that has just gone needs none, so failures do not matter.
#[cfg(unix)]
mod signal {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};

    fn pid(id: u32) -> Option<Pid> {
        i32::try_from(id).ok().and_then(Pid::from_raw)
    }

    pub(super) fn terminate(process: u32) {
        // The child is not reaped yet, so the id is still its own.
        let _ = pid(process).map(|process| kill_process(process, Signal::TERM));
    }

    pub(super) fn kill_group(leader: u32) {
        let _ = pid(leader).map(|leader| kill_process_group(leader, Signal::KILL));
    }
}

/// Without signals only the child itself can be ended: [`stop`] and the runtime's end do that.
#[cfg(not(unix))]
mod signal {
    pub(super) fn terminate(_process: u32) {}

    pub(super) fn kill_group(_leader: u32) {}
}
