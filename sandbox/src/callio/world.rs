//! All records of one account in one generation, as the API would write them, with the times that its filters look at.

use serde_json::Value;

use super::Options;
use super::records::{Maker, calls, customers, groups, users};
use crate::servicetitan::dice::key_of;
use crate::stand_in::Oracle;

/// The lists of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Customers,
    Calls,
    Users,
    Groups,
}

impl Kind {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Customers, "/customer", "customers"),
        (Self::Calls, "/call", "calls"),
        (Self::Users, "/user", "users"),
        (Self::Groups, "/user-group", "user_groups"),
    ];

    pub(crate) fn of_path(path: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == path).map(|(kind, ..)| *kind)
    }
}

/// One record: its JSON text and what lists filter and order by.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) json: String,
}

#[derive(Debug)]
pub(crate) struct World {
    customers: Vec<Record>,
    calls: Vec<Record>,
    users: Vec<Record>,
    groups: Vec<Record>,
}

impl World {
    pub(crate) fn new(options: &Options, account: usize, generation: u32) -> Self {
        let id = options.accounts.get(account).map(|account| account.id.as_str()).unwrap_or_default();
        let maker = Maker {
            key: key_of(options.seed, &["callio", id]),
            records: options.records,
            first: options.first_day.timestamp_millis(),
            days: options.days,
            odd_times: options.odd_times,
            generation,
        };
        Self { customers: customers(&maker), calls: calls(&maker), users: users(&maker), groups: groups(&maker) }
    }

    pub(crate) fn list(&self, kind: Kind) -> &[Record] {
        match kind {
            Kind::Customers => &self.customers,
            Kind::Calls => &self.calls,
            Kind::Users => &self.users,
            Kind::Groups => &self.groups,
        }
    }

    pub(crate) fn oracle(&self) -> Oracle {
        let values = |kind: Kind| -> Vec<Value> {
            self.list(kind).iter().filter_map(|record| serde_json::from_str(&record.json).ok()).collect()
        };
        Kind::ALL.iter().map(|(kind, _, stream)| (*stream, values(*kind))).collect()
    }
}
