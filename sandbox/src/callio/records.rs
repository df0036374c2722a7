//! The records of each list. Their times are epoch milliseconds, at times as text or with a decimal point.
//! A record is the same in every generation that does not change it.

use serde_json::{Value, json};

use super::words::{FAMILIES, GROUPS, HANGUPS, HEAT, MIDDLES, NAMES, NEEDS, STATES};
use super::world::Record;
use crate::servicetitan::dice::{Dice, mix};
use crate::stand_in::life::{Life, Lives};

const DAY: i64 = 86_400_000;
/// Calls of the last hours of a generation may still be going on.
const UNFINISHED: i64 = 3 * 3_600_000;

/// What records are made of.
pub(crate) struct Maker {
    pub(crate) key: u64,
    pub(crate) records: usize,
    pub(crate) first: i64,
    pub(crate) days: u32,
    pub(crate) odd_times: bool,
    pub(crate) generation: u32,
}

/// Salts, so that the same number in different lists means different things.
#[derive(Clone, Copy)]
enum List {
    Customers = 1,
    Calls,
    Users,
    Groups,
}

impl Maker {
    fn lives(&self, list: List, base: usize) -> Lives {
        Lives::new(mix(self.key, list as u64), base, self.generation)
    }

    /// Chance that depends on a record, and on its version where that is not 0.
    fn dice(&self, list: List, index: u32, version: u32) -> Dice {
        Dice::new(mix(mix(self.key, list as u64), u64::from(index) << 32 | u64::from(version)))
    }

    fn user_count(&self) -> usize {
        (self.records / 50).clamp(4, 200)
    }

    fn group_count(&self) -> usize {
        (self.records / 250).clamp(4, 20)
    }

    /// When a generation begins and ends.
    fn period(&self, generation: u32) -> (i64, i64) {
        let days = i64::from(self.days);
        match generation {
            0 | 1 => (self.first, self.first + days * DAY),
            later => {
                let start = self.first + (days + i64::from(later) - 2) * DAY;
                (start, start + DAY)
            }
        }
    }

    /// Created in the order of their numbers, in the period of the generation that adds them.
    fn created(&self, lives: &Lives, base: usize, index: u32, born: u32, dice: &mut Dice) -> i64 {
        let (start, end) = self.period(born);
        let (place, of) = match born {
            1 => (i64::from(index), base as i64),
            later => {
                let added = lives.added();
                (i64::from(index - base as u32 - added * (later - 2)), i64::from(added))
            }
        };
        let span = (end - start) / of.max(1);
        let time = start + place * span + dice.below(span.max(1) as u64) as i64;
        // Some times are whole seconds, so that several records share one.
        if dice.one_in(4) { (time - time % 1000).max(start) } else { time }
    }

    fn updated(&self, life: Life, created: i64, dice: &mut Dice) -> i64 {
        if life.version > life.born {
            let (start, end) = self.period(life.version);
            return start + dice.below((end - start) as u64) as i64;
        }
        let (_, end) = self.period(life.born);
        if dice.one_in(3) { created } else { created + dice.below((end - created).max(1) as u64) as i64 }
    }

    fn time(&self, time: i64, dice: &mut Dice) -> Value {
        match dice.below(20) {
            0 if self.odd_times => Value::from(time.to_string()),
            1 if self.odd_times => Value::from(time as f64),
            _ => Value::from(time),
        }
    }

    fn id(&self, list: List, index: u32) -> String {
        format!("65{:06x}{:016x}", index, mix(mix(self.key, list as u64), u64::from(index)))
    }

    /// A user as other records show him; his group is an object or a bare id.
    fn user(&self, dice: &mut Dice) -> Value {
        let index = dice.below(self.user_count() as u64) as u32;
        let mut identity = self.dice(List::Users, index, 0);
        json!({"_id": self.id(List::Users, index), "name": person(&mut identity), "group": self.group(dice)})
    }

    fn group(&self, dice: &mut Dice) -> Value {
        let id = self.id(List::Groups, dice.below(self.group_count() as u64) as u32);
        if dice.one_in(4) { Value::from(id) } else { json!({ "_id": id }) }
    }
}

fn person(dice: &mut Dice) -> String {
    format!("{} {} {}", dice.pick(&FAMILIES), dice.pick(&MIDDLES), dice.pick(&NAMES))
}

fn phone(dice: &mut Dice) -> String {
    format!("09{:08}", dice.below(100_000_000))
}

