//! The table that is printed.
//! Rates count the records' bytes before compression.

use crate::measure::Measured;

pub(crate) fn header() {
    println!("{:<58} {:>8} {:>12} {:>8} {:>10}", "", "seconds", "records/s", "MB/s", "peak MiB");
}

pub(crate) fn line(name: &str, measured: &Measured, records: usize, bytes: u64) {
    println!(
        "{name:<58} {:>8.2} {:>12.0} {:>8.0} {:>10.0}",
        measured.seconds,
        records as f64 / measured.seconds,
        bytes as f64 / 1e6 / measured.seconds,
        measured.peak_mib
    );
}
