//! One list of one tenant at one moment: which records stand in it, in which order, and their text on demand.
//! Immutable once built, apart from remembered views; a scripted shift or a new generation makes a new world.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::generation::{Generations, Life};
use super::records::{self, Record, References};
use super::resources::Resource;
use super::time::{HOUR, SECOND, Ticks};

/// Slots of records that a scripted shift puts in front of the list start here.
const FRONT: u32 = 1 << 31;
/// Ids of neighbouring slots are this far apart.
pub(crate) const STRIDE: i64 = 3;
/// So many filtered views are remembered (4 bytes a record each).
const VIEWS: usize = 6;

/// A scripted change of a list between two requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shift {
    pub(crate) generation: u32,
    pub(crate) kind: ShiftKind,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum ShiftKind {
    Remove(u32),
    Add,
    Move(u32),
}

/// Lower bound inclusive, upper bound exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Period {
    pub(crate) from: Option<Ticks>,
    pub(crate) before: Option<Ticks>,
}

impl Period {
    fn holds(&self, time: Ticks) -> bool {
        self.from.is_none_or(|from| time >= from) && self.before.is_none_or(|before| time < before)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    #[default]
    Id,
    Modified,
    Created,
}

/// What a list request asks for; everything of a default view is off: all records by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
    pub(crate) active: Option<bool>,
    pub(crate) modified: Period,
    pub(crate) created: Period,
    pub(crate) day: Period,
    pub(crate) ids: Option<Vec<i64>>,
    pub(crate) order: Order,
    pub(crate) descending: bool,
}

/// A place in an export feed: everything from here on is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) time: Ticks,
    pub(crate) slot: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) key: u64,
    resource: &'static Resource,
    references: Arc<References>,
    generations: Generations,
    null_ids: bool,
    removed: BTreeMap<u32, Ticks>,
    front: BTreeMap<u32, (u32, Ticks)>,
    moved: Vec<u32>,
    views: Mutex<HashMap<Filter, Arc<Vec<u32>>>>,
    feed: OnceLock<Vec<Position>>,
}

impl World {
    pub(crate) fn new(
        key: u64,
        resource: &'static Resource,
        references: Arc<References>,
        generation: u32,
        shifts: &[Shift],
        null_ids: bool,
    ) -> Self {
        let base = references.count(resource);
        let generations = Generations::new(key, base, generation, resource.has_active());
        let (mut removed, mut front, mut moved) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for (number, shift) in shifts.iter().enumerate() {
            if shift.generation > generation {
                continue;
            }
            let time = Ticks::period(shift.generation).plus(22 * HOUR + number as u64 * SECOND);
            match shift.kind {
                ShiftKind::Remove(slot) => drop(removed.insert(slot, time)),
                ShiftKind::Add => drop(front.insert(FRONT | number as u32, (shift.generation, time))),
                ShiftKind::Move(slot) => {
                    moved.retain(|other| *other != slot);
                    moved.push(slot);
                }
            }
        }
        let (views, feed) = (Mutex::default(), OnceLock::new());
        Self { key, resource, references, generations, null_ids, removed, front, moved, views, feed }
    }

