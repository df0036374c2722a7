//! Where we differ from the reference engine on purpose, and why: `deviations.yaml`.
//! An entry is a promise too: when its case does not differ any more, the entry must go.

use super::compare::{Difference, What};
use serde::Deserialize;
use std::collections::BTreeSet;

/// One intended difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deviation {
    pub(super) case: String,
    pub(super) what: What,
    /// What ours does instead.
    pub(super) ours: String,
    pub(super) reason: String,
}

/// All entries.
pub(super) fn load() -> Vec<Deviation> {
    let (_, json) = super::yaml(&super::folder().join("deviations.yaml"));
    serde_json::from_value(json).unwrap_or_else(|error| panic!("deviations.yaml: {error}"))
}

/// The differences of a case that no entry names, and the entries of a case that name no difference.
pub(super) fn unexpected(case: &str, found: &[Difference]) -> Vec<String> {
    let expected: BTreeSet<What> =
        load().into_iter().filter(|entry| entry.case == case).map(|entry| entry.what).collect();
    let differing: BTreeSet<What> = found.iter().map(|difference| difference.what).collect();
    let unnamed = found.iter().filter(|difference| !expected.contains(&difference.what));
    let mut problems: Vec<String> = unnamed.map(|difference| difference.text.clone()).collect();
    let stale = expected.difference(&differing);
    problems
        .extend(stale.map(|what| format!("deviations.yaml: {case} does not differ in its {what}: delete the entry")));
    problems
}
