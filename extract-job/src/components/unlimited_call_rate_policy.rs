//! UnlimitedCallRatePolicy: its requests take no slot, so that a later policy does not count them.
//! They keep the pauses that the API asks for, like all others.

use crate::manifest::reader::Reader;

#[derive(Debug)]
pub(crate) struct UnlimitedCallRatePolicy;

impl UnlimitedCallRatePolicy {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        if !reader.has("matchers") {
            // Without matchers it would switch off every policy after it.
            reader.required("matchers");
            return None;
        }
        Some(Self)
    }
}
