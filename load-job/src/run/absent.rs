//! Live rows that a batch lacks: which of them are marked as deleted, which are suspects from now on, and which stay as they are.
//! A row is marked only when it is missing again: from another complete reading, or because the API says that it does not have it
//! (design, section 7).

use super::error::LoadError;
use crate::warehouse::AccountChange;
use contract::batch::{Batch, BatchMode};
use contract::evidence::ReadingScope;
use contract::round::Round;
use contract::suspects::Suspects;
use std::collections::HashMap;

/// Two complete readings prove that a row is gone where the second has the very rows of the first. Where rows came and went meanwhile, pages
/// have shifted, and a row that is there can slip through both: then so many readings in a row must lack it.
const ENOUGH: u32 = 4;

/// How a batch's absent rows are treated.
#[derive(Debug)]
pub(super) struct Absence {
    /// What an earlier reading has found missing.
    prior: Option<Suspects>,
    /// What the batch can say of rows that it lacks.
    says: Says,
}

/// What a batch says of rows that it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// So many of the missing rows may go by a person's word.
    pub(super) fn allowed(&self) -> u64 {
        self.prior.as_ref().filter(|prior| prior.is_allowed).map_or(0, |prior| prior.keys.len() as u64)
    }

    /// Whether rows that the batch lacks count as missing.
    pub(super) fn counts(&self) -> bool {
        self.says != Says::Nothing
    }

    /// Decides on the rows that are absent, each with its name in the warehouse and the texts of its key.
    pub(super) fn settle(self, reading: &Reading<'_>, absent: Vec<(String, Vec<String>)>) -> Settled {
        let Reading { batch, round, table, is_held, is_allowed, inserted } = *reading;
        let prior = self.prior.as_ref();
        let this = Suspects::new(batch.run_id.clone(), round, table, batch.started_at, &batch.primary_key);
        let is_same = prior.is_some_and(|prior| prior.run_id == this.run_id && prior.confirm == this.confirm);
        // What a later reading has found is no proof for this one; nor is what this very reading found when it was loaded before.
        let is_later = prior.is_some_and(|prior| prior.began_at >= this.began_at) && !is_same;
        let times: HashMap<&Vec<String>, u32> =
            prior.iter().flat_map(|prior| prior.keys.iter().zip(prior.times.iter().copied())).collect();
        let known = absent.iter().filter(|(_, key)| times.contains_key(key)).count();
        // A person's word holds for the rows that were missing then, and for no others.
        let is_allowed = is_allowed || (known == absent.len() && prior.is_some_and(|prior| prior.is_allowed));
        let this = Suspects { is_allowed, ..this };
        let is_calm = inserted == 0 && known == absent.len() && known == times.len();
        let is_proof = self.says == Says::Missing && !is_held && !is_same && !is_later;
        let is_marked = |key: &Vec<String>| match (self.says, times.get(key)) {
            (Says::Gone, _) => !is_held,
            (_, Some(before)) if is_proof => is_calm || before + 1 >= ENOUGH,
            _ => false,
        };
        let (marked, others): (Vec<_>, Vec<_>) = absent.into_iter().partition(|(_, key)| is_marked(key));
        let (spare, keys): (Vec<String>, Vec<Vec<String>>) = others.into_iter().unzip();
        let suspects = match self.says {
            Says::Missing if is_same && !is_held => {
                let times = keys.iter().map(|key| times.get(key).copied().unwrap_or(1)).collect();
                Some(Suspects { keys, times, ..this })
            }
            Says::Missing if is_proof => {
                let times = keys.iter().map(|key| times.get(key).map_or(1, |before| before + 1)).collect();
                Some(Suspects { keys, times, ..this })
            }
            // Those that the API was asked for are answered.
            Says::Gone if !is_held => {
                self.prior.clone().map(|prior| Suspects { keys: Vec::new(), times: Vec::new(), ..prior })
            }
            // Nothing new is known: the suspects of before stay, less those that have come back.
            _ => {
                let known = keys.into_iter().filter_map(|key| Some((times.get(&key).copied()?, key)));
                let (times, keys) = known.unzip();
                self.prior.clone().map(|prior| Suspects { keys, times, ..prior })
            }
        };
        Settled { deleted: marked.len() as u64, spare, suspects }
    }
}

/// A reading that has been compared with the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) batch: &'a Batch,
    pub(super) round: Round,
    pub(super) table: &'a str,
    /// Another reason holds the batch's deletes back.
    pub(super) is_held: bool,
    /// A person has said that any number may go.
    pub(super) is_allowed: bool,
    /// Rows that the table did not have.
    pub(super) inserted: u64,
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

/// A row's name in the warehouse, taken apart: its account and the texts of its key. No key where a part of it is null, as it can be in a
/// table that another ETL has made: such a row is never asked for, and stays.
///
/// # Errors
/// The warehouse gave no such name.
pub(super) fn parts(name: &str) -> Result<(String, Option<Vec<String>>), LoadError> {
    let wrong = || LoadError::Internal(format!("the warehouse names a missing row `{name}`"));
    let list: Vec<Option<String>> = serde_json::from_str(name).map_err(|_| wrong())?;
    let mut list = list.into_iter();
    let account = list.next().flatten().ok_or_else(wrong)?;
    Ok((account, list.collect()))
}
