//! The scenes that begin with an extract of the stand-in's jobs: beside a plain download of the same pages, over a slow network, and of many.

use crate::batches;
use crate::loads;
use crate::measure::{best, best_in_turns};
use crate::place::Place;
use crate::report;
use crate::stand_in::{JOBS, StandIn};
use std::time::Duration;

pub(crate) fn main_scene(records: usize, rounds: usize) {
    let stand_in = StandIn::new(1, &[JOBS], records, 5_000, Duration::ZERO);
    let place = Place::new(&stand_in.source());
    let (download, extract) = best_in_turns(rounds, || stand_in.download(&place, records), || place.extract());
    let first = place.latest();
    let bytes = batches::bytes(&place, &first);
    report::header(&format!("{records} jobs, {} bytes each, page size 5000", bytes / records.max(1) as u64));
    report::line("floor: download + gzip level 1", &download, records, bytes);
    report::line("extract-job", &extract, records, bytes);
    println!("\nextract / floor: {:.2} (aim 1.5)\n", extract.over(&download));
    drop(stand_in);
    loads::measure(&place, &first, rounds).print(&format!("loads of {records} jobs"));
}

pub(crate) fn latency(rounds: usize) {
    let (records, page_size, latency) = (20_000, 500, 0.2);
    let stand_in = StandIn::new(1, &[JOBS], records, page_size, Duration::from_secs_f64(latency));
    let place = Place::new(&stand_in.source());
    let extract = best(rounds, || place.extract());
    let ideal = records as f64 / page_size as f64 / 8.0 * latency;
    report::header(&format!("{records} jobs, page size {page_size}, 200 ms latency"));
    report::line("extract-job", &extract, records, batches::bytes(&place, &place.latest()));
    println!("\nextract / (pages / 8 x latency): {:.2} (aim 1.3)\n", extract.seconds / ideal);
}

pub(crate) fn large(records: usize) {
    let stand_in = StandIn::new(1, &[JOBS], records, 5_000, Duration::ZERO);
    let place = Place::new(&stand_in.source());
    let extract = place.extract();
    drop(stand_in);
    let first = place.latest();
    let again = batches::again(&place, &first);
    let bytes = batches::bytes(&place, &first);
    let load = place.load(&first);
    let reload = place.load(&again);
    report::header(&format!("{records} jobs, once"));
    report::line("extract-job", &extract, records, bytes);
    report::line("load-job, new table", &load, records, bytes);
    report::line("load-job, nothing changed", &reload, records, bytes);
    let million = records as f64 / 1e6;
    println!(
        "\nseconds a million: extract {:.2}, new table {:.2}, nothing changed {:.2}\n",
        extract.seconds / million,
        load.seconds / million,
        reload.seconds / million
    );
}
