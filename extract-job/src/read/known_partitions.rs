//! Which partitions a stream has had, where one state serves all of them: without a state of its own, a partition that comes later could not
//! be told from the others, and its older rows would never be read. Kept as hashes of eight bytes, up to a bound.

use crate::components::partition_router::identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// About a megabyte of state.
const MOST_KNOWN: usize = 100_000;

/// The partitions of a state.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum KnownPartitions {
    /// The state does not say: it is of before, and holds for all partitions.
    #[default]
    Untold,
    /// These.
    These(BTreeSet<u64>),
    /// More than are kept.
    TooMany,
}

impl KnownPartitions {
    /// Reads what [`Self::to_state`] has written.
    pub(super) fn parse(state: Option<&Value>) -> Option<Self> {
        match state {
            None => Some(Self::Untold),
            Some(Value::Null) => Some(Self::TooMany),
            Some(known) => {
                let bytes = STANDARD_NO_PAD.decode(known.as_str()?).ok()?;
                let (hashes, rest) = bytes.as_chunks::<8>();
                rest.is_empty().then(|| Self::These(hashes.iter().map(|hash| u64::from_be_bytes(*hash)).collect()))
            }
        }
    }

    /// As it lies in the state.
    pub(super) fn to_state(&self) -> Value {
        match self {
            Self::Untold | Self::TooMany => Value::Null,
            Self::These(hashes) => {
                let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_be_bytes()).collect();
                Value::String(STANDARD_NO_PAD.encode(bytes))
            }
        }
    }

    /// Whether a partition is surely new.
    pub(super) fn lacks(&self, partition: &Map<String, Value>) -> bool {
        matches!(self, Self::These(hashes) if !hashes.contains(&hash(partition)))
    }

    pub(super) fn add(&mut self, partition: &Map<String, Value>) {
        if *self == Self::Untold {
            *self = Self::These(BTreeSet::new());
        }
        if let Self::These(hashes) = self {
            hashes.insert(hash(partition));
            if hashes.len() > MOST_KNOWN {
                *self = Self::TooMany;
            }
        }
    }

    /// What people should know of it.
    pub(super) fn warning(&self) -> Option<String> {
        (*self == Self::TooMany).then(|| {
            format!(
                "the stream has had more than {MOST_KNOWN} partitions, which share one state: a partition that comes later is read from that \
                 state on, and rows of it that are older are not read; run with --full-refresh now and then"
            )
        })
    }
}

fn hash(partition: &Map<String, Value>) -> u64 {
    let digest = Sha256::digest(identity(partition));
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(id: usize) -> Map<String, Value> {
        json!({ "id": id }).as_object().unwrap().clone()
    }

    #[test]
    fn partitions_are_known_again() {
        let mut known = KnownPartitions::default();
        assert!(!known.lacks(&keys(1)), "a state of before holds for all");
        known.add(&keys(1));
        known.add(&keys(2));
        let read = KnownPartitions::parse(Some(&known.to_state())).unwrap();
        assert_eq!(read, known);
        assert_eq!([1, 2, 3].map(|id| read.lacks(&keys(id))), [false, false, true]);
        assert_eq!(KnownPartitions::parse(Some(&json!("AAAA"))), None);
        assert_eq!(KnownPartitions::parse(Some(&json!(7))), None);
    }

    #[test]
    fn beyond_the_bound_none_is_told_from_the_others() {
        let mut known = KnownPartitions::default();
        (0..=MOST_KNOWN).for_each(|id| known.add(&keys(id)));
        assert!(!known.lacks(&keys(MOST_KNOWN + 5)) && known.warning().is_some());
        let read = KnownPartitions::parse(Some(&known.to_state())).unwrap();
        assert_eq!(read, KnownPartitions::TooMany, "and it stays so");
    }
}
