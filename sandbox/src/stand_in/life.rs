//! The life of the records of a small list: which a generation adds, changes and removes, by arithmetic alone.
//! Every generation after the first changes a tenth of the records, removes a fiftieth and adds as many (at least one of each).

use crate::servicetitan::dice::mix;

const CHANGE_BLOCK: u32 = 10;
const REMOVE_BLOCK: u32 = 50;
/// From shorter lists nothing is removed.
const SMALLEST_REMOVED: u32 = 4;

/// The generations of one list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lives {
    key: u64,
    base: u32,
    generation: u32,
}

/// A record that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// The generation that added it.
    pub(crate) born: u32,
    /// The generation that last wrote it.
    pub(crate) version: u32,
}

impl Lives {
    pub(crate) fn new(key: u64, base: usize, generation: u32) -> Self {
        Self { key, base: u32::try_from(base).unwrap_or(u32::MAX / 4), generation: generation.max(1) }
    }

    /// How many records a generation adds.
    pub(crate) fn added(&self) -> u32 {
        if self.base == 0 { 0 } else { (self.base / REMOVE_BLOCK).max(1) }
    }

    /// All records that ever were, removed ones included.
    pub(crate) fn total(&self) -> u32 {
        self.before(self.generation + 1)
    }

    /// A record's life, or nothing once it is removed.
    pub(crate) fn life(&self, index: u32) -> Option<Life> {
        let born = if index < self.base { 1 } else { (index - self.base) / self.added().max(1) + 2 };
        let mut version = born;
        for generation in born + 1..=self.generation {
            let before = self.before(generation);
            let change = CHANGE_BLOCK.min(before);
            let turn = (mix(self.key, u64::from(generation)) % u64::from(change.max(1))) as u32;
            let remove = if before >= REMOVE_BLOCK { REMOVE_BLOCK } else { before };
            // The neighbour of a changed record is removed, never that record itself: small lists see both.
            if before >= SMALLEST_REMOVED && index % remove == (turn + 1) % remove {
                return None;
            }
            if index % change == turn {
                version = generation;
            }
        }
        Some(Life { born, version })
    }

    /// The records that stood before a generation changed them.
    fn before(&self, generation: u32) -> u32 {
        self.base.saturating_add(self.added().saturating_mul(generation.saturating_sub(2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation_adds_changes_and_removes() {
        // records, most changed, removed, added
        let cases =
            [(0, 0, 0, 0), (2, 1, 0, 1), (4, 1, 1, 1), (9, 1, 1, 1), (10, 1, 1, 1), (49, 5, 1, 1), (500, 50, 10, 10)];
        for (base, changed, removed, added) in cases {
            for key in 0..30 {
                let now = Lives::new(key, base, 2);
                let lives: Vec<_> = (0..base as u32).map(|index| now.life(index)).collect();
                assert_eq!(lives.iter().filter(|life| life.is_none()).count(), removed, "{base} records, key {key}");
                let new = lives.iter().flatten().filter(|life| life.version == 2).count();
                assert!(new <= changed && new >= changed.min(1), "{new} of {base} changed, key {key}");
                assert_eq!(now.total() as usize - base, added);
            }
        }
    }

    #[test]
    fn the_past_stays() {
        let (before, after) = (Lives::new(3, 500, 2), Lives::new(3, 500, 3));
        for index in 0..before.total() {
            match (before.life(index), after.life(index)) {
                (None, later) => assert_eq!(later, None),
                (Some(old), Some(new)) => assert!(new == old || (new.born == old.born && new.version == 3)),
                (Some(_), None) => {}
            }
        }
        assert_eq!(after.life(before.total()), Some(Life { born: 3, version: 3 }));
    }
}
