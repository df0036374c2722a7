//! The state of a stream whose partitions have a cursor each: read from the checkpoint, moved on by what the slices have given.
//! A partition that the state does not know is new: it is read from the stream's start. Where one state serves all, those that are known
//! start at the highest value of all, less the time that the last run took.

use super::known_partitions::KnownPartitions;
use crate::components::partition_router::identity;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// With more partitions than this, one state serves all of them.
pub(crate) const MOST_PARTITIONS: usize = 10_000;

/// What a state says of partitions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PartitionStates {
    is_global: bool,
    /// The state names its partitions: one that it does not name is new.
    is_listed: bool,
    /// The partitions, where one state serves all of them.
    known: KnownPartitions,
    /// In the order of the state: the partition's fields and its cursor's state.
    states: Vec<(Map<String, Value>, Value)>,
    places: HashMap<String, usize>,
    /// The highest value of all partitions.
    global: Option<Value>,
    /// Seconds.
    lookback: u64,
    parents: Map<String, Value>,
}

impl PartitionStates {
    /// Reads a state; a flat one (`{field: text}`) holds for all partitions.
    ///
    /// # Errors
    /// A state that is none.
    pub(crate) fn parse(state: Option<&Value>) -> Result<Self, String> {
        let Some(state) = state.filter(|state| !state.is_null()) else { return Ok(Self::default()) };
        let broken = || "the state is none of a partitioned stream; use --full-refresh".to_owned();
        let state = state.as_object().ok_or_else(broken)?;
        if state.is_empty() {
            return Ok(Self::default());
        }
        let known = ["states", "state", "use_global_cursor", "parent_state", "lookback_window"];
        if !known.iter().any(|key| state.contains_key(*key)) {
            return Ok(Self { global: Some(Value::Object(state.clone())), ..Self::default() });
        }
        let mut parsed = Self {
            is_global: state.get("use_global_cursor").and_then(Value::as_bool).unwrap_or(false),
            is_listed: state.contains_key("states"),
            known: KnownPartitions::parse(state.get("known_partitions")).ok_or_else(broken)?,
            global: state.get("state").filter(|global| !global.is_null()).cloned(),
            lookback: state.get("lookback_window").and_then(Value::as_u64).unwrap_or(0),
            parents: state.get("parent_state").and_then(Value::as_object).cloned().unwrap_or_default(),
            ..Self::default()
        };
        for entry in state.get("states").and_then(Value::as_array).into_iter().flatten() {
            let partition = entry.get("partition").and_then(Value::as_object).ok_or_else(broken)?;
            let cursor = entry.get("cursor").ok_or_else(broken)?;
            parsed.put(partition.clone(), cursor.clone());
        }
        Ok(parsed)
    }

    /// The state that a partition's cursor starts with, and the least lookback (seconds) that goes with it.
    pub(crate) fn of(&self, partition: &Map<String, Value>) -> (Option<&Value>, u64) {
        let own = self.places.get(&identity(partition)).and_then(|place| self.states.get(*place));
        let is_new = if self.is_global && !self.is_listed {
            self.known.lacks(partition)
        } else {
            self.is_listed && own.is_none()
        };
        match own.filter(|_| !self.is_global) {
            Some((_, cursor)) => (Some(cursor), 0),
            None if is_new => (None, 0),
            None => (self.global.as_ref(), if self.global.is_some() { self.lookback } else { 0 }),
        }
    }

    /// The states of cursors in it.
    pub(crate) fn cursors(&self) -> impl Iterator<Item = &Value> {
        self.states.iter().map(|(_, cursor)| cursor).chain(&self.global)
    }

    /// What people should know of partitions that come later.
    pub(crate) fn warning(&self) -> Option<String> {
        self.known.warning()
    }

    /// The state of a parent stream.
    pub(crate) fn parent(&self, name: &str) -> Option<&Value> {
        self.parents.get(name)
    }

    /// One state serves all partitions from now on.
    pub(crate) fn make_global(&mut self) {
        self.is_global = true;
    }

    /// All that the run has read is put: what is too much for a state each is known by name alone.
    pub(crate) fn settle(&mut self) {
        self.is_global |= self.states.len() > MOST_PARTITIONS;
        if self.is_global {
            self.states.iter().for_each(|(partition, _)| self.known.add(partition));
        }
    }

