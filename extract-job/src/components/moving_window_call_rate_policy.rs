//! MovingWindowCallRatePolicy: at most so many requests in any span of time; all its `rates` hold at once.

use super::expression::Scope;
use super::number::Number;
use crate::http::budget::{Gate, Quota};
use crate::http::moving_windows::{MovingWindows, Rate};
use crate::manifest::reader::Reader;
use crate::template::duration::IsoDuration;
use chrono::{DateTime, Utc};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct MovingWindowCallRatePolicy {
    rates: Vec<(Number, Duration)>,
}

impl MovingWindowCallRatePolicy {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("rates");
        let rates = reader.children("rates");
        if reader.has("rates") && rates.is_empty() {
            reader.error_at("rates", "must hold at least one rate");
        }
        let rates: Option<Vec<_>> = rates.iter().map(read_rate).collect();
        rates.filter(|rates| !rates.is_empty()).map(|rates| Self { rates })
    }

    /// The count for one account, and the lowest of its limits.
    pub(super) fn open(&self, scope: &Scope) -> Result<(Gate, usize), String> {
        let rate = |(limit, interval): &(Number, Duration)| {
            let limit = usize::try_from(limit.whole(scope, 1)?).unwrap_or(usize::MAX);
            Ok(Rate { limit, interval: *interval })
        };
        let rates = self.rates.iter().map(rate).collect::<Result<Vec<_>, String>>()?;
        let lowest = rates.iter().map(|rate| rate.limit).min().unwrap_or(usize::MAX);
        Ok((Gate::new(Quota::Moving(MovingWindows::new(&rates))), lowest))
    }
}

/// {limit, interval}, with or without `type: Rate`.
fn read_rate(reader: &Reader<'_>) -> Option<(Number, Duration)> {
    if reader.kind() != "Rate" {
        reader.unsupported("Rate");
        return None;
    }
    reader.required("limit");
    let limit = Number::read_whole(reader, "limit", 1);
    let interval = read_span(reader, "interval");
    reader.finish();
    Some((limit?, interval?))
}

/// An ISO 8601 duration longer than nothing; a month counts as the month after the epoch.
pub(super) fn read_span(reader: &Reader<'_>, key: &str) -> Option<Duration> {
    reader.required(key)?;
    let text = reader.text(key)?;
    let start = DateTime::<Utc>::UNIX_EPOCH.fixed_offset();
    let end = IsoDuration::parse(&text).ok().and_then(|duration| duration.add_to(start).ok());
    let span = end.and_then(|end| (end - start).to_std().ok()).filter(|span| !span.is_zero());
    if span.is_none() {
        reader.error_at(key, "must be an ISO 8601 duration, such as PT1M");
    }
    span
}
