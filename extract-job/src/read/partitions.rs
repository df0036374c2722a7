//! Where partitions come from: lists, and the records of parent streams, which are read here page by page and never held whole.
//! Parents have memory of their own, so that those who wait for their partitions cannot hold back their pages.

use super::cpu::Cpu;
use super::memory::PageMemory;
use super::page::{Page, ReadError};
use super::slice::{Slice, SliceOutcome};
use super::stream_reader::{Opened, Plan, RecordSink, SliceSink, StreamReader};
use crate::components::expression::Scope;
use crate::components::grouping_partition_router::GroupingPartitionRouter;
use crate::components::partition_router::{Partition, PartitionRouter, identity};
use crate::components::substream_partition_router::{Keying, ParentStreamConfig, SubstreamPartitionRouter};
use crate::record::tree::Tree;
use async_trait::async_trait;
use contract::evidence::{Doubt, Evidence};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Bytes of a parent's pages at once.
const PARENT_MEMORY: usize = 8 * 1024 * 1024;
/// Partitions that wait to be read.
const WAITING: usize = 256;

/// What making the partitions has told.
#[derive(Debug, Default)]
pub(crate) struct Parents {
    /// Each parent's state, for those whose changes alone are read.
    pub(crate) states: Map<String, Value>,
    /// Whether all partitions are known: what the parents' readings have proven, and the lists.
    pub(crate) evidence: Evidence,
    /// What people should know of the parents.
    pub(crate) warnings: Vec<String>,
}

/// What one reading of partitions needs to know.
pub(crate) struct Source<'a> {
    pub(crate) reader: &'a StreamReader,
    pub(crate) scope: &'a Scope,
    pub(crate) plan: &'a Plan,
    /// The child's state of each parent stream.
    pub(crate) parent_states: &'a Map<String, Value>,
    /// Whether the child has a cursor, without which no parent's changes alone are read.
    pub(crate) child_has_cursor: bool,
}

impl Source<'_> {
    /// Sends all partitions of a router. Stops quietly when nobody takes them any more.
    pub(crate) fn send<'s>(
        &'s self,
        router: &'s PartitionRouter,
        into: Sender<Partition>,
    ) -> BoxFuture<'s, Result<Parents, ReadError>> {
        async move {
            match router {
                PartitionRouter::List(list) => {
                    let partitions = list.partitions(self.scope).map_err(ReadError)?;
                    let mut parents = Parents::default();
                    let values = partitions.iter().map(|partition| identity(&partition.keys));
                    parents.evidence.scope.lists(self.reader.stream_name(), values);
                    for partition in partitions {
                        if into.send(partition).await.is_err() {
                            break;
                        }
                    }
                    Ok(parents)
                }
                PartitionRouter::Substream(substream) => self.substream(substream, into).await,
                PartitionRouter::Grouping(grouping) => self.grouping(grouping, into).await,
                PartitionRouter::Product(routers) => self.product(routers, into).await,
            }
        }
        .boxed()
    }

    async fn substream(
        &self,
        substream: &SubstreamPartitionRouter,
        into: Sender<Partition>,
    ) -> Result<Parents, ReadError> {
        let mut parents = Parents::default();
        let seen = Arc::new(Mutex::new(HashSet::new()));
        for parent in substream.parents() {
            if into.is_closed() {
                break;
            }
            let name = parent.stream.name.clone();
            let keying = parent.keying(self.scope).map_err(ReadError)?;
            let keyless = Arc::new(AtomicU64::new(0));
            let cpu = self.reader.cpu();
            let sink = ParentSink { keying, into: into.clone(), seen: seen.clone(), keyless: keyless.clone(), cpu };
            let reader = self.reader.parent(parent.stream.clone(), PageMemory::new(PARENT_MEMORY));
            let outcome = match reader.read(&self.parent_plan(parent), &sink).await {
                Ok(outcome) => outcome,
                Err(_) if into.is_closed() => break,
                Err(error) => return Err(ReadError(format!("the parent stream `{name}`: {error}"))),
            };
            parents.evidence.add_parent(&name, &outcome.evidence);
            parents.warnings.extend(outcome.warnings.iter().map(|text| format!("the parent stream `{name}`: {text}")));
            let keyless = keyless.load(Ordering::Relaxed);
            if keyless > 0 {
                let text = format!("{keyless} records of the parent stream `{name}` have no `{}`", sink.keying.key());
                parents.warnings.push(format!("{text}: what belongs to them is not read"));
                parents.evidence.doubt(Doubt::NoPartition, || text);
            }
            if parent.incremental_dependency
                && let Some(state) = outcome.state_after
            {
                parents.states.insert(name, state);
            }
        }
        Ok(parents)
    }

    /// A parent is read from its start, unless the child follows its changes alone; and as strictly as the child.
    fn parent_plan(&self, parent: &ParentStreamConfig) -> Plan {
        let follows = parent.incremental_dependency && self.child_has_cursor && !self.plan.snapshot;
        Plan {
            state: self.parent_states.get(&parent.stream.name).filter(|_| follows).cloned(),
            backfill: self.plan.backfill.filter(|_| follows),
            limit: None,
            snapshot: self.plan.snapshot,
        }
    }

    async fn grouping(
        &self,
        grouping: &GroupingPartitionRouter,
        into: Sender<Partition>,
    ) -> Result<Parents, ReadError> {
        let (sender, mut receiver) = channel(WAITING);
        let gather = async move {
            let mut groups = grouping.grouping();
            while let Some(partition) = receiver.recv().await {
                if let Some(group) = groups.push(partition).map_err(ReadError)?
                    && into.send(group).await.is_err()
                {
                    return Ok(());
                }
            }
            if let Some(group) = groups.rest() {
                let _ = into.send(group).await;
            }
            Ok(())
        };
        let (parents, ()) = futures::try_join!(self.send(grouping.underlying(), sender), gather)?;
        Ok(parents)
    }

    /// Every partition of the first router with every one of the others, the last turning fastest.
    async fn product(&self, routers: &[PartitionRouter], into: Sender<Partition>) -> Result<Parents, ReadError> {
        let mut parents = Parents::default();
        let Some((first, others)) = routers.split_first() else { return Ok(parents) };
        let mut inner: Vec<Vec<Partition>> = Vec::new();
        for router in others {
            let (sender, receiver) = channel(WAITING);
            let (told, partitions) = futures::join!(self.send(router, sender), all(receiver));
            parents.add(told?);
            inner.push(partitions);
        }
        let (sender, mut receiver) = channel(WAITING);
        let combine = async move {
            while let Some(outer) = receiver.recv().await {
                for partition in combinations(&outer, &inner) {
                    if into.send(partition).await.is_err() {
                        return;
                    }
                }
            }
        };
        let (told, ()) = futures::join!(self.send(first, sender), combine);
        parents.add(told?);
        Ok(parents)
    }
}