    pub(crate) fn global(&self) -> Option<&Value> {
        self.global.as_ref()
    }

    pub(crate) fn put(&mut self, partition: Map<String, Value>, cursor: Value) {
        match self.places.get(&identity(&partition)) {
            Some(place) => self.states[*place].1 = cursor,
            None => {
                self.places.insert(identity(&partition), self.states.len());
                self.states.push((partition, cursor));
            }
        }
    }

    /// The state after a run of so many seconds.
    pub(crate) fn into_state(self, global: Option<Value>, seconds: u64, parents: Map<String, Value>) -> Value {
        let mut state = Map::new();
        state.insert("use_global_cursor".into(), self.is_global.into());
        if !self.is_global {
            let entry =
                |(partition, cursor): (Map<String, Value>, Value)| json!({"partition": partition, "cursor": cursor});
            state.insert("states".into(), Value::Array(self.states.into_iter().map(entry).collect()));
        }
        if self.is_global {
            state.insert("known_partitions".into(), self.known.to_state());
        }
        if let Some(global) = global.or(self.global) {
            state.insert("state".into(), global);
        }
        state.insert("lookback_window".into(), seconds.into());
        if !parents.is_empty() {
            state.insert("parent_state".into(), Value::Object(parents));
        }
        Value::Object(state)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn keys(id: u64) -> Map<String, Value> {
        json!({"id": id, "parent_slice": {}}).as_object().unwrap().clone()
    }

    #[test]
    fn partitions_find_their_state_or_the_global_one() {
        let state = json!({
            "use_global_cursor": false, "lookback_window": 7, "state": {"at": "9"}, "parent_state": {"p": {"at": "5"}},
            "states": [{"partition": {"parent_slice": {}, "id": 1}, "cursor": {"at": "3"}}],
        });
        let states = PartitionStates::parse(Some(&state)).unwrap();
        assert_eq!(states.of(&keys(1)), (Some(&json!({"at": "3"})), 0), "whatever the order of the fields");
        assert_eq!(states.of(&keys(2)), (None, 0), "a new one starts where the stream does");
        assert_eq!(states.parent("p"), Some(&json!({"at": "5"})));
        let flat = PartitionStates::parse(Some(&json!({"at": "4"}))).unwrap();
        assert_eq!(flat.of(&keys(1)), (Some(&json!({"at": "4"})), 0));
        let fresh = PartitionStates::parse(None).unwrap();
        assert_eq!(fresh.of(&keys(1)), (None, 0));
        let global = PartitionStates::parse(Some(&json!({"use_global_cursor": true, "state": {"at": "9"}}))).unwrap();
        assert_eq!(global.of(&keys(1)).0, Some(&json!({"at": "9"})), "of before: it holds for all");
        assert!(PartitionStates::parse(Some(&json!({"states": [1]}))).is_err());
    }

    #[test]
    fn too_many_partitions_share_one_state() {
        let mut states = PartitionStates::default();
        for id in 0..=MOST_PARTITIONS as u64 {
            states.put(keys(id), json!({"at": "1"}));
        }
        states.settle();
        let state = states.into_state(Some(json!({"at": "1"})), 3, Map::new());
        let without_known: Map<String, Value> =
            state.as_object().unwrap().clone().into_iter().filter(|(key, _)| key != "known_partitions").collect();
        let expected = json!({"use_global_cursor": true, "state": {"at": "1"}, "lookback_window": 3});
        assert_eq!(Value::Object(without_known), expected);
        let mut next = PartitionStates::parse(Some(&state)).unwrap();
        assert_eq!(next.of(&keys(7)), (Some(&json!({"at": "1"})), 3));
        let late = keys(MOST_PARTITIONS as u64 + 1);
        assert_eq!(next.of(&late), (None, 0), "a new one starts where the stream does");
        next.put(late.clone(), json!({"at": "1"}));
        next.settle();
        let after = PartitionStates::parse(Some(&next.into_state(None, 3, Map::new()))).unwrap();
        assert_eq!([after.of(&late).0, after.of(&keys(7)).0], [Some(&json!({"at": "1"})); 2]);
    }
}
