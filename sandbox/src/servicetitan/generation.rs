//! The life of every record by arithmetic: when it was made, changed and removed follows from its slot's number.
//! Each generation after the first changes about 5 % of the records, removes about 1 % and adds about 1 %.

use super::dice::mix;
use super::time::{HOUR, SECOND, Ticks};

/// One slot in 20 changes with a generation, one in 100 goes.
const CHANGE_BLOCK: u32 = 20;
const REMOVE_BLOCK: u32 = 100;
/// Lists at least this long have at least one change, and at least one removal and addition.
const SMALLEST_CHANGED: u32 = 8;
const SMALLEST_REMOVED: u32 = 40;
/// One record in 25 is inactive; one change in 10 switches that.
const INACTIVE: u64 = 25;
const SWITCHED: u64 = 10;

/// Salts, so that the different questions about one slot have independent answers.
const CHANGE: u64 = 0xC4A6;
const REMOVE: u64 = 0x4E30;
const TIME: u64 = 0x71E5;
const ACTIVE: u64 = 0xAC71;

/// What became of a record until now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// The generation that last wrote it: its birth or its last change.
    pub(crate) version: u32,
    pub(crate) created: Ticks,
    pub(crate) modified: Ticks,
    pub(crate) active: bool,
    pub(crate) removed: Option<Ticks>,
}

/// The lives of one list of one tenant. Slots are numbered from 0, later generations' records after the earlier ones.
#[derive(Debug)]
pub(crate) struct Generations {
    key: u64,
    /// First slot of each generation.
    starts: Vec<u32>,
    total: u32,
    has_inactive: bool,
}

impl Generations {
    pub(crate) fn new(key: u64, base: usize, generation: u32, has_inactive: bool) -> Self {
        let mut starts = vec![0];
        let mut total = u32::try_from(base).unwrap_or(u32::MAX / 4).min(u32::MAX / 4);
        for _ in 2..=generation {
            starts.push(total);
            let added = if total < SMALLEST_REMOVED { 0 } else { (total / REMOVE_BLOCK).max(1) };
            total = total.saturating_add(added).min(u32::MAX / 2);
        }
        Self { key, starts, total, has_inactive }
    }

    /// All slots that ever were, removed ones included.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    pub(crate) fn generation(&self) -> u32 {
        self.starts.len() as u32
    }

    /// Whether the slot is gone; much cheaper than its whole life.
    #[inline]
    pub(crate) fn is_removed(&self, slot: u32) -> bool {
        (self.birth(slot) + 1..=self.generation()).any(|generation| self.removes(slot, generation))
    }

    pub(crate) fn life(&self, slot: u32) -> Life {
        let birth = self.birth(slot);
        let (created, modified) = if birth == 1 { self.first_times(slot) } else { self.same_time(slot, birth) };
        let active = !self.has_inactive || !mix(self.key ^ ACTIVE, u64::from(slot)).is_multiple_of(INACTIVE);
        let mut life = Life { version: birth, created, modified, active, removed: None };
        for generation in birth + 1..=self.generation() {
            if self.removes(slot, generation) {
                life.removed = Some(self.time_in(slot, generation));
                break;
            }
            if self.changes(slot, generation) {
                life.version = generation;
                life.modified = self.time_in(slot, generation);
            }
        }
        let switch = mix(self.key ^ ACTIVE, u64::from(slot) << 8 | u64::from(life.version));
        if self.has_inactive && life.version > birth && switch.is_multiple_of(SWITCHED) {
            life.active = !life.active;
        }
        life
    }

    fn birth(&self, slot: u32) -> u32 {
        self.starts.iter().rposition(|&start| start <= slot).map_or(1, |index| index as u32 + 1)
    }

    /// The slots that stood before a generation changed them.
    fn before(&self, generation: u32) -> u32 {
        self.starts.get(generation as usize - 1).copied().unwrap_or(0)
    }

    fn changes(&self, slot: u32, generation: u32) -> bool {
        self.picks(slot, generation, CHANGE, CHANGE_BLOCK, SMALLEST_CHANGED)
    }

    fn removes(&self, slot: u32, generation: u32) -> bool {
        self.picks(slot, generation, REMOVE, REMOVE_BLOCK, SMALLEST_REMOVED)
    }

    /// Picks one slot of every block; in the last, shorter block perhaps none, unless it is the only one.
    fn picks(&self, slot: u32, generation: u32, salt: u64, size: u32, smallest: u32) -> bool {
        let block = slot / size;
        let length = size.min(self.before(generation) - block * size);
        let range = if block == 0 && length >= smallest { length } else { size };
        let chance = mix(self.key ^ salt, u64::from(generation) << 32 | u64::from(block));
        slot % size == (chance % u64::from(range)) as u32
    }

    /// Created in the order of the slots over three years, modified at that moment or any time after it.
    fn first_times(&self, slot: u32) -> (Ticks, Ticks) {
        let end = Ticks::period(1).0;
        let span = end - Ticks::BEGINNING.0;
        let base = u64::from(self.starts.get(1).copied().unwrap_or(self.total).max(1));
        let share = (u128::from(span) * u128::from(slot) / u128::from(base)) as u64;
        let chance = mix(self.key ^ TIME, u64::from(slot));
        let start = Ticks::BEGINNING.0 + share;
        let created = spread(start, span / base, chance).max(Ticks::BEGINNING);
        let again = mix(chance, 1);
        if again.is_multiple_of(4) {
            return (created, created);
        }
        (created, spread(created.0, end - 1 - created.0, again).max(created))
    }

    fn same_time(&self, slot: u32, generation: u32) -> (Ticks, Ticks) {
        let time = self.time_in(slot, generation);
        (time, time)
    }

    /// A moment in the first 20 hours of a generation's day.
    fn time_in(&self, slot: u32, generation: u32) -> Ticks {
        let chance = mix(self.key ^ TIME, u64::from(generation) << 32 | u64::from(slot));
        spread(Ticks::period(generation).0, 20 * HOUR, chance)
    }
}

