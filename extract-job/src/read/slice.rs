//! A slice: one partition of a stream in one window of time; and what its reading has given.

use crate::components::partition_router::{Partition, identity};
use crate::components::windows::Window;
use chrono::{DateTime, FixedOffset};
use contract::evidence::Evidence;
use serde_json::{Map, Value};
use std::sync::Arc;

/// One part of a stream, read page by page.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    /// Which partition it belongs to, and which of its windows it is.
    pub(crate) number: SliceNumber,
    pub(crate) partition: Arc<Partition>,
    pub(crate) window: Option<Window>,
    /// The page token to start with.
    pub(crate) token: Option<Value>,
}

/// Its place among the slices of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SliceNumber {
    pub(crate) partition: usize,
    pub(crate) window: usize,
}

/// What a whole slice has given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SliceOutcome {
    pub(crate) records: u64,
    /// The highest cursor value among its records.
    pub(crate) highest: Option<DateTime<FixedOffset>>,
    /// The last page token that the API gave.
    pub(crate) last_token: Option<Value>,
    /// What its reading has proven.
    pub(crate) evidence: Evidence,
}

impl Slice {
    /// Tells it apart from all other slices of its stream, also in another run of the program. Empty for a stream that is one slice.
    pub(crate) fn identity(&self) -> String {
        if self.partition.keys.is_empty() && self.window.is_none() {
            return String::new();
        }
        let mut keys = Map::new();
        keys.insert("partition".into(), Value::Object(self.partition.keys.clone()));
        if let Some(window) = self.window {
            keys.insert("from".into(), window.start.to_rfc3339().into());
            keys.insert("to".into(), window.end.to_rfc3339().into());
        }
        identity(&keys)
    }
}