    pub(crate) fn resource(&self) -> &'static Resource {
        self.resource
    }

    /// The records that a request asks for, in its order.
    pub(crate) fn view(&self, filter: &Filter) -> Arc<Vec<u32>> {
        if let Some(view) = self.views.lock().unwrap_or_else(PoisonError::into_inner).get(filter) {
            return Arc::clone(view);
        }
        let view = Arc::new(self.build_view(filter));
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= VIEWS {
            views.clear();
        }
        views.insert(filter.clone(), Arc::clone(&view));
        view
    }

    fn build_view(&self, filter: &Filter) -> Vec<u32> {
        let all = Filter { order: filter.order, descending: filter.descending, ..Filter::default() };
        let everything = *filter == all;
        let stands = |slot: &u32| {
            let slot = *slot;
            if self.removed.contains_key(&slot) || (slot < FRONT && self.generations.is_removed(slot)) {
                return false;
            }
            if everything {
                return true;
            }
            let life = self.life(slot);
            filter.active.is_none_or(|active| active == life.active)
                && filter.modified.holds(life.modified)
                && filter.created.holds(life.created)
                && filter.day.holds(life.created.midnight())
                && filter.ids.as_ref().is_none_or(|ids| ids.contains(&self.id(slot)))
        };
        let resting = (0..self.generations.total()).filter(|slot| !self.moved.contains(slot));
        let mut view: Vec<u32> = self.front.keys().rev().copied().chain(resting).filter(stands).collect();
        match filter.order {
            Order::Id => {}
            Order::Modified => view.sort_by_cached_key(|slot| (self.life(*slot).modified, self.id(*slot))),
            Order::Created => view.sort_by_cached_key(|slot| (self.life(*slot).created, self.id(*slot))),
        }
        if filter.descending {
            view.reverse();
        }
        view.extend(self.moved.iter().copied().filter(stands));
        view
    }

    /// The feed's rows from a position on: live ones at their last change, removed ones at their removal.
    pub(crate) fn feed_from(&self, position: Position) -> &[Position] {
        let feed = self.feed.get_or_init(|| {
            let slots = self.front.keys().copied().chain(0..self.generations.total());
            let mut feed: Vec<_> = slots
                .map(|slot| {
                    let life = self.life(slot);
                    Position { time: life.removed.unwrap_or(life.modified), slot: u64::from(slot) }
                })
                .collect();
            feed.sort_unstable();
            feed
        });
        let start = feed.partition_point(|entry| *entry < position);
        feed.get(start..).unwrap_or_default()
    }

    /// Appends a record's text as a list gives it.
    pub(crate) fn write(&self, slot: u32, out: &mut Vec<u8>) {
        let life = self.life(slot);
        records::write(self.resource, &mut self.record(slot, &life), out);
    }

    /// Whether a feed shows the record as active: removed ones are not.
    pub(crate) fn is_active_in_feed(&self, slot: u32) -> bool {
        let life = self.life(slot);
        life.active && life.removed.is_none()
    }

    /// Appends a record's text as a feed gives it: `active` in nearly every resource, false for removed rows.
    pub(crate) fn write_for_feed(&self, slot: u32, out: &mut Vec<u8>) {
        let mut life = self.life(slot);
        if let Some(removed) = life.removed {
            life.active = false;
            life.modified = removed;
        }
        records::write_for_feed(self.resource, &mut self.record(slot, &life), out);
    }

    /// The text of every row of the feed.
    pub(crate) fn whole_feed(&self) -> Vec<String> {
        let rows = self.feed_from(Position { time: Ticks(0), slot: 0 }).iter();
        let text = |row: &Position| {
            let mut out = Vec::new();
            self.write_for_feed(row.slot as u32, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        rows.map(text).collect()
    }

    fn record(&self, slot: u32, life: &Life) -> Record<'_> {
        let mut record = Record::new(self.resource, self.key, slot, self.id(slot), life, &self.references);
        record.id_is_null = self.null_ids && record.may_lose_id();
        record
    }

    fn id(&self, slot: u32) -> i64 {
        if slot >= FRONT {
            self.resource.first_id - STRIDE * (i64::from(slot - FRONT) + 1)
        } else {
            self.resource.first_id + STRIDE * i64::from(slot)
        }
    }

    fn life(&self, slot: u32) -> Life {
        let mut life = match self.front.get(&slot) {
            Some(&(version, time)) => Life { version, created: time, modified: time, active: true, removed: None },
            None => self.generations.life(slot),
        };
        if let Some(&removed) = self.removed.get(&slot) {
            life.removed = Some(removed);
        }
        life
    }
}
