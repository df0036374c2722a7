//! ConstantBackoffStrategy: the same number of seconds before every try, `jitter_range_in_seconds` aside.

use super::backoff::with_jitter;
use super::expression::Scope;
use super::number::Number;
use crate::manifest::reader::Reader;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct ConstantBackoffStrategy {
    seconds: Number,
    jitter: Option<f64>,
}

impl ConstantBackoffStrategy {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("backoff_time_in_seconds");
        let seconds = Number::read(reader, "backoff_time_in_seconds");
        let jitter = reader.number("jitter_range_in_seconds").map(|range| range.min(1e9));
        reader.finish();
        Some(Self { seconds: seconds?, jitter })
    }

    pub(super) fn wait(&self, scope: &Scope) -> Result<Duration, String> {
        Ok(with_jitter(self.seconds.seconds(scope)?, self.jitter))
    }
}
