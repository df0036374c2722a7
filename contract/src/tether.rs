//! What ties a job to the orchestrator that has started it on the same machine: the job's standard input is a pipe whose other end the
//! orchestrator alone holds. However the orchestrator dies, the system closes that end, and the job ends within a second.
//! Only a job that is told so by the environment is tied: one that is started by hand, by cron or by Cloud Run is not.

use crate::shutdown::Shutdown;
use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The variable by which an orchestrator tells a job that it is tied.
pub const VARIABLE: &str = "DRAYAGE_TETHER";
/// The variable's value: the end of standard input is the end of the orchestrator.
pub const BY_STDIN: &str = "stdin";
/// Why a job stops whose orchestrator has ended.
pub const ORCHESTRATOR_GONE: &str = "the end of its orchestrator";
/// How long a job has to abandon its units and to write its report. With what the system needs it stays below a second.
const TIME_TO_END: Duration = Duration::from_millis(700);

static IS_TIED: AtomicBool = AtomicBool::new(false);
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// Watches over the orchestrator, if this process is tied to one. Once that has ended, `shutdown` is raised; if the process is still there
/// a moment later, it is killed: it may wait for a statement or for a disk, and another run is about to begin.
///
/// # Errors
/// The system starts no thread.
pub fn hold(shutdown: &Shutdown) -> std::io::Result<()> {
    let is_told = std::env::var_os(VARIABLE).is_some_and(|value| value == BY_STDIN);
    if !is_told || IS_TIED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let shutdown = shutdown.clone();
    let watch = move || {
        wait_for_the_end(std::io::stdin().lock());
        HAS_ENDED.store(true, Ordering::SeqCst);
        tracing::error!(
            "the orchestrator that started this job has ended, so the job ends too; what it has not finished is abandoned, \
             and the next run goes on from there"
        );
        shutdown.request(ORCHESTRATOR_GONE);
        std::thread::sleep(TIME_TO_END);
        end_now();
    };
    std::thread::Builder::new().name("tether".into()).spawn(watch).map(drop)
}

/// Whether this process ends with its orchestrator.
pub fn is_tied() -> bool {
    IS_TIED.load(Ordering::SeqCst)
}

/// Whether this process is tied to an orchestrator that has ended. It is told at once, also before the watch has noticed it.
pub fn is_cut() -> bool {
    is_tied() && (HAS_ENDED.load(Ordering::SeqCst) || is_hung_up())
}

/// Nothing is ever sent: only the end counts.
fn wait_for_the_end(mut pipe: impl Read) {
    let mut ignored = [0; 64];
    loop {
        match pipe.read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(unix)]
fn is_hung_up() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = std::io::stdin();
    let mut pipes = [PollFd::new(&stdin, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut pipes, Some(&at_once)).is_ok()
        && pipes[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

#[cfg(not(unix))]
fn is_hung_up() -> bool {
    false
}

/// As SIGKILL would: an ordered exit runs what other threads may still be using.
fn end_now() -> ! {
    #[cfg(unix)]
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    std::process::abort();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_the_pipe_ends_the_wait() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let waiting = std::thread::spawn(move || wait_for_the_end(reader));
        std::io::Write::write_all(&mut writer, b"a word that nobody should send").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(writer);
        waiting.join().unwrap();
    }

    #[test]
    fn a_process_that_nobody_has_tied_is_never_cut() {
        assert!(!is_cut());
    }
}
