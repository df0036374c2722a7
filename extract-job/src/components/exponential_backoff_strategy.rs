//! ExponentialBackoffStrategy: factor × 2^try seconds, the first try being 1.

use crate::components::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use std::time::Duration;

/// Nobody waits longer than this between two tries.
const LONGEST: f64 = 600.0;

#[derive(Debug)]
pub(crate) struct ExponentialBackoffStrategy {
    factor: Option<Expression>,
}

impl ExponentialBackoffStrategy {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let factor = reader.expression("factor", Names::ANYWHERE);
        reader.accept(&["jitter_range_in_seconds"]);
        reader.finish();
        Some(Self { factor })
    }

    pub(crate) fn wait(&self, tries: u32, scope: &Scope) -> Duration {
        let factor = self.factor.as_ref().and_then(|factor| factor.value(scope).ok()?.as_f64()).unwrap_or(5.0);
        after(factor, tries)
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
