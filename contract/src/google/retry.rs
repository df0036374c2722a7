//! How long to wait between tries: exponential with jitter, never shorter than what the server asks for.
//! One place, so that every caller of Google's APIs waits by the same rule.

use std::fmt::Display;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The first wait, and the longest that is not asked for.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// However short waits are made, so long a call is repeated.
const LEAST_BUDGET: Duration = Duration::from_secs(5);

/// Waits that double, each with jitter: between half of it and the whole.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Starts at `first`, ends at `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next wait, or what the server asks for if that is longer.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = self.next.min(self.longest);
        self.next = full * 2;
        let wait = full.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        scaled(wait.max(asked.unwrap_or_default()))
    }
}

/// How long a call is repeated, and how long is waited between its tries.
#[derive(Debug)]
pub(crate) struct Patience {
    backoff: Backoff,
    budget: Duration,
    until: Instant,
}

impl Patience {
    /// Repeats for so long.
    pub(crate) fn new(budget: Duration) -> Self {
        let budget = scaled(budget).max(LEAST_BUDGET);
        Self { backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT), budget, until: Instant::now() + budget }
    }

    /// Begins anew: something has moved on.
    pub(crate) fn renew(&mut self) {
        self.backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        self.until = Instant::now() + self.budget;
    }

    /// Waits before the next try; false if there is to be none, because the time is up or would be after the wait.
    pub(crate) async fn wait(&mut self, asked: Option<Duration>, why: &impl Display) -> bool {
        let wait = self.backoff.next(asked);
        if Instant::now() + wait > self.until {
            return false;
        }
        tracing::debug!(error = %why, wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "trying again");
        tokio::time::sleep(wait).await;
        true
    }
}

/// A wait as `DRAYAGE_WAIT_FACTOR` scales it: tests do not want to wait, and a slow stand-in may want more.
pub fn scaled(wait: Duration) -> Duration {
    static FACTOR: OnceLock<f64> = OnceLock::new();
    let factor = FACTOR.get_or_init(|| {
        let factor = std::env::var("DRAYAGE_WAIT_FACTOR").ok().and_then(|text| text.parse().ok());
        factor.filter(|factor: &f64| factor.is_finite() && *factor >= 0.0).unwrap_or(1.0)
    });
    // A floor, so that a factor of nearly nothing does not become a busy loop.
    wait.mul_f64(*factor).max(wait.min(Duration::from_millis(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_honour_the_server() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));
        for full in [1, 2, 4, 4] {
            let wait = backoff.next(None);
            let full = Duration::from_secs(full);
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }
        assert_eq!(backoff.next(Some(Duration::from_secs(30))), Duration::from_secs(30));
    }
}
