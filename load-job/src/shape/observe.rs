//! What was seen in all records of the batches that go into a table: each field's kinds, in the order of first appearance.
//! Workers observe apart and are merged; the result does not depend on how the records were divided.

use super::kind::Kinds;
use std::collections::HashMap;

/// The fields seen.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    fields: HashMap<String, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    kinds: Kinds,
    /// Number of the record, and place in it, where the field was first seen.
    first: (u64, u32),
}

impl Observed {
    /// Adds what was seen of a field.
    pub fn add(&mut self, field: &str, kinds: Kinds, first: (u64, u32)) {
        match self.fields.get_mut(field) {
            Some(seen) => {
                seen.kinds = seen.kinds.union(kinds);
                seen.first = seen.first.min(first);
            }
            None => {
                self.fields.insert(field.to_owned(), Seen { kinds, first });
            }
        }
    }

    /// Adds what another worker has seen.
    pub fn merge(&mut self, other: &Self) {
        for (field, seen) in &other.fields {
            self.add(field, seen.kinds, seen.first);
        }
    }

    /// The fields and their kinds, in the order of first appearance.
    pub fn fields(&self) -> Vec<(&str, Kinds)> {
        let mut order: Vec<(&String, &Seen)> = self.fields.iter().collect();
        order.sort_by(|a, b| a.1.first.cmp(&b.1.first).then_with(|| a.0.cmp(b.0)));
        order.into_iter().map(|(field, seen)| (field.as_str(), seen.kinds)).collect()
    }

    /// The kinds of one field; none if it was not seen.
    pub fn kinds(&self, field: &str) -> Kinds {
        self.fields.get(field).map(|seen| seen.kinds).unwrap_or_default()
    }
}
