//! Live rows that a batch lacks: which of them are marked as deleted, which are suspects from now on, and which stay as they are.
//! A row is marked only when it is missing again: from another complete reading, or because the API says that it does not have it
//! (design, section 7).

use crate::warehouse::AccountChange;
use contract::batch::{Batch, BatchMode};
use contract::evidence::ReadingScope;
use contract::round::Round;
use contract::suspects::Suspects;
use std::collections::HashSet;

/// How a batch's absent rows are treated.
#[derive(Debug)]
pub(super) struct Absence {
    /// What an earlier reading has found missing.
    prior: Option<Suspects>,
    /// What the batch can say of rows that it lacks.
    says: Says,
}

/// What a batch says of rows that it lacks.
#[derive(Debug, PartialEq, Eq)]
enum Says {
    /// Nothing.
    Nothing,
    /// That they were missing from a complete reading.
    Missing,
    /// That the API does not have those that it was asked for.
    Gone,
}

/// What becomes of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// How many are marked as deleted.
    pub(super) deleted: u64,
    /// Those that stay as they are, by the names that the warehouse gave them.
    pub(super) spare: Vec<String>,
    /// The suspects from now on.
    pub(super) suspects: Option<Suspects>,
}

impl Absence {
    /// `is_loadable`: no record of the batch was rejected, and it is merged by key.
    pub(super) fn of(batch: &Batch, is_loadable: bool, prior: Option<Suspects>) -> Self {
        let says = match batch.mode {
            BatchMode::Snapshot if is_loadable && batch.is_whole() => Says::Missing,
            BatchMode::Confirm if is_loadable => Says::Gone,
            _ => Says::Nothing,
        };
        Self { prior: prior.filter(|prior| prior.primary_key == batch.primary_key), says }
    }

    /// The rows that the change set is to look for.
    pub(super) fn change(&self, batch: &Batch) -> AccountChange {
        let name = |key: &Vec<String>| {
            let list: Vec<&String> = std::iter::once(&batch.account).chain(key).collect();
            serde_json::to_string(&list).unwrap_or_default()
        };
        let named = match (&self.says, &self.prior) {
            (Says::Missing, _) => None,
            (Says::Gone, _) => Some(batch.gone.iter().map(name).collect()),
            // Those that an earlier reading lacked: whatever has come back since is no suspect any more.
            (Says::Nothing, Some(prior)) => Some(prior.keys.iter().map(name).collect()),
            (Says::Nothing, None) => {
                return AccountChange { account: batch.account.clone(), may_delete: false, named: None };
            }
        };
        AccountChange { account: batch.account.clone(), may_delete: true, named }
    }

    /// Whether rows that the batch lacks count as missing.
    pub(super) fn counts(&self) -> bool {
        self.says != Says::Nothing
    }

    /// Decides on the rows that are absent, each with its name in the warehouse and the texts of its key. `is_held`: another reason holds
    /// the batch's deletes back.
    pub(super) fn settle(
        self,
        batch: &Batch,
        round: Round,
        table: &str,
        absent: Vec<(String, Vec<String>)>,
        is_held: bool,
    ) -> Settled {
        let this = Suspects::new(batch.run_id.clone(), round, table, batch.started_at, &batch.primary_key);
        let is_same = |prior: &Suspects| prior.run_id == this.run_id && prior.confirm == this.confirm;
        // What this very reading has found, or a later one, is no second proof.
        let is_before = |prior: &Suspects| prior.began_at < this.began_at && !is_same(prior);
        let known: HashSet<&Vec<String>> = self.prior.iter().flat_map(|prior| &prior.keys).collect();
        let is_proven = match self.says {
            _ if is_held => false,
            Says::Nothing => false,
            Says::Gone => true,
            Says::Missing => self.prior.as_ref().is_some_and(is_before),
        };
        let is_marked = |key: &Vec<String>| is_proven && (self.says == Says::Gone || known.contains(key));
        let (marked, others): (Vec<_>, Vec<_>) = absent.into_iter().partition(|(_, key)| is_marked(key));
        let (spare, mut keys): (Vec<String>, Vec<Vec<String>>) = others.into_iter().unzip();
        let is_new =
            self.says == Says::Missing && !is_held && self.prior.as_ref().is_none_or(|p| is_before(p) || is_same(p));
        let suspects = if is_new {
            Some(Suspects { keys, ..this })
        } else {
            // Nothing new is known: the suspects of before stay, less those that have come back.
            keys.retain(|key| known.contains(key));
            let keys = if self.says == Says::Gone { Vec::new() } else { keys };
            self.prior.map(|prior| Suspects { keys, ..prior })
        };
        Settled { deleted: marked.len() as u64, spare, suspects }
    }
}

/// Why a batch's deletes must be held back though its reading is whole; none if they need not. `covered` is how far back the rows of the
/// table reach, if that is known; `is_older`: another batch was applied after it was read.
pub(super) fn reason_to_hold(batch: &Batch, covered: Option<&ReadingScope>, is_older: bool) -> Option<String> {
    if is_older {
        return Some("a later batch was applied before it, whose rows it cannot have".into());
    }
    let scope = &batch.evidence.as_ref()?.scope;
    match covered {
        Some(covered) => scope.falls_short_of(covered),
        None => None,
    }
}

/// How far back the rows of the table reach once the batch is loaded.
pub(super) fn covered_after(batch: &Batch, covered: Option<&ReadingScope>) -> ReadingScope {
    let scope = batch.evidence.as_ref().map(|evidence| evidence.scope.clone()).unwrap_or_default();
    covered.map_or(scope.clone(), |covered| covered.joined(&scope))
}

/// A row's name in the warehouse, taken apart: its account and the texts of its key.
pub(super) fn parts(name: &str) -> Option<(String, Vec<String>)> {
    let mut list: Vec<String> = serde_json::from_str(name).ok()?;
    if list.is_empty() {
        return None;
    }
    let account = list.remove(0);
    Some((account, list))
}
