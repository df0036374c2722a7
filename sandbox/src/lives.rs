//! When the records of a list are made, changed and removed, by arithmetic over the numbers of their slots.
//! Each generation after the first is one day in which some records change, a few go and a few come; the past never changes.

use std::time::Duration;

use crate::servicetitan::dice::{Dice, mix};

pub(crate) const DAY: i64 = 86_400_000;
/// One slot in 20 changes with a generation, one in 100 goes and one in 100 comes.
const CHANGED: u64 = 20;
const REMOVED: u64 = 100;
/// Lists at least this long have at least one change, and at least one removal and addition.
const SMALLEST_CHANGED: u32 = 4;
const SMALLEST_REMOVED: u32 = 20;

/// The moments of a stand-in's world, in milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calendar {
    /// The present of the first generation; each further one is a day later.
    pub(crate) until: i64,
    /// How long before that the first record was made.
    pub(crate) span: Duration,
}

impl Calendar {
    /// The moment at which a generation is looked at.
    pub(crate) fn present(&self, generation: u32) -> i64 {
        self.until + i64::from(generation.saturating_sub(1)) * DAY
    }

    fn span(&self) -> i64 {
        i64::try_from(self.span.as_millis()).unwrap_or(i64::MAX / 4).clamp(DAY, i64::MAX / 4)
    }
}

/// What became of one record until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// The generation in which it was made, and the last one that changed it (the same when none did).
    pub(crate) born: u32,
    pub(crate) version: u32,
    /// The generation that removed it.
    pub(crate) removed: Option<u32>,
}

/// The lives of one list. Slots are numbered from 0, later generations' records after the earlier ones.
#[derive(Debug)]
pub(crate) struct Lives {
    key: u64,
    calendar: Calendar,
    /// First slot of each generation.
    starts: Vec<u32>,
    total: u32,
}

impl Lives {
    pub(crate) fn new(key: u64, base: usize, generation: u32, calendar: Calendar) -> Self {
        let mut total = u32::try_from(base).unwrap_or(u32::MAX / 4).min(u32::MAX / 4);
        let mut starts = vec![0];
        for _ in 2..=generation {
            starts.push(total);
            total += if total < SMALLEST_REMOVED { 0 } else { (total / REMOVED as u32).max(1) };
        }
        Self { key, calendar, starts, total }
    }

    /// All slots that ever were, removed ones included.
    pub(crate) fn slots(&self) -> std::ops::Range<u32> {
        0..self.total
    }

    pub(crate) fn life(&self, slot: u32) -> Life {
        let born = self.starts.iter().rposition(|&start| start <= slot).map_or(1, |index| index as u32 + 1);
        let mut life = Life { born, version: born, removed: None };
        for generation in born + 1..=self.starts.len() as u32 {
            if self.picks(slot, generation, 1, REMOVED, SMALLEST_REMOVED) {
                life.removed = Some(generation);
                break;
            }
            if self.picks(slot, generation, 2, CHANGED, SMALLEST_CHANGED) {
                life.version = generation;
            }
        }
        life
    }

    /// The generations that changed the record until now, oldest first.
    pub(crate) fn changes(&self, slot: u32) -> Vec<u32> {
        let life = self.life(slot);
        let changes = |generation: &u32| self.picks(slot, *generation, 2, CHANGED, SMALLEST_CHANGED);
        (life.born + 1..=life.version).filter(changes).collect()
    }

    /// When the record was made: in the order of the slots, evenly over the span.
    pub(crate) fn created(&self, slot: u32) -> i64 {
        let life = self.life(slot);
        if life.born > 1 {
            return self.moment(slot, life.born);
        }
        let base = i64::from(self.starts.get(1).copied().unwrap_or(self.total).max(1));
        let (start, share) = (self.calendar.until - self.calendar.span(), self.calendar.span() / base);
        let within = self.dice(slot, 3).below(share.unsigned_abs().max(1)) as i64;
        start + self.calendar.span() / base * i64::from(slot) + within
    }

    /// A moment in the first 20 hours of the day in which a later generation happens.
    pub(crate) fn moment(&self, slot: u32, generation: u32) -> i64 {
        let within = mix(self.key ^ 4, u64::from(generation) << 32 | u64::from(slot)) % (DAY as u64 / 24 * 20);
        self.calendar.present(generation) - DAY + within as i64
    }

    /// Chance that belongs to this slot for ever.
    pub(crate) fn dice(&self, slot: u32, salt: u64) -> Dice {
        Dice::new(mix(mix(self.key, salt), u64::from(slot)))
    }

    /// One slot in so many by chance, and one in the later half of the list for certain, so that short lists change too.
    fn picks(&self, slot: u32, generation: u32, salt: u64, one_in: u64, smallest: u32) -> bool {
        let before = self.starts.get(generation as usize - 1).copied().unwrap_or(0);
        if before < smallest || slot >= before {
            return false;
        }
        let chance = mix(self.key ^ (salt << 8), u64::from(generation));
        let half = before / 2;
        // The two kinds of picks take slots of different parity, so that one cannot hide the other.
        let certain = half + (chance % u64::from(before - half)) as u32;
        let certain = certain - (certain + salt as u32) % 2;
        slot == certain || (slot > 0 && mix(chance, u64::from(slot)).is_multiple_of(one_in))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALENDAR: Calendar = Calendar { until: 1_740_787_200_000, span: Duration::from_secs(86_400 * 100) };

    #[test]
    fn lists_of_every_length_change() {
        // base, whether something changes, whether something goes and comes
        for (base, changes, goes) in
            [(0, false, false), (3, false, false), (4, true, false), (20, true, true), (999, true, true)]
        {
            let lives = Lives::new(7, base, 2, CALENDAR);
            let all: Vec<_> = lives.slots().map(|slot| lives.life(slot)).collect();
            assert_eq!(all.iter().any(|life| life.born == 1 && life.version == 2), changes, "{base}");
            assert_eq!(all.iter().any(|life| life.removed == Some(2)), goes, "{base}");
            assert_eq!(all.iter().any(|life| life.born == 2), goes, "{base}");
        }
    }

    #[test]
    fn the_past_stays_and_times_lie_in_their_days() {
        let (before, after) = (Lives::new(3, 500, 2, CALENDAR), Lives::new(3, 500, 3, CALENDAR));
        for slot in before.slots() {
            let (old, new) = (before.life(slot), after.life(slot));
            assert_eq!(before.created(slot), after.created(slot));
            assert!(old.removed.is_none() || new == old);
            assert!(new.version == old.version || new.version == 3);
            assert_eq!(new.version, after.changes(slot).last().copied().unwrap_or(new.born));
            assert!(after.changes(slot).starts_with(&before.changes(slot)));
        }
        let made: Vec<_> =
            after.slots().filter(|slot| after.life(*slot).born == 1).map(|slot| after.created(slot)).collect();
        assert!(made.is_sorted() && made.iter().all(|time| *time < CALENDAR.present(1)));
        assert!(made[0] >= CALENDAR.until - 100 * DAY);
        for slot in after.slots() {
            for generation in [2, 3] {
                let moment = after.moment(slot, generation);
                assert!(moment >= CALENDAR.present(generation - 1) && moment < CALENDAR.present(generation));
            }
        }
    }
}
