//! The tables that are printed.
//! Rates count the records' bytes before compression.

use crate::measure::Measured;

pub(crate) fn header(title: &str) {
    println!("{title:<58} {:>8} {:>8} {:>10} {:>8} {:>10}", "seconds", "CPU", "records/s", "MB/s", "peak MiB");
}

pub(crate) fn line(name: &str, measured: &Measured, records: usize, bytes: u64) {
    println!("{}", text(name, measured, records, bytes));
}

/// A table of loads: each is held against the floor of the same files, and against that of the first load.
pub(crate) fn load_header(title: &str) {
    let columns = format!("{:>8} {:>8} {:>10} {:>8} {:>10}", "seconds", "CPU", "records/s", "MB/s", "peak MiB");
    println!("{title:<58} {columns} {:>11} {:>13}", "/ own floor", "/ first floor");
}

pub(crate) fn load_line(name: &str, load: &Measured, own: &Measured, first: &Measured, records: usize, bytes: u64) {
    println!("{} {:>11.2} {:>13.2}", text(name, load, records, bytes), load.over(own), load.over(first));
}

fn text(name: &str, measured: &Measured, records: usize, bytes: u64) -> String {
    format!(
        "{name:<58} {:>8.2} {:>8.2} {:>10.0} {:>8.0} {:>10.0}",
        measured.seconds,
        measured.cpu_seconds,
        records as f64 / measured.seconds,
        bytes as f64 / 1e6 / measured.seconds,
        measured.peak_mib
    )
}
