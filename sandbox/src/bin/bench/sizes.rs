//! Loads of records of other sizes than the stand-in's: the same bytes as many small records or as few large ones, and very many tiny ones.

use crate::batches;
use crate::loads;
use crate::place::Place;
use crate::records::{self, Shape};
use crate::report;

const SIZES: [(&str, Shape); 3] = [
    ("0.3 kB", Shape { is_full: true, items: 0, words: 5 }),
    ("5 kB", Shape { is_full: true, items: 15, words: 380 }),
    ("100 kB", Shape { is_full: true, items: 400, words: 6_000 }),
];
const TINY: Shape = Shape { is_full: false, items: 0, words: 6 };

/// So many bytes of records of each size.
pub(crate) fn sizes(bytes: usize, rounds: usize) {
    for (name, shape) in SIZES {
        let mut sample = Vec::new();
        (0..100).for_each(|number| records::write(shape, number, &mut sample));
        let records = (bytes * 100 / sample.len()).max(1);
        let place = Place::new(batches::SOURCE);
        let first = batches::written(&place, records, |number, out| records::write(shape, number, out));
        loads::measure(&place, &first, rounds).print(&format!("loads of {records} records of {name}"));
    }
}

/// So many tiny records, loaded once.
pub(crate) fn small(records: usize) {
    let place = Place::new(batches::SOURCE);
    let run = batches::written(&place, records, |number, out| records::write(TINY, number, out));
    let bytes = batches::bytes(&place, &run);
    let load = place.load(&run);
    report::header(&format!("{records} records of {} bytes, once", bytes / records as u64));
    report::line("load-job, new table", &load, records, bytes);
    println!("\nseconds a million: {:.2}\n", load.seconds / (records as f64 / 1e6));
}
