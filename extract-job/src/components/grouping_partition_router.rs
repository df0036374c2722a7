//! GroupingPartitionRouter: the partitions of another router in groups: each key and each extra field becomes a list of values.

use super::partition_router::{PARENT_SLICE, Partition, PartitionRouter};
use crate::manifest::reader::Reader;
use serde_json::{Map, Value};
use std::collections::HashSet;

#[derive(Debug)]
pub(crate) struct GroupingPartitionRouter {
    size: usize,
    underlying: PartitionRouter,
    deduplicate: bool,
}

impl GroupingPartitionRouter {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("group_size");
        let size = reader.integer("group_size", 1);
        let underlying =
            reader.required_child("underlying_partition_router").and_then(|child| PartitionRouter::read(&child));
        let deduplicate = reader.boolean("deduplicate", true);
        reader.finish();
        Some(Self { size: usize::try_from(size?).ok()?, underlying: underlying?, deduplicate })
    }

    pub(crate) fn underlying(&self) -> &PartitionRouter {
        &self.underlying
    }

    pub(crate) fn grouping(&self) -> Grouping {
        Grouping { size: self.size, seen: self.deduplicate.then(HashSet::new), group: Vec::new() }
    }
}

/// Gathers partitions into groups.
#[derive(Debug)]
pub(crate) struct Grouping {
    size: usize,
    seen: Option<HashSet<String>>,
    group: Vec<Partition>,
}

impl Grouping {
    /// Takes a partition; a group comes back when it is full.
    ///
    /// # Errors
    /// A partition of more than one key.
    pub(crate) fn push(&mut self, mut partition: Partition) -> Result<Option<Partition>, String> {
        partition.keys.remove(PARENT_SLICE);
        if partition.keys.len() != 1 {
            return Err("the GroupingPartitionRouter needs partitions of one key".into());
        }
        if let Some(seen) = &mut self.seen
            && !seen.insert(partition.identity())
        {
            return Ok(None);
        }
        self.group.push(partition);
        Ok(if self.group.len() >= self.size { self.rest() } else { None })
    }

    /// The last group, which may be smaller.
    pub(crate) fn rest(&mut self) -> Option<Partition> {
        if self.group.is_empty() {
            return None;
        }
        let mut grouped = Partition::default();
        for partition in self.group.drain(..) {
            gather(&mut grouped.keys, partition.keys);
            gather(&mut grouped.extra, partition.extra);
        }
        Some(grouped)
    }
}

fn gather(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        if let Value::Array(items) = into.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
            items.push(value);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_gathered_once_each() {
        let mut grouping = Grouping { size: 2, seen: Some(HashSet::new()), group: Vec::new() };
        let partition = |id: u64| Partition {
            keys: json!({"id": id, "parent_slice": {"x": id}}).as_object().unwrap().clone(),
            extra: json!({"at": id * 10}).as_object().unwrap().clone(),
        };
        let groups: Vec<_> = [1, 2, 1, 3].iter().filter_map(|id| grouping.push(partition(*id)).unwrap()).collect();
        assert_eq!(groups.len(), 1);
        assert_eq!(Value::Object(groups[0].keys.clone()), json!({"id": [1, 2]}));
        assert_eq!(Value::Object(groups[0].extra.clone()), json!({"at": [10, 20]}));
        assert_eq!(Value::Object(grouping.rest().unwrap().keys), json!({"id": [3]}));
        assert!(grouping.rest().is_none());
    }
}
