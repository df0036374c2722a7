//! What happens to a record between the answer and the batch: extracted, filtered, transformed, redacted.
//! A record that nothing of this concerns is never built: its bytes stay as the API sent them.

pub(crate) mod extract;
pub(crate) mod making;
pub(crate) mod redaction;
pub(crate) mod refine;
pub(crate) mod tree;
pub(crate) mod verdict;
