//! What a reading has proven: gathered page by page by the extract, folded over slices, partitions and parents, carried in `batch.json`
//! and judged by the load. It is the one answer to two questions: may absent rows be taken for gone, and may the state move on.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A list with more entries than this is remembered by a digest of all of them.
const MOST_PARTS: usize = 10_000;

/// Why a reading is not known to hold every row of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Pages shifted while they were read, so that a row may have been passed over.
    Shifted,
    /// The total changed while pages were read, though nothing shows that a row was passed over.
    TotalChanged,
    /// An error that may pass was ignored, or one that cut a list short: what it hides is not known.
    Hidden,
    /// A refusal that stays was ignored: there is a part that cannot be read.
    Refused,
    /// An answer had no place for records and was taken for an empty list.
    NoPlace,
    /// The API told a total that is no whole number.
    UnusableTotal,
    /// The reading ended at a moment, and rows may have changed since then.
    EndsEarly,
    /// A limit cut the reading off.
    Limited,
    /// A filter left records out: they exist, though the reading does not have them.
    Filtered,
    /// A parent's record without its key made no partition.
    NoPartition,
}

impl Doubt {
    /// Whether the state must not move over it: rows may have been missed that no later run would ask for.
    pub fn holds_state(self) -> bool {
        matches!(self, Self::Shifted | Self::Hidden | Self::Limited)
    }

    /// Whether reading once more may help.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Shifted | Self::TotalChanged)
    }
}

/// What a reading has proven. The default is a reading of nothing, which is whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What speaks against the reading being whole, each with its first instance in words. Empty: every row of the range was received.
    #[serde(default)]
    pub doubts: BTreeMap<Doubt, String>,
    /// What was asked for.
    #[serde(default)]
    pub scope: ReadingScope,
    /// How many slices it has.
    #[serde(default)]
    pub slices: u64,
    /// The total that the API told, over all slices; none where a slice was told none.
    #[serde(default)]
    pub total: Option<u64>,
    /// Records that the API gave, before any filter.
    #[serde(default)]
    pub received: u64,
    /// The stream is read in several partitions: two of them may list the same row.
    #[serde(default)]
    pub is_partitioned: bool,
}

/// Where a reading begins and which parts it has: what lies outside is not in it, though it exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingScope {
    /// The moment from which each stream (the one that is read and its parents, by name) was read. A stream that is not here has no start.
    #[serde(default)]
    pub starts: BTreeMap<String, DateTime<Utc>>,
    /// The values of each list of partitions, by the stream that it belongs to.
    #[serde(default)]
    pub lists: BTreeMap<String, BTreeSet<String>>,
}

impl Evidence {
    /// Whether every row of the range was received.
    pub fn is_whole(&self) -> bool {
        self.doubts.is_empty()
    }

    /// Whether the state may move to the end of what was read.
    pub fn moves_state(&self) -> bool {
        !self.doubts.keys().any(|doubt| doubt.holds_state())
    }

    /// Whether a limit cut it off.
    pub fn is_limited(&self) -> bool {
        self.doubts.contains_key(&Doubt::Limited)
    }

    /// Notes a doubt; the first instance of each kind is kept.
    pub fn doubt(&mut self, doubt: Doubt, instance: impl FnOnce() -> String) {
        self.doubts.entry(doubt).or_insert_with(instance);
    }

    /// Takes over what another part of the same reading has shown.
    pub fn add(&mut self, other: &Self) {
        self.add_doubts(other);
        self.scope.add(&other.scope);
        self.total = match (self.slices, other.slices) {
            (_, 0) => self.total,
            (0, _) => other.total,
            _ => self.total.zip(other.total).map(|(left, right)| left.saturating_add(right)),
        };
        self.slices = self.slices.saturating_add(other.slices);
        self.received = self.received.saturating_add(other.received);
        self.is_partitioned |= other.is_partitioned;
    }

    /// Takes over the doubts and the scope of a parent, whose records are not counted.
    pub fn add_parent(&mut self, parent: &str, other: &Self) {
        for (doubt, instance) in &other.doubts {
            self.doubt(*doubt, || format!("in the parent stream `{parent}`: {instance}"));
        }
        self.scope.add(&other.scope);
    }

    fn add_doubts(&mut self, other: &Self) {
        for (doubt, instance) in &other.doubts {
            self.doubt(*doubt, || instance.clone());
        }
    }

    /// The doubts in words, those alone that `matters` picks.
    pub fn reasons(&self, matters: impl Fn(Doubt) -> bool) -> Option<String> {
        let texts: Vec<&str> =
            self.doubts.iter().filter(|(doubt, _)| matters(**doubt)).map(|(_, text)| &**text).collect();
        if texts.is_empty() { None } else { Some(texts.join("; ")) }
    }
}

impl ReadingScope {
    /// Notes that a stream is read from a moment on; of several the latest counts.
    pub fn starts_at(&mut self, stream: &str, start: DateTime<Utc>) {
        let known = self.starts.entry(stream.to_owned()).or_insert(start);
        *known = (*known).max(start);
    }

    /// Notes the values of a list of partitions.
    pub fn lists(&mut self, stream: &str, values: impl IntoIterator<Item = String>) {
        self.lists.entry(stream.to_owned()).or_default().extend(values);
    }

    fn add(&mut self, other: &Self) {
        for (stream, start) in &other.starts {
            self.starts_at(stream, *start);
        }
        for (stream, values) in &other.lists {
            self.lists(stream, values.iter().cloned());
        }
    }

