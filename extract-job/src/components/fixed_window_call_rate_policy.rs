//! FixedWindowCallRatePolicy: at most `call_limit` requests in one `period`, then a wait for the next.
//! The first period starts with the first request, and the API's own headers correct it. (In the reference engine the
//! first one lasts ten days where the API has no such headers.)

use super::expression::Scope;
use super::moving_window_call_rate_policy::read_span;
use super::number::Number;
use crate::http::budget::{Gate, Quota};
use crate::http::fixed_window::FixedWindow;
use crate::manifest::reader::Reader;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct FixedWindowCallRatePolicy {
    limit: Number,
    period: Duration,
}

impl FixedWindowCallRatePolicy {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("call_limit");
        let limit = Number::read_whole(reader, "call_limit", 1);
        let period = read_span(reader, "period");
        Some(Self { limit: limit?, period: period? })
    }

    /// The count for one account, and its limit.
    pub(super) fn open(&self, scope: &Scope) -> Result<(Gate, usize), String> {
        let limit = usize::try_from(self.limit.whole(scope, 1)?).unwrap_or(usize::MAX);
        Ok((Gate::new(Quota::Fixed(FixedWindow::new(limit, self.period))), limit))
    }
}
