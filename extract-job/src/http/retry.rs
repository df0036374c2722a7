//! How often and how long: counting tries, waiting between them with jitter, and giving up with a reason.
//! What is worth another try is decided elsewhere.

use crate::components::backoff::{Wait, default_wait};
use crate::components::wait_time_from_header::seconds;
use rand::Rng;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;
use tokio::time::Instant;

/// All tries of one request end within this time, as in the reference engine.
const LONGEST_IN_ALL: Duration = Duration::from_secs(600);

/// Multiplies every wait; 1 outside of tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) factor: f64,
}

impl Waits {
    fn scale(self, wait: Duration) -> Duration {
        wait.mul_f64(self.factor.clamp(0.0, 1.0))
    }
}

/// The tries of one request.
#[derive(Debug)]
pub(crate) struct Tries {
    waits: Waits,
    retries: u32,
    failed: u32,
    started: Instant,
}

impl Tries {
    pub(crate) fn new(waits: Waits, retries: u32) -> Self {
        Self { waits, retries, failed: 0, started: Instant::now() }
    }

    /// How many have failed so far, the present one included.
    pub(crate) fn failing(&self) -> u32 {
        self.failed + 1
    }

    /// How long to wait before the next try.
    ///
    /// # Errors
    /// No more tries, with the reason and the number of tries.
    pub(crate) fn next(
        &mut self,
        told: Option<Wait>,
        retry_after: Option<Duration>,
        why: &str,
    ) -> Result<Duration, String> {
        self.failed += 1;
        if self.failed > self.retries {
            let tries = if self.failed == 1 { "1 try".to_owned() } else { format!("{} tries", self.failed) };
            return Err(format!("{why} (after {tries})"));
        }
        let wait = match told {
            Some(Wait::Stop(wait)) => {
                return Err(format!("{why}; the API asks to wait {} s, which is too long", wait.as_secs()));
            }
            Some(Wait::For(wait)) => wait.max(retry_after.unwrap_or_default()) + jitter(Duration::from_secs(1)),
            None => {
                let wait = default_wait(self.failed).max(retry_after.unwrap_or_default());
                wait + jitter(wait / 4)
            }
        };
        if self.started.elapsed() + wait > LONGEST_IN_ALL {
            return Err(format!("{why} (the next try in {} s would be too late)", wait.as_secs()));
        }
        Ok(self.waits.scale(wait))
    }

    /// Waits for the next try.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn again(
        &mut self,
        told: Option<Wait>,
        retry_after: Option<Duration>,
        why: &str,
    ) -> Result<(), String> {
        tokio::time::sleep(self.next(told, retry_after, why)?).await;
        Ok(())
    }
}

/// A random part of the span, so that those who failed together do not come back together.
fn jitter(span: Duration) -> Duration {
    span.mul_f64(rand::rng().random_range(0.0..=1.0))
}

/// The seconds of a Retry-After header.
pub(crate) fn retry_after_of(headers: &HeaderMap) -> Option<Duration> {
    seconds(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_by_strategy_header_and_default() {
        let cases: [(Option<Wait>, Option<Duration>, u64, u64); 5] = [
            (None, None, 1000, 1250),
            (None, Some(secs(7)), 7000, 8750),
            (Some(Wait::For(secs(3))), None, 3000, 4000),
            (Some(Wait::For(secs(3))), Some(secs(5)), 5000, 6000),
            (Some(Wait::For(secs(0))), None, 0, 1000),
        ];
        for (told, header, least, most) in cases {
            let mut tries = Tries::new(Waits { factor: 1.0 }, 5);
            let wait = tries.next(told, header, "x").unwrap().as_millis();
            assert!((u128::from(least)..=u128::from(most)).contains(&wait), "{told:?} {header:?}: {wait}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_bounded_in_number_and_time() {
        let mut tries = Tries::new(Waits { factor: 1.0 }, 2);
        assert!(tries.again(None, None, "why").await.is_ok());
        assert!(tries.again(None, None, "why").await.is_ok());
        assert_eq!(tries.again(None, None, "why").await.unwrap_err(), "why (after 3 tries)");
        let mut long = Tries::new(Waits { factor: 1.0 }, 99);
        assert!(long.next(None, Some(secs(86_400)), "why").unwrap_err().contains("too late"));
        assert!(long.next(Some(Wait::Stop(secs(100))), None, "why").unwrap_err().contains("100 s"));
        assert_eq!(Tries::new(Waits { factor: 1.0 }, 0).next(None, None, "why").unwrap_err(), "why (after 1 try)");
    }
}
