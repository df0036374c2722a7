//! One process measured: wall time, CPU time (the kernel's account of children that have ended) and peak memory (the kernel's own
//! high-water mark, read while it runs). A process that fails stops the benchmark with its output.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What `/proc` counts CPU time in; the same for every program on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mib: f64,
}

impl Measured {
    pub(crate) fn over(&self, floor: &Self) -> f64 {
        self.seconds / floor.seconds
    }
}

/// The fastest of several rounds, and the highest memory of them all.
pub(crate) fn best(rounds: usize, measure: impl FnMut() -> Measured) -> Measured {
    fastest(&std::iter::repeat_with(measure).take(rounds.max(1)).collect::<Vec<_>>())
}

/// The same of a floor and of what is held against it, in turns: what else the machine does meanwhile is the same for both.
pub(crate) fn best_in_turns(
    rounds: usize,
    mut floor: impl FnMut() -> Measured,
    mut measure: impl FnMut() -> Measured,
) -> (Measured, Measured) {
    let (floors, all): (Vec<_>, Vec<_>) = (0..rounds.max(1)).map(|_| (floor(), measure())).unzip();
    (fastest(&floors), fastest(&all))
}

fn fastest(all: &[Measured]) -> Measured {
    let fastest = all.iter().min_by(|left, right| left.seconds.total_cmp(&right.seconds)).expect("one round at least");
    Measured { peak_mib: all.iter().map(|measured| measured.peak_mib).fold(0.0, f64::max), ..*fastest }
}

pub(crate) fn run(command: &mut Command) -> Measured {
    let cpu_before = children_cpu_seconds();
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut stderr = child.stderr.take().expect("piped");
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut stderr, &mut text);
        text
    });
    let mut peak_kib = 0.0;
    let status = loop {
        let found = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mark = found.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak_kib = mark.unwrap_or(0.0_f64).max(peak_kib);
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = start.elapsed().as_secs_f64();
    let cpu_seconds = children_cpu_seconds() - cpu_before;
    let log = log.join().unwrap_or_default();
    assert!(status.success(), "{command:?} ended with {status}:\n{log}");
    Measured { seconds, cpu_seconds, peak_mib: peak_kib / 1024.0 }
}

/// User and system time of all children that have been waited for: `cutime` and `cstime` of proc(5).
fn children_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name stands in parentheses and may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: f64 = fields.skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}