/// A moment within `span` ticks of `start`; most have seven decimals, some three, one or none.
fn spread(start: u64, span: u64, chance: u64) -> Ticks {
    let time = start + ((u128::from(chance) * u128::from(span)) >> 64) as u64;
    let unit = match chance % 10 {
        0 => SECOND,
        1 => SECOND / 10,
        2 => SECOND / 1000,
        _ => 1,
    };
    Ticks(time - time % unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_generation() {
        // base, least and most changed, removed, added
        let cases = [
            (0, 0..=0, 0..=0, 0),
            (10, 1..=1, 0..=0, 0),
            (50, 1..=3, 1..=1, 1),
            (2000, 90..=100, 20..=20, 20),
            (100_000, 4900..=5000, 1000..=1000, 1000),
        ];
        for (base, changed, removed, added) in cases {
            let now = Generations::new(7, base, 2, true);
            let lives: Vec<_> = (0..base as u32).map(|slot| now.life(slot)).collect();
            let gone = lives.iter().filter(|life| life.removed.is_some()).count();
            let new = lives.iter().filter(|life| life.version == 2 && life.removed.is_none()).count();
            assert!(removed.contains(&gone), "{gone} of {base} removed");
            assert!(changed.contains(&new), "{new} of {base} changed");
            assert_eq!(now.total() as usize - base, added);
        }
    }

    #[test]
    fn times_lie_in_their_periods() {
        for generation in 1..=4 {
            let now = Generations::new(11, 1000, generation, true);
            for slot in 0..now.total() {
                let life = now.life(slot);
                assert!(life.created <= life.modified && life.created >= Ticks::BEGINNING);
                let from = if life.version == 1 { Ticks::BEGINNING } else { Ticks::period(life.version) };
                let to = if life.version == 1 { Ticks::period(1) } else { Ticks::period(life.version + 1) };
                assert!(life.modified >= from && life.modified < to, "slot {slot} of generation {generation}");
                assert_eq!(now.is_removed(slot), life.removed.is_some());
            }
        }
    }

    #[test]
    fn the_past_stays() {
        let (before, after) = (Generations::new(3, 500, 2, true), Generations::new(3, 500, 3, true));
        for slot in 0..before.total() {
            let (old, new) = (before.life(slot), after.life(slot));
            assert_eq!(old.created, new.created);
            assert!(old.removed.is_none() || new.removed == old.removed);
            assert!(new.version == old.version && new.active == old.active || new.version == 3);
        }
    }
}
