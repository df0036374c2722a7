//! What the records of a reading have shown of the fields that are to be redacted.

use crate::record::tree::Tree;
use contract::pipeline::did_you_mean;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// So many names of the first record are kept, for people who have misspelt one.
const MOST_NAMES: usize = 500;

/// What one record has shown of one path.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// It has the field.
    pub(super) matched: bool,
    /// It has a text where the path goes deeper.
    pub(super) text: bool,
    /// How it spells the field, where that is not as the path does.
    pub(super) other_case: Option<String>,
}

impl Met {
    pub(super) fn add(&mut self, other: Self) {
        self.matched |= other.matched;
        self.text |= other.text;
        self.other_case = self.other_case.take().or(other.other_case);
    }

    pub(super) fn found(&mut self, have: &str, named: &str) {
        self.matched = true;
        if have != named {
            self.other_case.get_or_insert_with(|| have.to_owned());
        }
    }
}

/// What all records have shown.
#[derive(Debug, Default)]
pub(super) struct Sight {
    matched: Vec<AtomicBool>,
    other_case: Mutex<Vec<(usize, String)>>,
    names: OnceLock<Vec<String>>,
    failed: AtomicBool,
}

impl Sight {
    pub(super) fn of(fields: usize) -> Self {
        Self { matched: std::iter::repeat_with(AtomicBool::default).take(fields).collect(), ..Self::default() }
    }

    /// Keeps the names of the first record.
    pub(super) fn record(&self, record: &Tree) {
        self.names.get_or_init(|| {
            let mut names = Vec::new();
            collect(record, "", &mut names);
            names
        });
    }

    pub(super) fn met(&self, field: usize, met: Met) {
        if let Some(matched) = self.matched.get(field).filter(|_| met.matched) {
            matched.store(true, Ordering::Relaxed);
        }
        let Some(name) = met.other_case else { return };
        let mut known = self.other_case.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().all(|(have, _)| *have != field) {
            known.push((field, name));
        }
    }

    pub(super) fn has(&self, field: usize) -> bool {
        self.matched.get(field).is_some_and(|matched| matched.load(Ordering::Relaxed))
    }

    pub(super) fn other_case(&self, field: usize) -> Option<String> {
        let known = self.other_case.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(have, _)| *have == field).map(|(_, name)| name.clone())
    }

    /// The field of the first record that is spelt most alike, in words.
    pub(super) fn nearest(&self, name: &str) -> String {
        did_you_mean(name, self.names.get().into_iter().flatten().map(String::as_str))
    }

    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

fn collect(tree: &Tree, above: &str, names: &mut Vec<String>) {
    match tree {
        Tree::List(items) => items.iter().take(3).for_each(|item| collect(item, above, names)),
        Tree::Map(entries) => {
            for (key, value) in entries {
                if names.len() >= MOST_NAMES {
                    return;
                }
                let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
                collect(value, &name, names);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Tree::Scalar(_) => {}
    }
}