pub(crate) fn customers(maker: &Maker) -> Vec<Record> {
    let lives = maker.lives(List::Customers, maker.records);
    let record = |index: u32| {
        let life = lives.life(index)?;
        let mut dice = maker.dice(List::Customers, index, 0);
        let created = maker.created(&lives, maker.records, index, life.born, &mut dice);
        let (name, phone) = (person(&mut dice), phone(&mut dice));
        let create_time = maker.time(created, &mut dice);
        let mut dice = maker.dice(List::Customers, index, life.version);
        let updated = maker.updated(life, created, &mut dice);
        let mut user = if dice.one_in(8) { Value::Null } else { maker.user(&mut dice) };
        let assigned = if user.is_null() { Value::Null } else { maker.time(created, &mut dice) };
        if dice.one_in(40) && !user.is_null() {
            user = Value::from(user.to_string());
        }
        let value_name = if dice.one_in(10) { "value" } else { "val" };
        let id = maker.id(List::Customers, index);
        let record = json!({
            "_id": id, "name": name, "phone": phone, "status": dice.pick(&STATES), "createTime": create_time,
            "updateTime": maker.time(updated, &mut dice), "assignedTime": assigned, "user": user,
            "customFields": [
                {"key": "tinh-trang-kh", value_name: [dice.pick(&HEAT)]},
                {"key": "nhu-cau", "val": dice.pick(&NEEDS)},
            ],
        });
        Some(Record { id, created, updated, json: record.to_string() })
    };
    (0..lives.total()).filter_map(record).collect()
}

/// Calls are never removed. Those that were going on when their generation ended are filled in by the next one.
pub(crate) fn calls(maker: &Maker) -> Vec<Record> {
    let added = (maker.records / maker.days.max(1) as usize).max(if maker.records == 0 { 0 } else { 5 });
    let mut records = Vec::new();
    for generation in 1..=maker.generation {
        let (start, end) = maker.period(generation);
        let count = if generation == 1 { maker.records } else { added };
        let span = (end - start) / count.max(1) as i64;
        for place in 0..count as i64 {
            let index = records.len() as u32;
            let mut dice = maker.dice(List::Calls, index, 0);
            let created = start + place * span + dice.below(span.max(1) as u64) as i64;
            let newest = place + 1 == count as i64;
            let hanging = newest || (created >= end - UNFINISHED && dice.one_in(2));
            let unfinished = hanging && generation == maker.generation;
            records.push(call(maker, index, created, unfinished, &mut dice));
        }
    }
    records
}

fn call(maker: &Maker, index: u32, created: i64, unfinished: bool, dice: &mut Dice) -> Record {
    let (ring, talk) = (dice.below(20) as i64, dice.below(600) as i64);
    let answered = !dice.one_in(4);
    let duration = ring + if answered { talk } else { 0 };
    let mut user = maker.user(dice);
    let group = user.as_object_mut().and_then(|user| user.remove("group")).unwrap_or_default();
    let outbound = dice.one_in(2);
    let hangup = if answered { HANGUPS[0] } else { dice.pick(&HANGUPS) };
    let [create_time, charge_time, start_time, answer_time, end_time] =
        [0, 3, 0, ring, duration].map(|seconds| maker.time(created + seconds * 1000, dice));
    let id = maker.id(List::Calls, index);
    let mut record = json!({
        "_id": id, "createTime": create_time, "chargeTime": charge_time,
        "direction": if outbound { "outbound" } else { "inbound" }, "fromNumber": phone(dice), "toNumber": phone(dice),
        "startTime": start_time, "answerTime": if answered { answer_time } else { Value::Null }, "endTime": end_time,
        "duration": duration, "billDuration": if answered { talk } else { 0 }, "hangupCause": hangup,
        "fromUser": user, "fromGroup": group,
    });
    if unfinished && let Some(fields) = record.as_object_mut() {
        fields.remove("hangupCause");
        for (name, value) in
            [("answerTime", Value::Null), ("endTime", Value::Null), ("duration", 0.into()), ("billDuration", 0.into())]
        {
            fields.insert(name.to_owned(), value);
        }
    }
    Record { id, created, updated: created, json: record.to_string() }
}

pub(crate) fn users(maker: &Maker) -> Vec<Record> {
    let base = maker.user_count();
    let lives = maker.lives(List::Users, base);
    let record = |index: u32| {
        let life = lives.life(index)?;
        let name = person(&mut maker.dice(List::Users, index, 0));
        let created = maker.created(&lives, base, index, life.born, &mut maker.dice(List::Users, index, u32::MAX));
        let mut dice = maker.dice(List::Users, index, life.version);
        let updated = maker.updated(life, created, &mut dice);
        let id = maker.id(List::Users, index);
        let record = json!({
            "_id": id, "email": format!("user{index}@company.example"), "name": name, "createTime": maker.time(created, &mut dice),
            "updateTime": maker.time(updated, &mut dice), "group": maker.group(&mut dice),
        });
        Some(Record { id, created, updated, json: record.to_string() })
    };
    (0..lives.total()).filter_map(record).collect()
}

/// A change gives a group another name. Some groups have `id` where the others have `_id`.
pub(crate) fn groups(maker: &Maker) -> Vec<Record> {
    let lives = maker.lives(List::Groups, maker.group_count());
    let record = |index: u32| {
        let life = lives.life(index)?;
        let name = maker.dice(List::Groups, index, 0).pick(&GROUPS);
        let id = maker.id(List::Groups, index);
        let key = if index % 3 == 1 { "id" } else { "_id" };
        let record = json!({key: id, "name": format!("{name} {}", life.version)});
        Some(Record { id, created: i64::from(index), updated: 0, json: record.to_string() })
    };
    (0..lives.total()).filter_map(record).collect()
}