impl Parents {
    fn add(&mut self, other: Self) {
        self.states.extend(other.states);
        self.evidence.add(&other.evidence);
        self.warnings.extend(other.warnings);
    }
}

async fn all(mut receiver: Receiver<Partition>) -> Vec<Partition> {
    let mut partitions = Vec::new();
    while let Some(partition) = receiver.recv().await {
        partitions.push(partition);
    }
    partitions
}

/// The outer partition with each combination of the inner ones.
fn combinations(outer: &Partition, inner: &[Vec<Partition>]) -> Vec<Partition> {
    inner.iter().fold(vec![outer.clone()], |combined, choices| {
        let joined = |left: &Partition, right: &Partition| {
            let mut both = left.clone();
            both.keys.extend(right.keys.clone());
            both.extra.extend(right.extra.clone());
            both
        };
        combined.iter().flat_map(|left| choices.iter().map(move |right| joined(left, right))).collect()
    })
}

/// Takes a parent's records and sends a partition for each.
struct ParentSink {
    keying: Keying,
    into: Sender<Partition>,
    /// Hashes of the partitions so far, over all parents.
    seen: Arc<Mutex<HashSet<u64>>>,
    /// Records that have no key, and make no partition.
    keyless: Arc<AtomicU64>,
    cpu: Cpu,
}

#[async_trait]
impl RecordSink for ParentSink {
    async fn open(&self, slice: &Slice) -> Result<Opened, ReadError> {
        Ok(Opened::Sink(Box::new(ParentSlice {
            keying: self.keying.clone(),
            parent: slice.partition.clone(),
            into: self.into.clone(),
            seen: self.seen.clone(),
            keyless: self.keyless.clone(),
            cpu: self.cpu.clone(),
        })))
    }
}

struct ParentSlice {
    keying: Keying,
    parent: Arc<Partition>,
    into: Sender<Partition>,
    seen: Arc<Mutex<HashSet<u64>>>,
    keyless: Arc<AtomicU64>,
    cpu: Cpu,
}

#[async_trait]
impl SliceSink for ParentSlice {
    async fn page(&mut self, page: Page, _total: Option<u64>) -> Result<(), ReadError> {
        let (keying, parent) = (self.keying.clone(), self.parent.clone());
        // With the work the page is given up: its memory must be free before this waits for whoever takes the partitions.
        let read = move || {
            let (mut partitions, mut keyless) = (Vec::with_capacity(page.records.len()), 0);
            for range in &page.records {
                let record = Tree::parse(page.body.bytes.get(range.clone()).unwrap_or_default());
                match keying.partition(&record.map_err(|error| format!("a record cannot be read: {error}"))?, &parent) {
                    Some(partition) => partitions.push(partition),
                    None => keyless += 1,
                }
            }
            Ok((partitions, keyless))
        };
        let (partitions, keyless) = self.cpu.run(read).await.and_then(|read| read).map_err(ReadError)?;
        self.keyless.fetch_add(keyless, Ordering::Relaxed);
        for partition in partitions {
            let mut hasher = DefaultHasher::new();
            partition.identity().hash(&mut hasher);
            let is_new = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(hasher.finish());
            if is_new && self.into.send(partition).await.is_err() {
                return Err(ReadError("nobody takes the partitions any more".into()));
            }
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn discard(&mut self) -> Result<(), ReadError> {
        // A partition that was sent comes no second time.
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    async fn finish(self: Box<Self>, _outcome: &SliceOutcome) -> Result<(), ReadError> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_of_a_product_turns_fastest() {
        let of = |key: &str, value: u64| Partition {
            keys: Map::from_iter([(key.to_owned(), json!(value))]),
            extra: Map::new(),
        };
        let inner = vec![vec![of("b", 1), of("b", 2)], vec![of("c", 1), of("c", 2)]];
        let all: Vec<Value> =
            combinations(&of("a", 0), &inner).into_iter().map(|partition| Value::Object(partition.keys)).collect();
        let expected = json!([
            {"a": 0, "b": 1, "c": 1}, {"a": 0, "b": 1, "c": 2}, {"a": 0, "b": 2, "c": 1}, {"a": 0, "b": 2, "c": 2}
        ]);
        assert_eq!(Value::Array(all), expected);
    }
}
