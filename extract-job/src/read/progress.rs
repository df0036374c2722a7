//! How far the slices of a stream have come, and the state that follows: the highest value of the finished slices of each partition,
//! without a gap from its first window on. With all slices finished that is all of them.

use super::partition_states::PartitionStates;
use super::slice::{SliceNumber, SliceOutcome};
use crate::components::datetime_based_cursor::DatetimeBasedCursor;
use chrono::{DateTime, FixedOffset};
use contract::evidence::Evidence;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is known of one partition.
#[derive(Debug)]
struct Partition {
    keys: Map<String, Value>,
    /// The state if no record comes.
    floor: DateTime<FixedOffset>,
    /// The end of its last window. The state never passes it: a record that changed while the pages were read may have been on a page that
    /// had been read before, and the next run must not start after that change.
    ceiling: Option<DateTime<FixedOffset>>,
    /// What the finished windows have given, by their number.
    done: BTreeMap<usize, Option<DateTime<FixedOffset>>>,
}

#[derive(Debug, Default)]
struct Known {
    partitions: BTreeMap<usize, Partition>,
    records: u64,
    last_token: Option<Value>,
    evidence: Evidence,
}

/// Gathers what the slices of one stream give.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    known: Mutex<Known>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) last_token: Option<Value>,
    pub(crate) evidence: Evidence,
}

impl Progress {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A partition is going to be read from `floor` on.
    pub(crate) fn begin(
        &self,
        number: usize,
        keys: Map<String, Value>,
        floor: DateTime<FixedOffset>,
        ceiling: Option<DateTime<FixedOffset>>,
    ) {
        let partition = Partition { keys, floor, ceiling, done: BTreeMap::new() };
        self.known().partitions.insert(number, partition);
    }

    /// A slice has been read.
    pub(crate) fn done(&self, number: SliceNumber, outcome: &SliceOutcome) {
        let mut known = self.known();
        known.records += outcome.records;
        known.evidence.add(&outcome.evidence);
        if outcome.last_token.is_some() {
            known.last_token.clone_from(&outcome.last_token);
        }
        if !outcome.evidence.is_limited()
            && let Some(partition) = known.partitions.get_mut(&number.partition)
        {
            partition.done.insert(number.window, outcome.highest);
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        let known = self.known();
        let Known { records, last_token, evidence, .. } = &*known;
        Totals { records: *records, last_token: last_token.clone(), evidence: evidence.clone() }
    }

    /// Notes what is known of the reading beside its slices.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Evidence)) {
        note(&mut self.known().evidence);
    }

    /// Whether a record of any slice had a cursor value that could be read.
    pub(crate) fn has_seen_cursor(&self) -> bool {
        let known = self.known();
        known.partitions.values().any(|partition| partition.done.values().any(Option::is_some))
    }

    /// The state of a stream that is not partitioned.
    pub(crate) fn flat_state(&self, cursor: &DatetimeBasedCursor, field: &str) -> Option<Value> {
        let known = self.known();
        known.partitions.values().next().map(|partition| cursor.state(field, partition.reached()))
    }

    /// The state of a partitioned stream, and the highest value of all partitions where all slices have been read.
    pub(crate) fn partition_states(
        &self,
        mut states: PartitionStates,
        cursor: &DatetimeBasedCursor,
        field: &str,
        before: Option<DateTime<FixedOffset>>,
    ) -> (PartitionStates, Option<Value>) {
        let known = self.known();
        let mut highest = before;
        for partition in known.partitions.values() {
            let reached = partition.reached();
            highest = highest.max(Some(reached));
            states.put(partition.keys.clone(), cursor.state(field, reached));
        }
        (states, highest.map(|highest| cursor.state(field, highest)))
    }
}

impl Partition {
    fn reached(&self) -> DateTime<FixedOffset> {
        let without_gap = self.done.iter().enumerate().take_while(|(place, (number, _))| place == *number);
        let highest = without_gap.filter_map(|(_, (_, highest))| *highest).max();
        let highest = highest.map(|highest| self.ceiling.map_or(highest, |ceiling| highest.min(ceiling)));
        highest.map_or(self.floor, |highest| highest.max(self.floor))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn at(day: u32) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(&format!("2026-01-{day:02}T00:00:00Z")).unwrap()
    }

    fn outcome(highest: Option<u32>) -> SliceOutcome {
        SliceOutcome { records: 1, highest: highest.map(at), last_token: None, evidence: Evidence::default() }
    }

    #[test]
    fn the_state_moves_over_the_part_without_gaps_alone() {
        let progress = Progress::default();
        progress.begin(0, Map::new(), at(1), Some(at(20)));
        let reached = || progress.known().partitions[&0].reached();
        assert_eq!(reached(), at(1));
        progress.done(SliceNumber { partition: 0, window: 2 }, &outcome(Some(9)));
        assert_eq!(reached(), at(1), "windows 0 and 1 are missing");
        progress.done(SliceNumber { partition: 0, window: 0 }, &outcome(Some(3)));
        assert_eq!(reached(), at(3));
        progress.done(SliceNumber { partition: 0, window: 1 }, &outcome(None));
        assert_eq!(reached(), at(9));
        progress.done(SliceNumber { partition: 0, window: 3 }, &outcome(Some(31)));
        assert_eq!(reached(), at(20), "never beyond the end of what was asked for");
        assert_eq!(progress.totals().records, 4);
    }
}
