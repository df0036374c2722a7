//! What the small stand-ins of APIs have in common: a server on threads of its own, a request log, a fault script, a rate limit and generations.
//! A fault strikes only requests that would have been served, so that scripts count exactly.

pub(crate) mod broken_answer;
mod control;
pub(crate) mod damage;
pub(crate) mod life;
pub(crate) mod serving;

pub use control::Control;
pub(crate) use control::lock;
pub use serving::StartError;

use std::collections::BTreeMap;

/// The records of each stream as the API would give them, in no order that matters.
pub type Oracle = BTreeMap<&'static str, Vec<serde_json::Value>>;
