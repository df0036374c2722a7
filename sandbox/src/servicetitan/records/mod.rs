//! Records made up on the spot: their text follows from the tenant's key, the slot and the generation of the last change.
//! The same record has the same bytes in every list, feed and run, until a generation changes it.

pub(crate) mod accounting;
pub(crate) mod crm;
pub(crate) mod jobs;
pub(crate) mod json;
pub(crate) mod payroll;
pub(crate) mod people;
pub(crate) mod plain;
pub(crate) mod settings;
mod words;

use super::dice::{Dice, mix};
use super::generation::Life;
use super::resources::{self, Key, Kind, Resource};
use super::time::Ticks;
use super::world::STRIDE;
use json::{Json, put};

/// How many records each resource began with: what one record's reference to another may point at.
#[derive(Debug)]
pub(crate) struct References {
    counts: Vec<usize>,
}

impl References {
    pub(crate) fn new(counts: Vec<usize>) -> Self {
        Self { counts }
    }

    pub(crate) fn count(&self, resource: &Resource) -> usize {
        self.counts[resource.index]
    }

    /// The id of a record of another resource, chosen by a number.
    pub(crate) fn id(&self, kind: Kind, choice: u64) -> i64 {
        let count = self.counts[kind as usize].max(1) as u64;
        resources::all()[kind as usize].first_id + STRIDE * (choice % count) as i64
    }
}

/// What a family's writer knows about the record that it writes.
pub(crate) struct Record<'a> {
    pub(crate) resource: &'static Resource,
    pub(crate) slot: u64,
    pub(crate) id: i64,
    pub(crate) id_is_null: bool,
    pub(crate) created: Ticks,
    pub(crate) modified: Ticks,
    pub(crate) active: bool,
    /// Grows with every generation that changed the record.
    pub(crate) version: i64,
    /// Numbers for what never changes.
    pub(crate) fixed: Dice,
    /// Numbers for what a change changes.
    pub(crate) fresh: Dice,
    pub(crate) references: &'a References,
}

impl<'a> Record<'a> {
    pub(crate) fn new(
        resource: &'static Resource,
        key: u64,
        slot: u32,
        id: i64,
        life: &Life,
        references: &'a References,
    ) -> Self {
        let own = mix(key, u64::from(slot));
        Self {
            resource,
            slot: u64::from(slot),
            id,
            id_is_null: false,
            created: life.created,
            modified: life.modified,
            active: life.active,
            version: i64::from(life.version),
            fixed: Dice::new(own),
            fresh: Dice::new(mix(own, u64::from(life.version))),
            references,
        }
    }

    /// One slot in 200 loses its id where the options ask for it.
    pub(crate) fn may_lose_id(&self) -> bool {
        self.slot % 200 == 77
    }
}

/// Appends the record as a list gives it.
pub(crate) fn write(resource: &Resource, record: &mut Record<'_>, out: &mut Vec<u8>) {
    let mut json = Json::new(out);
    write_members(resource, record, &mut json);
    json.raw("}");
}

/// Appends the record as an export feed gives it: with `active` nearly always, also where lists do not have it.
pub(crate) fn write_for_feed(resource: &Resource, record: &mut Record<'_>, out: &mut Vec<u8>) {
    let mut json = Json::new(out);
    write_members(resource, record, &mut json);
    if !resource.has_active() && resource.feed.is_some_and(|feed| feed.shows_active) {
        put!(json, "active", flag, record.active);
    }
    json.raw("}");
}

fn write_members(resource: &Resource, record: &mut Record<'_>, json: &mut Json<'_>) {
    json.raw("{");
    if resource.key == Key::Id {
        json.raw("\"id\":");
        json.opt_int((!record.id_is_null).then_some(record.id));
    } else {
        plain::key(json, record);
    }
    (resource.write)(json, record);
    // The field that appears with the second generation: only on the records that it writes.
    if record.version >= 2 {
        let score = record.fresh.below(10_000) as i64;
        put!(json, "riskScore", opt_decimal, (!record.fresh.one_in(4)).then_some(score));
    }
}
