//! Which of the fields that the pipeline file gives a type (`columns`) the records have shown: a misspelt one has no effect.

use crate::record::refine::Refined;
use crate::record_slicer::has_field;
use std::sync::atomic::{AtomicBool, Ordering};

/// The fields of one stream of one account, and whether a record has had them.
#[derive(Debug)]
pub(crate) struct HintSight {
    fields: Vec<(String, AtomicBool)>,
    records: AtomicBool,
}

impl HintSight {
    /// Of the fields named.
    pub(crate) fn new<'a>(fields: impl Iterator<Item = &'a String>) -> Self {
        let fields = fields.map(|field| (field.clone(), AtomicBool::new(false))).collect();
        Self { fields, records: AtomicBool::new(false) }
    }

    /// Looks at the records of a page for what has not been seen yet.
    pub(super) fn see(&self, refined: &Refined) {
        if refined.records.is_empty() {
            return;
        }
        self.records.store(true, Ordering::Relaxed);
        for (field, seen) in self.fields.iter().filter(|(_, seen)| !seen.load(Ordering::Relaxed)) {
            let has = |range: &std::ops::Range<usize>| {
                refined.body.get(range.clone()).is_some_and(|record| has_field(record, field))
            };
            if refined.records.iter().any(has) {
                seen.store(true, Ordering::Relaxed);
            }
        }
    }

    /// What people should know of it; nothing where there were no records to judge by.
    pub(crate) fn warning(&self) -> Option<String> {
        let unseen = self.fields.iter().filter(|(_, seen)| !seen.load(Ordering::Relaxed));
        let unseen: Vec<String> = unseen.map(|(field, _)| format!("`{field}`")).collect();
        let is_told = self.records.load(Ordering::Relaxed) && !unseen.is_empty();
        is_told.then(|| format!("`columns` names {}, which no record has: it has no effect there", unseen.join(", ")))
    }
}
