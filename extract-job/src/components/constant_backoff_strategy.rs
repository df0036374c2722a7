//! ConstantBackoffStrategy: the same number of seconds before every try.

use crate::components::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct ConstantBackoffStrategy {
    seconds: Expression,
}

impl ConstantBackoffStrategy {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let seconds = reader.required_expression("backoff_time_in_seconds", Names::ANYWHERE);
        reader.accept(&["jitter_range_in_seconds"]);
        reader.finish();
        Some(Self { seconds: seconds? })
    }

    pub(crate) fn wait(&self, scope: &Scope) -> Option<Duration> {
        let seconds = self.seconds.value(scope).ok()?.as_f64()?;
        (0.0..=3600.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
    }
}
