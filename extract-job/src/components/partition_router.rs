//! What a retriever's `partition_router` can be: a list of values, the records of parent streams, groups of either, or the product of
//! several (a list; the last one turns fastest). How parents are read is told in `read::partitions`.

use super::expression::Scope;
use super::grouping_partition_router::GroupingPartitionRouter;
use super::list_partition_router::ListPartitionRouter;
use super::request_option::Injection;
use super::substream_partition_router::{ParentStreamConfig, SubstreamPartitionRouter};
use crate::manifest::reader::Reader;
use contract::yaml::{Kind, Node};
use serde_json::{Map, Value};

/// One part of a stream: what its key fields are, and what else its parent's record has given.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Partition {
    /// The fields of the slice; `parent_slice` holds the parent's own partition.
    pub(crate) keys: Map<String, Value>,
    /// `stream_slice.extra_fields`.
    pub(crate) extra: Map<String, Value>,
}

/// The field of a partition under which its parent's partition lies.
pub(crate) const PARENT_SLICE: &str = "parent_slice";

#[derive(Debug)]
pub(crate) enum PartitionRouter {
    List(ListPartitionRouter),
    Substream(SubstreamPartitionRouter),
    Grouping(Box<GroupingPartitionRouter>),
    Product(Vec<PartitionRouter>),
}

impl PartitionRouter {
    /// The router of a retriever; the outer option is empty where it cannot be read.
    pub(crate) fn of(retriever: &Reader<'_>) -> Option<Option<Self>> {
        match retriever.get("partition_router").map(|node: &Node| &node.kind) {
            None => Some(None),
            Some(Kind::Seq(items)) => {
                let children = retriever.children("partition_router");
                let mut routers: Vec<Self> = children.iter().filter_map(Self::read).collect();
                if routers.len() < items.len() {
                    return None;
                }
                Some(match routers.len() {
                    0 | 1 => routers.pop(),
                    _ => Some(Self::Product(routers)),
                })
            }
            Some(_) => Self::read(&retriever.child("partition_router")?).map(Some),
        }
    }

    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "ListPartitionRouter" => ListPartitionRouter::read(reader).map(Self::List),
            "SubstreamPartitionRouter" => SubstreamPartitionRouter::read(reader).map(Self::Substream),
            "GroupingPartitionRouter" => {
                GroupingPartitionRouter::read(reader).map(|router| Self::Grouping(Box::new(router)))
            }
            _ => {
                reader.unsupported("ListPartitionRouter, SubstreamPartitionRouter, GroupingPartitionRouter");
                None
            }
        }
    }

    /// What a partition adds to each request.
    pub(crate) fn injections(&self, partition: &Partition, scope: &Scope) -> Result<Vec<Injection>, String> {
        match self {
            Self::List(list) => list.injections(partition, scope),
            Self::Substream(substream) => substream.injections(partition, scope),
            // Groups stand in the slice alone; where they go is said by the requester's templates.
            Self::Grouping(_) => Ok(Vec::new()),
            Self::Product(routers) => {
                let mut all = Vec::new();
                for router in routers {
                    all.extend(router.injections(partition, scope)?);
                }
                Ok(all)
            }
        }
    }

    /// The parent streams, however deep they stand.
    pub(crate) fn parents(&self) -> Vec<&ParentStreamConfig> {
        match self {
            Self::List(_) => Vec::new(),
            Self::Substream(substream) => substream.parents().iter().collect(),
            Self::Grouping(grouping) => grouping.underlying().parents(),
            Self::Product(routers) => routers.iter().flat_map(Self::parents).collect(),
        }
    }

    /// The fields of its partitions; none where the settings name one.
    pub(crate) fn fields(&self) -> Option<Vec<String>> {
        match self {
            Self::List(list) => Some(vec![list.plain_field()?]),
            Self::Substream(substream) => substream.parents().iter().map(ParentStreamConfig::plain_field).collect(),
            Self::Grouping(grouping) => grouping.underlying().fields(),
            Self::Product(routers) => Some(routers.iter().map(Self::fields).collect::<Option<Vec<_>>>()?.concat()),
        }
    }

    /// Whether partitions are put into groups.
    pub(crate) fn has_groups(&self) -> bool {
        match self {
            Self::Grouping(_) => true,
            Self::Product(routers) => routers.iter().any(Self::has_groups),
            Self::List(_) | Self::Substream(_) => false,
        }
    }

    /// The lists of values among the routers.
    pub(crate) fn lists(&self) -> Vec<&ListPartitionRouter> {
        match self {
            Self::List(list) => vec![list],
            Self::Substream(_) => Vec::new(),
            Self::Grouping(grouping) => grouping.underlying().lists(),
            Self::Product(routers) => routers.iter().flat_map(Self::lists).collect(),
        }
    }
}

impl Partition {
    /// What templates see as `stream_slice`, together with the fields of a window.
    pub(crate) fn slice(&self, window: Map<String, Value>) -> Value {
        let mut slice = self.keys.clone();
        slice.extend(window);
        slice.insert("extra_fields".into(), Value::Object(self.extra.clone()));
        Value::Object(slice)
    }

    /// Tells partitions apart, whatever the order of their fields.
    pub(crate) fn identity(&self) -> String {
        identity(&self.keys)
    }
}

/// A mapping as a text that does not depend on the order of its keys.
pub(crate) fn identity(keys: &Map<String, Value>) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(&Value::Object(keys.clone())).to_string()
}
