//! The demo's tables, a row for each stream over all accounts, and the check that it showed what it promises.
//! Without updates, inserts and a soft delete in the second run there was nothing to see.

use crate::summary::RunSummary;
use crate::summary::rows::Row;
use crate::summary::text::{seconds, table};
use contract::exit::Exit;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
struct Sum {
    extracted: u64,
    inserted: u64,
    updated: u64,
    deleted: u64,
    unchanged: u64,
    duration_ms: u64,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        self.extracted += row.extracted;
        self.inserted += row.inserted;
        self.updated += row.updated;
        self.deleted += row.deleted;
        self.unchanged += row.unchanged;
        self.duration_ms += row.duration_ms;
    }

    fn cells(&self, name: &str) -> Vec<String> {
        let counts = [self.extracted, self.inserted, self.updated, self.deleted, self.unchanged];
        let counts = counts.iter().map(u64::to_string);
        [name.to_owned()].into_iter().chain(counts).chain([seconds(self.duration_ms)]).collect()
    }
}

/// A table with a row for each stream and their sum.
pub(super) fn per_stream(rows: &[Row]) -> String {
    let mut streams: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut all = Sum::default();
    for row in rows {
        streams.entry(&row.unit.stream).or_default().add(row);
        all.add(row);
    }
    let mut cells: Vec<Vec<String>> = streams.iter().map(|(name, sum)| sum.cells(name)).collect();
    cells.push(all.cells("all streams"));
    let titles = ["stream", "extracted", "inserted", "updated", "deleted", "unchanged", "seconds"];
    table(&titles, 1..7, cells)
}

/// What the demo promises and the runs did not show. A run that failed speaks for itself.
pub(super) fn broken_promises(runs: &[RunSummary]) -> Vec<String> {
    let [_, second] = runs else { return Vec::new() };
    if runs.iter().any(|run| run.exit() != Exit::Done) {
        return Vec::new();
    }
    let mut sum = Sum::default();
    second.rows.iter().for_each(|row| sum.add(row));
    let seen = [("insert", sum.inserted), ("update", sum.updated), ("soft delete", sum.deleted)];
    seen.iter().filter(|(_, count)| *count == 0).map(|(what, _)| format!("the second run shows no {what}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::summary::rows::join;
    use chrono::Utc;
    use contract::report::UnitReport;
    use contract::unit::Unit;

    #[test]
    fn accounts_are_added_up() {
        let report = |account: &str, stream: &str, rows: u64| {
            let unit = Unit::new("servicetitan", account, stream).unwrap();
            UnitReport {
                rows_extracted: rows,
                rows_inserted: rows,
                duration_ms: 1100,
                ..UnitReport::start(&unit, stream, Utc::now())
            }
        };
        let load = [report("a", "jobs", 20), report("b", "jobs", 5), report("a", "campaigns", 60)];
        let expected = "\
stream       extracted  inserted  updated  deleted  unchanged  seconds
campaigns           60        60        0        0          0      1.1
jobs                25        25        0        0          0      2.2
all streams         85        85        0        0          0      3.3
";
        assert_eq!(per_stream(&join(&[], &[], &load, None)), expected);
    }
}
