//! How long to wait before the next try: the first strategy that gives a time, else 1, 2, 4, 8, 16 … seconds.
//! A time of 0 is no time: the next strategy is asked. A strategy that cannot be evaluated stops the request.

use super::constant_backoff_strategy::ConstantBackoffStrategy;
use super::exponential_backoff_strategy::ExponentialBackoffStrategy;
use super::expression::Scope;
use super::wait_time_from_header::WaitTimeFromHeader;
use super::wait_until_time_from_header::WaitUntilTimeFromHeader;
use crate::manifest::reader::Reader;
use rand::Rng;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// What a strategy says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wait {
    /// The manifest's own time.
    For(Duration),
    /// The time that the API asked for.
    Asked(Duration),
    /// No further try, for this reason.
    Stop(String),
}

/// One backoff strategy.
#[derive(Debug)]
pub(crate) enum BackoffStrategy {
    WaitTimeFromHeader(WaitTimeFromHeader),
    WaitUntilTimeFromHeader(WaitUntilTimeFromHeader),
    Exponential(ExponentialBackoffStrategy),
    Constant(ConstantBackoffStrategy),
}

impl BackoffStrategy {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "WaitTimeFromHeader" => WaitTimeFromHeader::read(reader).map(Self::WaitTimeFromHeader),
            "WaitUntilTimeFromHeader" => WaitUntilTimeFromHeader::read(reader).map(Self::WaitUntilTimeFromHeader),
            "ExponentialBackoffStrategy" => ExponentialBackoffStrategy::read(reader).map(Self::Exponential),
            "ConstantBackoffStrategy" => ConstantBackoffStrategy::read(reader).map(Self::Constant),
            _ => {
                reader.unsupported(
                    "WaitTimeFromHeader, WaitUntilTimeFromHeader, ExponentialBackoffStrategy, ConstantBackoffStrategy",
                );
                None
            }
        }
    }

    /// `tries` counts the tries that have failed, from 1; without an answer there are no headers.
    fn wait(&self, tries: u32, headers: Option<&HeaderMap>, scope: &Scope) -> Result<Option<Wait>, String> {
        match self {
            Self::WaitTimeFromHeader(strategy) => headers.map_or(Ok(None), |headers| strategy.wait(headers, scope)),
            Self::WaitUntilTimeFromHeader(strategy) => strategy.wait(headers, scope),
            Self::Exponential(strategy) => strategy.wait(tries, scope).map(|wait| Some(Wait::For(wait))),
            Self::Constant(strategy) => strategy.wait(scope).map(|wait| Some(Wait::For(wait))),
        }
    }
}

/// What the first strategy says that gives a time.
pub(super) fn first_wait<'s>(
    strategies: impl IntoIterator<Item = &'s BackoffStrategy>,
    tries: u32,
    headers: Option<&HeaderMap>,
    scope: &Scope,
) -> Option<Wait> {
    let told = |strategy: &BackoffStrategy| match strategy.wait(tries, headers, scope) {
        Ok(Some(Wait::For(Duration::ZERO) | Wait::Asked(Duration::ZERO))) => None,
        Ok(wait) => wait,
        Err(why) => Some(Wait::Stop(why)),
    };
    strategies.into_iter().find_map(told)
}

/// The wait where no strategy gives one.
pub(crate) fn default_wait(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.saturating_sub(1).min(9))
}

/// `jitter_range_in_seconds`: adds a random time of up to twice the range, as the reference engine does.
pub(super) fn with_jitter(wait: Duration, range: Option<f64>) -> Duration {
    let most = range.map_or(0.0, |range| range * 2.0);
    wait + Duration::from_secs_f64(rand::rng().random_range(0.0..=most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_strategy_the_wait_doubles_from_one_second() {
        let waits: Vec<u64> = (1..=11).map(|tries| default_wait(tries).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512]);
    }

    #[test]
    fn jitter_adds_up_to_twice_its_range() {
        let waits: Vec<f64> = (0..200).map(|_| with_jitter(Duration::from_secs(3), Some(2.0)).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (3.0..=7.0).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait > 5.0), "{waits:?}");
        assert_eq!(with_jitter(Duration::from_secs(3), None), Duration::from_secs(3));
    }
}
