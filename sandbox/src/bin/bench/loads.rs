//! A first load, a load of which 5 % changed, and one of which nothing did: each beside DuckDB's own read, hash and MERGE of the same files
//! into a table in the same state, and beside that of the first load.

use crate::batches;
use crate::measure::{Measured, best_in_turns};
use crate::place::{FLOOR, Place, WAREHOUSE};
use crate::report;
use contract::run_id::RunId;

/// One record in so many differs in the batch with changes.
const CHANGED: usize = 20;

struct Pair {
    load: Measured,
    floor: Measured,
}

pub(crate) struct Loads {
    first: Pair,
    changed: Pair,
    unchanged: Pair,
    records: usize,
    bytes: u64,
}

/// Loads the run `first`, which must hold one unit, and two made of it.
pub(crate) fn measure(place: &Place, first: &RunId, rounds: usize) -> Loads {
    let changed = batches::changed(place, first, CHANGED);
    let again = batches::again(place, first);
    let files = batches::files(place, first);
    let (floor, load) = best_in_turns(
        rounds,
        || {
            place.without(FLOOR);
            place.duckdb(&files)
        },
        || {
            place.without(WAREHOUSE);
            place.load(first)
        },
    );
    place.keep(FLOOR);
    place.keep(WAREHOUSE);
    let next = |run: &RunId| {
        let files = batches::files(place, run);
        let (floor, load) = best_in_turns(
            rounds,
            || {
                place.restore(FLOOR);
                place.duckdb(&files)
            },
            || {
                place.restore(WAREHOUSE);
                place.load(run)
            },
        );
        Pair { load, floor }
    };
    let loads = Loads {
        changed: next(&changed),
        unchanged: next(&again),
        first: Pair { load, floor },
        records: batches::records(place, first),
        bytes: batches::bytes(place, first),
    };
    // What was measured must be what the tables say it is.
    let (all, some) = (loads.records as u64, loads.records.div_ceil(CHANGED) as u64);
    for (run, expected) in [(first, (all, 0, 0)), (&changed, (0, some, all - some)), (&again, (0, 0, all))] {
        assert_eq!(batches::loaded(place, run), expected, "rows inserted, updated and unchanged by run {run}");
    }
    loads
}

impl Loads {
    pub(crate) fn print(&self, title: &str) {
        let (records, bytes, floor) = (self.records, self.bytes, &self.first.floor);
        report::load_header(title);
        for (name, pair) in
            [("new table", &self.first), ("5 % changed", &self.changed), ("nothing changed", &self.unchanged)]
        {
            let of = format!("floor, {name}: DuckDB's read_json + hash + MERGE");
            report::load_line(&of, &pair.floor, &pair.floor, floor, records, bytes);
            report::load_line(&format!("load-job, {name}"), &pair.load, &pair.floor, floor, records, bytes);
        }
        println!(
            "\nload / own floor: new table {:.2} (aim 1.0), 5 % changed {:.2}, nothing changed {:.2}",
            self.first.load.over(&self.first.floor),
            self.changed.load.over(&self.changed.floor),
            self.unchanged.load.over(&self.unchanged.floor),
        );
        println!(
            "load / floor of the first load: 5 % changed {:.2}, nothing changed {:.2}\n",
            self.changed.load.over(floor),
            self.unchanged.load.over(floor),
        );
    }
}
