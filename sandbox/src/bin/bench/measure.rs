//! One process measured: wall time and peak memory (the kernel's own high-water mark, read while it runs).
//! A process that fails stops the benchmark with its output.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) peak_mib: f64,
}

impl Measured {
    pub(crate) fn over(&self, floor: &Self) -> f64 {
        self.seconds / floor.seconds
    }
}

pub(crate) fn run(command: &mut Command) -> Measured {
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
    let log = log.join().unwrap_or_default();
    assert!(status.success(), "{command:?} ended with {status}:\n{log}");
    Measured { seconds, peak_mib: peak_kib / 1024.0 }
}
