//! Live rows that a batch lacks: which of them are marked as deleted, which are suspects from now on, and which stay as they are.
//! A row is marked only when it is missing again: from another complete reading, or because the API says that it does not have it.

use super::check::{Candidate, Checked};
use super::error::LoadError;
use crate::warehouse::{AccountChange, Decision, TableName};
use contract::batch::{Batch, BatchMode, Write};
use contract::evidence::ReadingScope;
use contract::landing::Landing;
use contract::report::{UnitReport, UnitStatus};
use contract::round::Round;
use contract::suspects::{self, Suspects};
use std::collections::{HashMap, HashSet};

/// Two complete readings prove that a row is gone where the second has the very rows of the first. Where rows came and went meanwhile, pages
/// have shifted, and a row that is there can slip through both: then so many readings in a row must lack it.
const ENOUGH: u32 = 4;
/// So many bytes the names of rows may have that a statement is told, of all accounts together: a request to BigQuery takes 10 MB in all.
pub(super) const MOST_NAMED: usize = 6 << 20;

/// How a batch's absent rows are treated.
#[derive(Debug)]
pub(super) struct Absence {
    /// What an earlier reading has found missing.
    prior: Option<Suspects>,
    /// What the batch can say of rows that it lacks.
    says: Says,
    /// So many bytes of names its account may add to a statement.
    share: usize,
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
    /// So many suspects the API does not have, and the warehouse neither, by the texts of their keys.
    pub(super) unmatched: u64,
    /// So many rows could be marked, and are not: those to spare are too many.
    pub(super) withheld: u64,
}

impl Absence {
    /// `is_loadable`: no record of the batch was rejected.
    /// `share` is the part of a statement's names that this account may take.
    pub(super) fn of(batch: &Batch, is_loadable: bool, prior: Option<Suspects>, share: usize) -> Self {
        let says = match batch.mode {
            BatchMode::Snapshot if is_loadable && batch.is_whole() => Says::Missing,
            BatchMode::Confirm if is_loadable => Says::Gone,
            _ => Says::Nothing,
        };
        let prior = prior.filter(|prior| prior.primary_key == batch.primary_key).map(|prior| {
            // Too many to ask which of them have come back: then none is a suspect any more, and the next complete reading starts anew.
            let is_too_much = says == Says::Nothing && size(&prior.keys) > share;
            if is_too_much { Suspects { keys: Vec::new(), times: Vec::new(), ..prior } } else { prior }
        });
        Self { prior, says, share }
    }

