//! Everything that the company has at the moment of one generation.
//! Immutable once built; another generation makes another world. Removed records stay, for the oracle.

use serde_json::Value;

use super::Options;
use super::records::{self, Call};
use crate::lives::{Calendar, Life, Lives};
use crate::servicetitan::dice::key_of;

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) life: Life,
    pub(crate) record: Value,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) generation: u32,
    /// In the order of their dates.
    pub(crate) calls: Vec<Call>,
    pub(crate) users: Vec<User>,
}

impl World {
    pub(crate) fn new(options: &Options, generation: u32) -> Self {
        let calendar = Calendar { until: options.until_ms, span: options.span };
        let lives = |name: &str, count| Lives::new(key_of(options.seed, &["gong", name]), count, generation, calendar);
        let delay = i64::try_from(options.transcript_delay.as_millis()).unwrap_or(i64::MAX / 4);
        let now = calendar.present(generation);
        let of = lives("calls", options.calls);
        let mut calls: Vec<_> = of.slots().map(|slot| Call::new(&of, slot, options.users, now, delay)).collect();
        calls.sort_by(|a, b| (a.date, &a.id).cmp(&(b.date, &b.id)));
        let of = lives("users", options.users);
        let user = |slot| {
            let life = of.life(slot);
            User { life, record: records::user(&of, slot, life) }
        };
        let users = of.slots().map(user).collect();
        Self { generation, calls, users }
    }

    pub(crate) fn live_calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.life.removed.is_none())
    }

    pub(crate) fn live_users(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|user| user.life.removed.is_none())
    }
}
