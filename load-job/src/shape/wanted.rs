//! Which records of a table's batches are to become rows, by their numbers over all batches.

use std::ops::Range;

/// The records that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Those whose bit is set: record `n` has bit `n % 64` of word `n / 64`.
    Some(Vec<u64>),
}

impl Wanted {
    /// Whether a record is wanted.
    pub fn has(&self, seq: u64) -> bool {
        match self {
            Self::All => true,
            Self::Some(words) => {
                let word = usize::try_from(seq / 64).ok().and_then(|at| words.get(at)).copied().unwrap_or(0);
                word >> (seq % 64) & 1 == 1
            }
        }
    }

    /// Whether a range is wanted: all are, or one of its records is.
    pub fn has_any(&self, range: Range<u64>) -> bool {
        match self {
            Self::All => true,
            Self::Some(words) => {
                let within = words.len() as u64 * 64;
                range.start < within && (range.start..range.end.min(within)).any(|seq| self.has(seq))
            }
        }
    }

    /// None of so many records.
    pub(crate) fn none_of(records: u64) -> Self {
        Self::Some(vec![0; usize::try_from(records.div_ceil(64)).unwrap_or(0)])
    }

    /// Adds a record; false if there is no such record.
    pub(crate) fn add(&mut self, seq: u64) -> bool {
        let Self::Some(words) = self else { return true };
        let word = usize::try_from(seq / 64).ok().and_then(|at| words.get_mut(at));
        word.map(|word| *word |= 1 << (seq % 64)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_wanted_once_it_was_added() {
        let mut wanted = Wanted::none_of(701);
        assert!(!wanted.has_any(0..1_000));
        for seq in [0, 63, 64, 700] {
            assert!(wanted.add(seq));
        }
        assert!(!wanted.add(1_000));
        let found: Vec<u64> = (0..1_000).filter(|seq| wanted.has(*seq)).collect();
        assert_eq!(found, [0, 63, 64, 700]);
        let ranges =
            [(0..1, true), (1..63, false), (1..64, true), (65..700, false), (65..701, true), (701..9_999, false)];
        for (range, any) in ranges {
            assert_eq!(wanted.has_any(range.clone()), any, "{range:?}");
        }
        assert!(Wanted::All.has(7) && Wanted::All.has_any(8..8));
    }
}