    /// The scope with long lists shortened to their digest, as it is stored.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        for values in self.lists.values_mut().filter(|values| values.len() > MOST_PARTS) {
            let text = values.iter().fold(String::new(), |text, value| text + value + "\n");
            *values =
                BTreeSet::from([format!("{} values, crc32c {:08x}", values.len(), crc32c::crc32c(text.as_bytes()))]);
        }
        self
    }

    /// What this reading cannot show of rows that came by readings of the scope `before`; none if it reaches as far.
    pub fn falls_short_of(&self, before: &Self) -> Option<String> {
        for (stream, start) in &self.starts {
            match before.starts.get(stream) {
                Some(earlier) if earlier >= start => {}
                Some(earlier) => {
                    return Some(format!(
                        "`{stream}` was read from {} on, and the table has rows from {} on: a list that begins at a date does not show that older rows are gone",
                        shown(*start),
                        shown(*earlier)
                    ));
                }
                None => {
                    return Some(format!(
                        "`{stream}` was read from {} on, and the table may have rows from before",
                        shown(*start)
                    ));
                }
            }
        }
        for (stream, values) in &before.lists {
            let Some(now) = self.lists.get(stream) else { continue };
            if let Some(missing) = values.iter().find(|value| !now.contains(*value)) {
                return Some(format!(
                    "the partition {missing} of `{stream}`, which the table has rows of, was not read"
                ));
            }
        }
        None
    }

    /// The scope of a table that has the rows of readings of both scopes.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let earliest = |(stream, start): (&String, &DateTime<Utc>)| {
            let other = other.starts.get(stream)?;
            Some((stream.clone(), *start.min(other)))
        };
        let mut joined = Self { starts: self.starts.iter().filter_map(earliest).collect(), lists: self.lists.clone() };
        for (stream, values) in &other.lists {
            joined.lists(stream, values.iter().cloned());
        }
        joined
    }
}

fn shown(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn day(day: u32) -> DateTime<Utc> {
        format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn scope(starts: &[(&str, u32)], lists: &[(&str, &str)]) -> ReadingScope {
        let mut scope = ReadingScope::default();
        starts.iter().for_each(|(stream, start)| scope.starts_at(stream, day(*start)));
        lists.iter().for_each(|(stream, value)| scope.lists(stream, [(*value).to_owned()]));
        scope
    }

    #[test]
    fn a_reading_shows_nothing_of_rows_outside_of_its_scope() {
        // What the table has rows of, what was read, and whether that reaches as far.
        let cases = [
            (scope(&[], &[]), scope(&[], &[]), true),
            (scope(&[("s", 5)], &[]), scope(&[("s", 5)], &[]), true),
            (scope(&[("s", 5)], &[]), scope(&[("s", 4)], &[]), true),
            (scope(&[("s", 5)], &[]), scope(&[], &[]), true),
            (scope(&[("s", 5)], &[]), scope(&[("s", 6)], &[]), false),
            (scope(&[], &[]), scope(&[("s", 1)], &[]), false),
            (scope(&[("s", 5), ("parent", 9)], &[]), scope(&[("s", 6), ("parent", 9)], &[]), false),
            (scope(&[], &[("s", "a"), ("s", "b")]), scope(&[], &[("s", "a"), ("s", "b"), ("s", "c")]), true),
            (scope(&[], &[("s", "a"), ("s", "b")]), scope(&[], &[("s", "a")]), false),
            (scope(&[], &[("s", "a")]), scope(&[], &[]), true),
        ];
        for (before, now, reaches) in cases {
            assert_eq!(now.falls_short_of(&before).is_none(), reaches, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_table_has_what_the_widest_reading_gave() {
        let joined = scope(&[("s", 5), ("p", 2)], &[("s", "a")]).joined(&scope(&[("s", 3)], &[("s", "b")]));
        assert_eq!(
            joined,
            scope(&[("s", 3)], &[("s", "a"), ("s", "b")]),
            "of a stream without a start everything is there"
        );
    }

    #[test]
    fn parts_of_one_reading_add_up() {
        let mut all = Evidence::default();
        let mut part = Evidence { received: 3, scope: scope(&[("s", 5)], &[]), ..Evidence::default() };
        all.add(&part);
        assert!(all.is_whole() && all.moves_state());
        part.doubt(Doubt::Refused, || "403".into());
        part.doubt(Doubt::Refused, || "another".into());
        all.add(&part);
        assert_eq!((all.received, all.is_whole(), all.moves_state()), (6, false, true));
        part.doubt(Doubt::Shifted, || "shifted".into());
        all.add_parent("people", &part);
        assert!(!all.moves_state());
        let words = all.reasons(|_| true).unwrap();
        assert_eq!(words, "in the parent stream `people`: shifted; 403");
        assert_eq!(all.reasons(|doubt| doubt == Doubt::Limited), None);
    }

    #[test]
    fn long_lists_are_stored_as_a_digest() {
        let mut long = ReadingScope::default();
        long.lists("s", (0..=MOST_PARTS).map(|n| n.to_string()));
        let (stored, again) = (long.clone().shortened(), long.clone().shortened());
        assert_eq!(stored.lists["s"].len(), 1);
        assert_eq!(again.falls_short_of(&stored), None);
        long.lists("s", ["new".to_owned()]);
        assert!(long.shortened().falls_short_of(&stored).is_some());
    }
}
