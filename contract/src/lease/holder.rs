//! Who holds a lease, or works under it, and whether that process still lives.
//! Only what is proven counts as gone: the same machine, boot and process namespace, and a system that says that there is no such process.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A process: enough to tell whether it still lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The program.
    pub program: String,
    /// The machine's name.
    pub host: String,
    /// Tells one boot of a machine (or container) from another.
    pub boot: String,
    /// Process id.
    pub pid: u32,
    /// When the process started, in the kernel's ticks: a process id may be used again.
    pub started: u64,
}

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It is there.
    Lives,
    /// It is proven that it is not.
    Gone,
    /// It cannot be seen from here: another machine or container, or a `/proc` that hides what is another user's.
    Unknown,
}

impl Holder {
    /// This process.
    pub fn this_process(program: &str) -> Self {
        let (machine, pid) = (Machine::here(), std::process::id());
        let started = if machine.boot().is_empty() { None } else { machine.stat(pid) };
        let started = started.map_or(0, |stat| stat.started);
        Self { program: program.to_owned(), host: machine.host(), boot: machine.boot(), pid, started }
    }

    /// Whether the process lives, as far as this one can tell.
    pub(super) fn life(&self) -> Life {
        self.life_on(&Machine::here())
    }

    /// Whether it is on the same machine as another process, where each can see whether the other lives.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        !self.boot.is_empty() && self.boot == other.boot && self.host == other.host
    }

    fn life_on(&self, machine: &Machine) -> Life {
        let boot = machine.boot();
        let is_here = !boot.is_empty() && self.boot == boot && self.host == machine.host();
        if !is_here || self.started == 0 {
            return Life::Unknown;
        }
        // A process that ends between two looks is there in the first and cannot be read in the second.
        for _ in 0..2 {
            if (machine.probe)(self.pid) == Probe::Absent {
                return Life::Gone;
            }
            if let Some(stat) = machine.stat(self.pid) {
                let is_another = stat.started != self.started;
                return if is_another || stat.has_ended { Life::Gone } else { Life::Lives };
            }
        }
        Life::Unknown
    }
}

/// What the system says to the question whether there is a process of this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Absent,
    MayBeThere,
}

/// Where processes are looked for.
struct Machine {
    proc: PathBuf,
    own_pid: u32,
    probe: fn(u32) -> Probe,
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    started: u64,
    has_ended: bool,
}

impl Machine {
    fn here() -> Self {
        Self { proc: PathBuf::from("/proc"), own_pid: std::process::id(), probe }
    }

    fn host(&self) -> String {
        let name = self.text("sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
        name.map_or_else(|| "unknown".into(), |name| name.trim().to_owned())
    }

    /// The boot and the process namespace: two containers of one host share a boot, but not their process ids. Empty where `/proc` is
    /// not there or is that of another namespace: nothing can be proven then.
    fn boot(&self) -> String {
        let link = |name: &str| std::fs::read_link(self.proc.join(name)).ok();
        let is_own = link("self").as_deref() == Some(Path::new(&self.own_pid.to_string()));
        let (boot, namespace) = (self.text("sys/kernel/random/boot_id"), link("self/ns/pid"));
        match (boot, namespace) {
            (Some(boot), Some(namespace)) if is_own && !boot.trim().is_empty() => {
                format!("{} {}", boot.trim(), namespace.display())
            }
            _ => String::new(),
        }
    }

    /// Fields of `/proc/<pid>/stat` (proc(5)); `None` if it cannot be read.
    fn stat(&self, pid: u32) -> Option<Stat> {
        let stat = self.text(&format!("{pid}/stat"))?;
        // The program's name may hold spaces and brackets.
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // Fields 3, 20 and 22. The first thread of a process can end before the others.
        let (state, threads) = (*fields.first()?, fields.get(17)?.parse::<u64>().ok()?);
        let has_ended = matches!(state, "Z" | "X" | "x") && threads <= 1;
        Some(Stat { started: fields.get(19)?.parse().ok()?, has_ended })
    }

    fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.proc.join(name)).ok()
    }
}

/// Asks by the empty signal: unlike `/proc`, its answer "no such process" is true whoever asks and however `/proc` is mounted.
#[cfg(unix)]
fn probe(pid: u32) -> Probe {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    match pid.map(rustix::process::test_kill_process) {
        Some(Err(rustix::io::Errno::SRCH)) => Probe::Absent,
        _ => Probe::MayBeThere,
    }
}

