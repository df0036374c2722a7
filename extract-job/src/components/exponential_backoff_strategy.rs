//! ExponentialBackoffStrategy: factor × 2^try seconds, the first try being 1, and `jitter_range_in_seconds` on top.
//! No wait is longer than ten minutes: the request would be given up before its end.

use super::backoff::with_jitter;
use super::expression::Scope;
use super::number::Number;
use crate::manifest::reader::Reader;
use std::time::Duration;

const LONGEST: f64 = 600.0;
const DEFAULT_FACTOR: f64 = 5.0;

#[derive(Debug)]
pub(crate) struct ExponentialBackoffStrategy {
    factor: Option<Number>,
    jitter: Option<f64>,
}

impl ExponentialBackoffStrategy {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let factor = Number::read(reader, "factor");
        let jitter = reader.number("jitter_range_in_seconds").map(|range| range.min(1e9));
        reader.finish();
        Some(Self { factor, jitter })
    }

    pub(super) fn wait(&self, tries: u32, scope: &Scope) -> Result<Duration, String> {
        let factor = self.factor.as_ref().map_or(Ok(DEFAULT_FACTOR), |factor| factor.value(scope))?;
        Ok(with_jitter(after(factor, tries), self.jitter))
    }
}

fn after(factor: f64, tries: u32) -> Duration {
    let seconds = factor.max(0.0) * 2f64.powi(i32::try_from(tries.min(64)).unwrap_or(64));
    Duration::from_secs_f64(if seconds.is_finite() { seconds.min(LONGEST) } else { LONGEST })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_is_capped() {
        let cases =
            [(5.0, 1, 10.0), (5.0, 2, 20.0), (0.5, 3, 4.0), (5.0, 40, 600.0), (-1.0, 1, 0.0), (f64::NAN, 1, 0.0)];
        for (factor, tries, expected) in cases {
            assert_eq!(after(factor, tries).as_secs_f64(), expected, "{factor} {tries}");
        }
    }
}