    /// The rows that the change set is to look for.
    pub(super) fn change(&self, batch: &Batch) -> AccountChange {
        let name = |key: &Vec<String>| {
            let list: Vec<&String> = std::iter::once(&batch.account).chain(key).collect();
            serde_json::to_string(&list).unwrap_or_default()
        };
        let named = match (&self.says, &self.prior) {
            (Says::Missing, _) => None,
            (Says::Gone, _) => Some(answered(batch, self.share).iter().map(name).collect()),
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
        let gone: HashSet<&Vec<String>> = match self.says {
            Says::Gone if !is_held => {
                answered(batch, self.share).iter().filter(|key| times.contains_key(key)).collect()
            }
            _ => HashSet::new(),
        };
        let unmatched = gone.len().saturating_sub(absent.len()) as u64;
        let is_marked = |key: &Vec<String>| match (self.says, times.get(key)) {
            (Says::Gone, _) => !is_held,
            (_, Some(before)) if is_proof => is_calm || before + 1 >= ENOUGH,
            _ => false,
        };
        let (mut marked, mut others): (Vec<_>, Vec<_>) = absent.into_iter().partition(|(_, key)| is_marked(key));
        let mut withheld = 0;
        if !marked.is_empty() && others.iter().map(|(name, _)| name.len() + 64).sum::<usize>() > self.share {
            withheld = marked.len() as u64;
            others.append(&mut marked);
        }
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
        Settled { deleted: marked.len() as u64, spare, suspects, unmatched, withheld }
    }
}

/// The keys that the API says it does not have, as many as the account's share of a statement holds; the next complete reading lacks the others
/// again.
fn answered(batch: &Batch, share: usize) -> &[Vec<String>] {
    let mut bytes = 0;
    let fits = |key: &&Vec<String>| {
        bytes += size(std::slice::from_ref(*key));
        bytes <= share
    };
    let count = batch.gone.iter().take_while(fits).count();
    &batch.gone[..count]
}

/// About the bytes of so many keys in a statement.
fn size(keys: &[Vec<String>]) -> usize {
    keys.iter().map(|key| key.iter().map(|text| text.len() + 4).sum::<usize>() + 96).sum()
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

/// A comparison of batches with their table, by which it is decided what becomes of the rows that they lack.
pub(super) struct Comparison<'a> {
    pub(super) table: &'a TableName,
    pub(super) write: Write,
    pub(super) candidates: &'a [Candidate],
    /// For each of them, whether another reason holds its deletes back.
    pub(super) held: &'a [bool],
    /// A person has said that any number may go.
    pub(super) is_allowed: bool,
}

impl Comparison<'_> {
    /// Decides on the rows that are missing, by the names that the warehouse gave them: the counts of the reports, one for each candidate, what
    /// the apply leaves out, and the suspects from now on.
    pub(super) fn settle(
        &self,
        units: &mut [UnitReport],
        absences: Vec<Absence>,
        missing: Vec<String>,
        decision: &mut Decision,
    ) -> Result<Vec<Settled>, LoadError> {
        let mut keyless: HashMap<String, Vec<String>> = HashMap::new();
        let mut by_account: HashMap<String, Vec<(String, Vec<String>)>> = HashMap::new();
        for name in missing {
            match parts(&name)? {
                (account, Some(key)) => by_account.entry(account).or_default().push((name, key)),
                (account, None) => keyless.entry(account).or_default().push(name),
            }
        }
        let Self { write, candidates, held, is_allowed, .. } = *self;
        let name = self.table.to_string();
        let mut all = Vec::with_capacity(units.len());
        for (((unit, candidate), absence), held) in units.iter_mut().zip(candidates).zip(absences).zip(held) {
            if unit.status == UnitStatus::Failed || !write.marks_absent() {
                all.push(Settled::default());
                continue;
            }
            let Candidate { work, checked, .. } = candidate;
            let batch = &checked.batch;
            let absent = by_account.remove(&batch.account).unwrap_or_default();
            let counts = absence.counts() && !held;
            let reading = Reading {
                batch,
                round: work.round,
                table: &name,
                is_held: *held,
                is_allowed,
                inserted: unit.rows_inserted,
            };
            let mut settled = absence.settle(&reading, absent);
            if settled.unmatched > 0 {
                unit.warnings.push(format!(
                    "the API says that it does not have {} more of the rows that it was asked for, but {name} has no rows with their keys as they \
                     were asked for: they stay. Confirm this stream's deletes by a second reading instead: take `x-confirm` out of its manifest",
                    settled.unmatched
                ));
            }
            if settled.withheld > 0 {
                unit.warnings.push(format!(
                    "{} rows are shown to be gone, but {} others are missing and not yet shown to be: too many to tell apart in one statement, so \
                     that no row is marked in this run",
                    settled.withheld,
                    settled.spare.len() as u64 - settled.withheld
                ));
            }
            unit.rows_deleted = settled.deleted;
            unit.rows_suspected = if counts { settled.spare.len() as u64 } else { 0 };
            if settled.deleted == 0 {
                decision.keep.push(batch.account.clone());
            } else {
                decision.spare.append(&mut settled.spare);
                decision.spare.extend(keyless.remove(&batch.account).unwrap_or_default());
            }
            all.push(settled);
        }
        Ok(all)
    }
}

