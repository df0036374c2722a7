//! The programs under test: built once for each test process, started, watched and killed.
//! A program that a test leaves behind is killed when its handle is dropped.

pub(crate) use sandbox::process::Ended;

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the programs, all of them built from the sources as they are now.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // This test lies in `<profile>/deps`, the programs one folder above.
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().and_then(Path::parent).unwrap().to_owned();
        // Cargo builds the binaries of the tested package alone, and this one has none. Naming this test as well selects the features with which `cargo test`
        // of the whole workspace builds, so that after it nothing is left to do here.
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        build.args(["build", "--quiet", "--workspace", "--bins", "--test", "end_to_end"]);
        match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => {}
            profile => drop(build.args(["--profile", profile])),
        }
        let built = build.env("CARGO_TARGET_DIR", folder.parent().unwrap()).output().unwrap();
        assert!(built.status.success(), "the programs do not build: {}", String::from_utf8_lossy(&built.stderr));
        folder
    })
}

/// A program with a clean environment: no setting of the caller's reaches it.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(folder().join(name));
    clean(&mut command);
    command
}

/// Takes the caller's settings out of a command's environment, and catches what the command says.
pub(crate) fn clean(command: &mut Command) {
    sandbox::process::clean(command, &[]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// A program that runs, with its output in files so that it can never block on a full pipe.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    orphans: Vec<u32>,
}

impl Running {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let err = fs::File::create(&log).unwrap();
        let child = command.stdout(err.try_clone().unwrap()).stderr(err).spawn().unwrap();
        Self { child, log, orphans: Vec::new() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// SIGKILL for this process alone; its children live on until the handle is dropped.
    pub(crate) fn kill(&mut self) {
        self.orphans = children(self.child.id()).into_iter().map(|(id, _)| id).collect();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The process id of the child program of this name, once there is one.
    pub(crate) fn child(&self, name: &str) -> u32 {
        let find = || children(self.child.id()).into_iter().find(|(_, program)| program == name);
        wait_until(name, || find().is_some());
        find().unwrap().0
    }

    pub(crate) fn orphans(&self) -> &[u32] {
        &self.orphans
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
        for id in std::mem::take(&mut self.orphans) {
            kill(id);
            let gone = Instant::now() + PATIENCE;
            while lives(id) && Instant::now() < gone {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// SIGKILL; a process that has just gone needs none.
pub(crate) fn kill(id: u32) {
    let _ = kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), Signal::KILL);
}

/// Whether there is such a process that has not ended.
pub(crate) fn lives(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Children of this process, by their program's name.
pub(crate) fn children_named(name: &str) -> Vec<u32> {
    children(std::process::id()).into_iter().filter(|(_, program)| program == name).map(|(id, _)| id).collect()
}

/// Process ids and names of a process's children.
fn children(parent: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((before, rest)) = stat.rsplit_once(')') else { continue };
        let name = before.split_once('(').map_or("", |(_, name)| name);
        if rest.split_whitespace().nth(1).and_then(|text| text.parse().ok()) == Some(parent) {
            found.push((id, name.to_owned()));
        }
    }
    found
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
