//! Work units, and which task of a job takes which of them.
//! The shares are the same on every task: they follow from the units, their weights and the task count alone.

use crate::segment::is_safe_segment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One (source, account, stream): the smallest thing that is extracted, loaded, reported and retried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// Name of the source in the pipeline file.
    pub source: String,
    /// Id of the account.
    pub account: String,
    /// Name of the stream.
    pub stream: String,
}

impl Unit {
    /// A unit, if its source and account can stand in a path. A stream may have any name: it comes from a manifest that is perhaps not
    /// the user's to change, and is escaped in paths.
    ///
    /// # Errors
    /// The part that cannot, by name.
    pub fn new(source: &str, account: &str, stream: &str) -> Result<Self, String> {
        if stream.is_empty() {
            return Err("a stream needs a name".into());
        }
        for (what, text) in [("source", source), ("account", account)] {
            if !is_safe_segment(text) {
                return Err(format!(
                    "the {what} name `{text}` cannot stand in a path: use letters, digits, `_`, `-` and `.`"
                ));
            }
        }
        Ok(Self { source: source.into(), account: account.into(), stream: stream.into() })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.source, self.account, self.stream)
    }
}

/// Which task this process is: Cloud Run's `CLOUD_RUN_TASK_INDEX` of `CLOUD_RUN_TASK_COUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// From 0.
    pub index: usize,
    /// At least 1.
    pub count: usize,
}

impl Task {
    /// The only task.
    pub const ONLY: Self = Self { index: 0, count: 1 };

    /// Reads the two variables through `var`; neither set means the only task.
    ///
    /// # Errors
    /// The variable that is no number, or an index that is not below the count.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let read = |name: &str, default: usize| match var(name) {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| format!("{name} is `{text}`, which is no number")),
        };
        let task = Self { index: read("CLOUD_RUN_TASK_INDEX", 0)?, count: read("CLOUD_RUN_TASK_COUNT", 1)? };
        if task.count == 0 || task.index >= task.count {
            return Err(format!(
                "CLOUD_RUN_TASK_INDEX {} is not below CLOUD_RUN_TASK_COUNT {}",
                task.index, task.count
            ));
        }
        Ok(task)
    }
}

/// Deals groups of units to tasks: longest first onto the emptiest task, ties by name. A group (an account, a table) stays whole.
/// `weights` are durations of the last run (or sizes); a group without one weighs the mean of the known.
pub fn shares<G: Ord + Clone>(groups: &[G], weights: &BTreeMap<G, u64>, count: usize) -> Vec<Vec<G>> {
    let sum = |weights: &[u64]| weights.iter().copied().fold(0, u64::saturating_add);
    let known: Vec<u64> = groups.iter().filter_map(|group| weights.get(group).copied()).collect();
    let mean = if known.is_empty() { 1 } else { (sum(&known) / known.len() as u64).max(1) };
    let mut order: Vec<(u64, &G)> =
        groups.iter().map(|g| (weights.get(g).copied().unwrap_or(mean).max(1), g)).collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    order.dedup_by(|a, b| a.1 == b.1);
    let mut tasks: Vec<(u64, Vec<G>)> = vec![(0, Vec::new()); count.max(1)];
    for (weight, group) in order {
        let emptiest = (0..tasks.len()).min_by_key(|&index| (tasks[index].0, index)).unwrap_or(0);
        tasks[emptiest].0 = tasks[emptiest].0.saturating_add(weight);
        tasks[emptiest].1.push(group.clone());
    }
    tasks.into_iter().map(|(_, groups)| groups).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations_beyond_all_numbers_are_dealt_all_the_same() {
        let weights = BTreeMap::from([("a", u64::MAX), ("b", u64::MAX), ("c", 1)]);
        let mut dealt = shares(&["a", "b", "c", "d"], &weights, 2).concat();
        dealt.sort_unstable();
        assert_eq!(dealt, ["a", "b", "c", "d"]);
    }

    #[test]
    fn longest_first_onto_the_emptiest() {
        let weights = BTreeMap::from([("a", 8), ("b", 5), ("c", 4), ("d", 3)]);
        assert_eq!(shares(&["d", "c", "b", "a"], &weights, 2), vec![vec!["a", "d"], vec!["b", "c"]]);
        assert_eq!(shares(&["x", "y"], &BTreeMap::new(), 3), vec![vec!["x"], vec!["y"], vec![]]);
    }

    #[test]
    fn every_group_has_exactly_one_task() {
        let groups: Vec<u32> = (0..37).collect();
        let weights = groups.iter().filter(|g| **g % 3 == 0).map(|g| (*g, u64::from(*g) * 7 % 11)).collect();
        for count in 1..9 {
            let mut all: Vec<u32> = shares(&groups, &weights, count).concat();
            all.sort_unstable();
            assert_eq!(all, groups);
        }
    }

    #[test]
    fn the_task_comes_from_cloud_runs_variables() {
        let env = |index: &'static str, count: &'static str| {
            move |name: &str| Some(if name.ends_with("INDEX") { index } else { count }.to_owned())
        };
        assert_eq!(Task::from_env(|_| None).unwrap(), Task::ONLY);
        assert_eq!(Task::from_env(env("2", "4")).unwrap(), Task { index: 2, count: 4 });
        assert!(Task::from_env(env("4", "4")).is_err());
        assert!(Task::from_env(env("x", "4")).unwrap_err().contains("CLOUD_RUN_TASK_INDEX"));
    }
}
