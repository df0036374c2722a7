//! Which field each column of an existing table belongs to, and which columns are nobody's but the user's.

use super::ExistingColumn;
use crate::shape::AUDIT_COLUMNS;
use crate::shape::hint::Hint;
use crate::shape::name::column_name;
use crate::shape::observe::Observed;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Which field each existing column belongs to: as the table remembers it, else the field that would like that name.
pub(super) fn owners(columns: &[ExistingColumn], hints: &[Hint], observed: &Observed) -> HashMap<String, String> {
    let remembered: HashSet<&str> = columns.iter().filter_map(|column| column.field.as_deref()).collect();
    let candidates = hints.iter().map(|hint| hint.field.as_str()).chain(observed.fields().into_iter().map(|(f, _)| f));
    let mut wishes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for field in candidates.filter(|field| !remembered.contains(field)) {
        wishes.entry(column_name(field)).or_default().push(field);
    }
    let mut owners = HashMap::new();
    for column in columns.iter().filter(|column| !AUDIT_COLUMNS.contains(&column.name.as_str())) {
        let wishing = wishes.get(&column.name.to_lowercase());
        let owner = column.field.clone().or_else(|| wishing.and_then(|fields| first_choice(&column.name, fields)));
        owners.insert(column.name.clone(), owner.unwrap_or_else(|| column.name.clone()));
    }
    owners
}

/// Which of the existing columns are written: not those that somebody has added to a table of ours for values of his own. A table that
/// remembers the fields of its key was made here, with all fields remembered; one of another ETL does not tell what is whose, nor does a
/// column whose comment somebody has written over.
pub(super) fn is_written<'a>(
    columns: &'a [ExistingColumn],
    hints: &'a [Hint],
    keys: &'a [String],
    observed: &'a Observed,
) -> impl Fn(&str, &ExistingColumn) -> bool + 'a {
    let remembers = |key: &String| columns.iter().any(|column| column.field.as_ref() == Some(key));
    let is_ours = !keys.is_empty() && keys.iter().all(remembers);
    move |field, column| {
        let is_known = column.field.is_some() || column.is_described || hints.iter().any(|hint| hint.field == *field);
        !is_ours || is_known || !observed.kinds(field).is_empty()
    }
}

/// Of several fields that want one name: the one that is spelt like it, else the first by its letters.
pub(super) fn first_choice(name: &str, fields: &[&str]) -> Option<String> {
    let exact = fields.iter().find(|field| **field == name);
    exact.or_else(|| fields.iter().min()).map(|field| (*field).to_owned())
}