#[cfg(not(unix))]
fn probe(_: u32) -> Probe {
    Probe::MayBeThere
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    const OWN: u32 = 4242;

    type Ask = fn(u32) -> Probe;
    /// What it is about, what `/proc` shows of process 7, what the system says of it, who is looked for, and what is known then.
    type Case = (&'static str, Option<String>, Ask, Holder, Life);

    /// A `/proc` in which this process is 4242, and those of the list are to be seen as they are.
    fn machine(root: &Path, seen: &[(u32, &str)], probe: fn(u32) -> Probe) -> Machine {
        fs::create_dir_all(root.join("sys/kernel/random")).unwrap();
        fs::write(root.join("sys/kernel/hostname"), "box\n").unwrap();
        fs::write(root.join("sys/kernel/random/boot_id"), "b00t\n").unwrap();
        fs::create_dir_all(root.join(format!("{OWN}/ns"))).unwrap();
        std::os::unix::fs::symlink("pid:[1]", root.join(format!("{OWN}/ns/pid"))).unwrap();
        std::os::unix::fs::symlink(OWN.to_string(), root.join("self")).unwrap();
        for (pid, stat) in seen {
            fs::create_dir_all(root.join(pid.to_string())).unwrap();
            fs::write(root.join(format!("{pid}/stat")), stat).unwrap();
        }
        Machine { proc: root.to_owned(), own_pid: OWN, probe }
    }

    fn holder(pid: u32) -> Holder {
        Holder { program: "x".into(), host: "box".into(), boot: "b00t pid:[1]".into(), pid, started: 900 }
    }

    fn stat(state: &str, threads: u32, started: u64) -> String {
        format!("7 (a (b) c) {state} 1 7 7 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 {threads} 0 {started} 0 0")
    }

    #[test]
    fn only_what_is_proven_is_gone() {
        let (absent, there): (Ask, Ask) = (|_| Probe::Absent, |_| Probe::MayBeThere);
        let lives = stat("S", 4, 900);
        let table: [Case; 13] = [
            ("at work", Some(lives.clone()), there, holder(7), Life::Lives),
            ("no such process", None, absent, holder(7), Life::Gone),
            ("hidden by hidepid, or another user's", None, there, holder(7), Life::Unknown),
            ("the id is another's now", Some(stat("S", 1, 901)), there, holder(7), Life::Gone),
            ("a zombie", Some(stat("Z", 1, 900)), there, holder(7), Life::Gone),
            ("its first thread alone has ended", Some(stat("Z", 3, 900)), there, holder(7), Life::Lives),
            ("stopped", Some(stat("T", 1, 900)), there, holder(7), Life::Lives),
            ("no stat of ours", Some("7 (a) S".into()), there, holder(7), Life::Unknown),
            ("another machine", None, absent, Holder { host: "far".into(), ..holder(7) }, Life::Unknown),
            ("another boot", None, absent, Holder { boot: "b11t pid:[1]".into(), ..holder(7) }, Life::Unknown),
            ("another container", None, absent, Holder { boot: "b00t pid:[2]".into(), ..holder(7) }, Life::Unknown),
            ("where nothing can be told", None, absent, Holder { boot: String::new(), ..holder(7) }, Life::Unknown),
            ("its start is not known", None, absent, Holder { started: 0, ..holder(7) }, Life::Unknown),
        ];
        for (what, seen, probe, holder, life) in table {
            let root = tempfile::tempdir().unwrap();
            let seen: Vec<(u32, &str)> = seen.iter().map(|stat| (7, stat.as_str())).collect();
            assert_eq!(holder.life_on(&machine(root.path(), &seen, probe)), life, "{what}");
        }
    }

    #[test]
    fn a_proc_of_another_namespace_proves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine { own_pid: 1, ..machine(root.path(), &[], |_| Probe::Absent) };
        assert_eq!(machine.boot(), "");
        assert_eq!(holder(7).life_on(&machine), Life::Unknown);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_lives_and_a_child_that_was_waited_for_does_not() {
        let this = Holder::this_process("test");
        assert_eq!(this.life(), Life::Lives);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let started = Machine::here().stat(child.id()).unwrap().started;
        let child_holder = Holder { pid: child.id(), started, ..this };
        assert_eq!(child_holder.life(), Life::Lives);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(child_holder.life(), Life::Gone);
    }
}
