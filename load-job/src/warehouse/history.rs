//! What a warehouse knows of the loads before: the run that was applied last to each unit, and what is remembered of its tables. It is read
//! once for a load, because no load changes what another table's load asks for.

use super::{Applied, LastApplied, TableId};
use contract::unit::Unit;
use std::collections::HashMap;

/// The loads before.
#[derive(Debug, Default)]
pub struct History {
    last: HashMap<Unit, LastApplied>,
    /// By the accounts whose rows it is about.
    applied: HashMap<String, Vec<Applied>>,
}

impl History {
    /// `applied` has the newest first.
    pub(super) fn new(last: HashMap<Unit, LastApplied>, applied: Vec<Applied>) -> Self {
        let mut by_account: HashMap<String, Vec<Applied>> = HashMap::new();
        for applied in applied {
            by_account.entry(applied.unit.account.clone()).or_default().push(applied);
        }
        Self { last, applied: by_account }
    }

    /// The run that was applied to a unit last, by the log table. One that is ahead of the clock comes only where there is no other.
    pub fn last_applied(&self, unit: &Unit) -> Option<&LastApplied> {
        self.last.get(unit)
    }

    /// What is remembered of a unit, in whatever table, and of the rows of its account in the table of this identity; the newest first.
    pub fn remembered(&self, id: Option<&TableId>, unit: &Unit) -> Vec<Applied> {
        let is_of_table = |applied: &Applied| id.is_some() && applied.table_id.as_ref() == id;
        let of_account = self.applied.get(&unit.account).into_iter().flatten();
        of_account.filter(|applied| applied.unit == *unit || is_of_table(applied)).cloned().collect()
    }
}
