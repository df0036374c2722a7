//! How long to wait before the next try: the first strategy that gives a time, else 1, 2, 4, 8, 16 … seconds.

use super::constant_backoff_strategy::ConstantBackoffStrategy;
use super::exponential_backoff_strategy::ExponentialBackoffStrategy;
use super::expression::Scope;
use super::wait_time_from_header::WaitTimeFromHeader;
use crate::manifest::reader::Reader;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// What a strategy says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wait {
    For(Duration),
    /// The API asks for so long a wait that the stream stops instead.
    Stop(Duration),
}

/// One backoff strategy.
#[derive(Debug)]
pub(crate) enum BackoffStrategy {
    WaitTimeFromHeader(WaitTimeFromHeader),
    Exponential(ExponentialBackoffStrategy),
    Constant(ConstantBackoffStrategy),
}

impl BackoffStrategy {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "WaitTimeFromHeader" => WaitTimeFromHeader::read(reader).map(Self::WaitTimeFromHeader),
            "ExponentialBackoffStrategy" => ExponentialBackoffStrategy::read(reader).map(Self::Exponential),
            "ConstantBackoffStrategy" => ConstantBackoffStrategy::read(reader).map(Self::Constant),
            _ => {
                reader.unsupported("WaitTimeFromHeader, ExponentialBackoffStrategy, ConstantBackoffStrategy");
                None
            }
        }
    }

    /// `tries` counts the tries that have failed, from 1.
    pub(crate) fn wait(&self, tries: u32, headers: Option<&HeaderMap>, scope: &Scope) -> Option<Wait> {
        match self {
            Self::WaitTimeFromHeader(strategy) => strategy.wait(headers?, scope),
            Self::Exponential(strategy) => Some(Wait::For(strategy.wait(tries, scope))),
            Self::Constant(strategy) => strategy.wait(scope).map(Wait::For),
        }
    }
}

/// The wait where no strategy gives one.
pub(crate) fn default_wait(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.saturating_sub(1).min(9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_strategy_the_wait_doubles_from_one_second() {
        let waits: Vec<u64> = (1..=11).map(|tries| default_wait(tries).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512]);
    }
}
