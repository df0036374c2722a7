//! A process asked to stop, as this one may be asked: by SIGTERM, where the system has signals.

use tokio::process::Child;

/// Asks a process to stop. One that has just gone needs no asking.
#[cfg(unix)]
pub fn terminate(child: &mut Child) {
    let process = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(process) = process {
        // The child is not reaped yet, so the id is still its own.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    }
}

/// Ends a process: there is no way to ask it.
#[cfg(not(unix))]
pub fn terminate(child: &mut Child) {
    let _ = child.start_kill();
}