/// Writes down the rows that are suspects from now on.
pub(super) async fn keep_suspects(checked: &Checked, settled: Settled, landing: &dyn Landing) -> Result<(), LoadError> {
    let Some(found) = settled.suspects else { return Ok(()) };
    Ok(suspects::write(landing, &checked.batch.unit(), Some(&found)).await?)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    const BEFORE: &str = "20260101T000000Z-aaaaaa";

    fn batch(mode: &str, gone: &[&str]) -> Batch {
        let gone: Vec<[&str; 1]> = gone.iter().map(|key| [*key]).collect();
        serde_json::from_value(json!({
            "version": 1, "run_id": "20260101T000100Z-bbbbbb", "source": "s", "account": "a", "stream": "things", "table": "things",
            "primary_key": ["id"], "cursor_field": null, "mode": mode, "window": null, "stable": true, "state_after": null, "records": 0,
            "bytes": 0, "parts": [], "started_at": "2026-01-01T00:01:00Z", "finished_at": "2026-01-01T00:02:00Z", "tool_version": "0",
            "gone": gone,
        }))
        .unwrap()
    }

    /// The suspects of the run before, each missed so many times.
    fn suspects(keys: &[(&str, u32)]) -> Suspects {
        let began_at = "2026-01-01T00:00:00Z".parse().unwrap();
        let new = Suspects::new(BEFORE.parse().unwrap(), Round::First, "things", began_at, &["id".to_owned()]);
        let times = keys.iter().map(|(_, times)| *times).collect();
        Suspects { keys: keys.iter().map(|(key, _)| vec![(*key).to_owned()]).collect(), times, ..new }
    }

    fn settled(batch: &Batch, prior: Suspects, absent: impl Iterator<Item = (String, String)>) -> Settled {
        let reading =
            Reading { batch, round: Round::First, table: "things", is_held: false, is_allowed: false, inserted: 0 };
        let absent = absent.map(|(name, key)| (name, vec![key])).collect();
        Absence::of(batch, true, Some(prior), MOST_NAMED).settle(&reading, absent)
    }

    #[test]
    fn a_key_that_only_the_api_knows_is_told() {
        let batch = batch("confirm", &["1", "2.0"]);
        let named = |key: &str| (format!("[\"a\",\"{key}\"]"), key.to_owned());
        let found = settled(&batch, suspects(&[("1", 1), ("2.0", 1)]), [named("1")].into_iter());
        assert_eq!((found.deleted, found.unmatched), (1, 1));
        // Loaded again, they have been answered: nothing is left to find.
        let again = settled(&batch, found.suspects.unwrap(), std::iter::empty());
        assert_eq!((again.deleted, again.unmatched), (0, 0));
    }

    #[test]
    fn what_a_statement_cannot_be_told_is_left_to_later_runs() {
        let keys: Vec<String> = (0..200_000).map(|number| format!("{number:08}")).collect();
        let borrowed: Vec<&str> = keys.iter().map(String::as_str).collect();
        let many = || suspects(&borrowed.iter().map(|key| (*key, 1)).collect::<Vec<_>>());
        let doubtful = Absence::of(&batch("incremental", &[]), true, Some(many()), MOST_NAMED);
        assert_eq!(doubtful.change(&batch("incremental", &[])).named, Some(Vec::new()));
        let confirm = batch("confirm", &borrowed);
        let named = Absence::of(&confirm, true, Some(many()), MOST_NAMED).change(&confirm).named.unwrap();
        assert!(named.len() > 40_000 && named.iter().map(String::len).sum::<usize>() < MOST_NAMED, "{}", named.len());
        let absent = keys.iter().take(named.len()).map(|key| (key.clone(), key.clone()));
        assert_eq!(settled(&confirm, many(), absent).unmatched, 0);
    }

    #[test]
    fn a_statement_is_never_told_to_spare_more_rows_than_it_can_hold() {
        let batch = batch("snapshot", &[]);
        let long = "x".repeat(1000);
        let rows = |count: usize| {
            let name =
                move |number: usize| (number.to_string(), if number == 0 { "old".into() } else { number.to_string() });
            let long = long.clone();
            (0..count).map(name).map(move |(name, key)| (format!("{name}{long}"), key))
        };
        // Missing for the fourth time, while others are missing for the first.
        let found = settled(&batch, suspects(&[("old", ENOUGH - 1)]), rows(100));
        assert_eq!((found.deleted, found.withheld, found.spare.len()), (1, 0, 99));
        let found = settled(&batch, suspects(&[("old", ENOUGH - 1)]), rows(8000));
        assert_eq!((found.deleted, found.withheld, found.spare.len()), (0, 1, 8000));
        let left = found.suspects.unwrap();
        let old = left.keys.iter().position(|key| *key == ["old"]).unwrap();
        assert_eq!(left.times[old], ENOUGH, "it stays a suspect, and is marked as soon as it can be");
    }
}
