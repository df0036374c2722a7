//! How often and how long: counting tries, waiting between them with jitter, and giving up with a reason.
//! What is worth another try is decided elsewhere.

use super::http_date;
use crate::components::backoff::{Wait, default_wait};
use crate::components::wait_header::{seconds, too_long};
use rand::Rng;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;
use tokio::time::Instant;

/// All tries of one request end within this time, as in the reference engine; what the account's budget makes it wait does
/// not count.
const LONGEST_IN_ALL: Duration = Duration::from_secs(600);
/// An API that limits its clients is waited for when it asks for it, but no longer than this at a time.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Multiplies every wait; 1 outside of tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) factor: f64,
}

impl Waits {
    pub(super) fn scale(self, wait: Duration) -> Duration {
        wait.mul_f64(self.factor.clamp(0.0, 1.0))
    }
}

/// Why a try has failed, as far as waiting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Worth another try within ten minutes in all.
    Retry,
    /// The API limits its clients. What it asks for is waited; without any word of when, tries alone are bounded.
    Limited,
}

/// The tries of one request.
#[derive(Debug)]
pub(crate) struct Tries {
    waits: Waits,
    retries: u32,
    failed: u32,
    started: Instant,
    excused: Duration,
}

impl Tries {
    pub(crate) fn new(waits: Waits, retries: u32) -> Self {
        Self { waits, retries, failed: 0, started: Instant::now(), excused: Duration::ZERO }
    }

    /// How many have failed so far, the present one included.
    pub(crate) fn failing(&self) -> u32 {
        self.failed + 1
    }

    /// So much time does not count: the request had to wait for others.
    pub(crate) fn excuse(&mut self, time: Duration) {
        self.excused += time;
    }

    /// How long to wait before the next try.
    ///
    /// # Errors
    /// No more tries, with the reason and the number of tries.
    pub(crate) fn next(
        &mut self,
        failed: Failed,
        told: Option<Wait>,
        retry_after: Option<Duration>,
        why: &str,
    ) -> Result<Duration, String> {
        self.failed += 1;
        if self.failed > self.retries {
            let tries = if self.failed == 1 { "1 try".to_owned() } else { format!("{} tries", self.failed) };
            return Err(format!("{why} (after {tries})"));
        }
        let (own, asked) = match &told {
            Some(Wait::Stop(reason)) => return Err(format!("{why}; {reason}")),
            Some(Wait::For(wait)) => (*wait, retry_after.unwrap_or_default()),
            Some(Wait::Asked(wait)) => (Duration::ZERO, (*wait).max(retry_after.unwrap_or_default())),
            None => (default_wait(self.failed), retry_after.unwrap_or_default()),
        };
        let wait = own.max(asked);
        let most = if told.is_some() { Duration::from_secs(1) } else { wait / 4 };
        let scaled = self.waits.scale(wait + jitter(most));
        let freely = failed == Failed::Limited && (asked >= own || told.is_none());
        if freely && asked > LONGEST_ASKED {
            return Err(format!("{why}; {}", too_long(asked)));
        }
        if freely {
            self.excused += scaled;
        } else if self.started.elapsed().saturating_sub(self.excused) + wait > LONGEST_IN_ALL {
            return Err(format!("{why} (the next try in {} s would be too late)", wait.as_secs()));
        }
        Ok(scaled)
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
        tokio::time::sleep(self.next(Failed::Retry, told, retry_after, why)?).await;
        Ok(())
    }
}

/// A random part of the span, so that those who failed together do not come back together.
fn jitter(span: Duration) -> Duration {
    span.mul_f64(rand::rng().random_range(0.0..=1.0))
}

/// How long a Retry-After header asks to wait, whether it says so in seconds or by a date.
pub(crate) fn retry_after_of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    seconds(text).or_else(|| http_date::until(text, headers))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use reqwest::header::{DATE, HeaderValue};

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn tries(retries: u32) -> Tries {
        Tries::new(Waits { factor: 1.0 }, retries)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_by_strategy_header_and_default() {
        let cases: [(Option<Wait>, Option<Duration>, u64, u64); 6] = [
            (None, None, 1000, 1250),
            (None, Some(secs(7)), 7000, 8750),
            (Some(Wait::For(secs(3))), None, 3000, 4000),
            (Some(Wait::For(secs(3))), Some(secs(5)), 5000, 6000),
            (Some(Wait::Asked(secs(3))), Some(secs(5)), 5000, 6000),
            (Some(Wait::Asked(secs(9))), None, 9000, 10_000),
        ];
        for (told, header, least, most) in cases {
            for failed in [Failed::Retry, Failed::Limited] {
                let wait = tries(5).next(failed, told.clone(), header, "x").unwrap().as_millis();
                assert!((u128::from(least)..=u128::from(most)).contains(&wait), "{told:?} {header:?}: {wait}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_bounded_in_number_and_time() {
        let mut few = tries(2);
        assert!(few.again(None, None, "why").await.is_ok());
        assert!(few.again(None, None, "why").await.is_ok());
        assert_eq!(few.again(None, None, "why").await.unwrap_err(), "why (after 3 tries)");
        let refused = |told, header| tries(99).next(Failed::Retry, told, header, "why").unwrap_err();
        assert!(refused(None, Some(secs(86_400))).contains("too late"));
        assert!(refused(Some(Wait::Asked(secs(700))), None).contains("too late"));
        assert_eq!(refused(Some(Wait::Stop("no".into())), None), "why; no");
        assert_eq!(tries(0).next(Failed::Retry, None, None, "why").unwrap_err(), "why (after 1 try)");
    }

    #[tokio::test(start_paused = true)]
    async fn all_waits_of_one_request_take_ten_minutes_at_most() {
        let (mut tries, mut waited) = (tries(99), Duration::ZERO);
        while let Ok(wait) = tries.next(Failed::Retry, Some(Wait::For(secs(100))), None, "why") {
            tokio::time::sleep(wait).await;
            waited += wait;
        }
        assert!(waited >= secs(500) && waited <= secs(606), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_the_queue_does_not_count() {
        let mut tries = tries(9);
        tokio::time::sleep(secs(3000)).await;
        assert!(tries.next(Failed::Retry, None, None, "why").is_err());
        tries.excuse(secs(3000));
        assert!(tries.next(Failed::Retry, None, None, "why").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_waited_for_up_to_an_hour_at_a_time() {
        let mut tries = tries(99);
        for asked in [700, 3600, 3600] {
            let wait = tries.next(Failed::Limited, Some(Wait::Asked(secs(asked))), None, "why").unwrap();
            assert!(wait >= secs(asked), "{wait:?}");
            tokio::time::sleep(wait).await;
        }
        for told in [None, Some(Wait::For(secs(5)))] {
            assert!(tries.next(Failed::Limited, told, Some(secs(1800)), "why").unwrap() >= secs(1800));
        }
        let why = tries.next(Failed::Limited, None, Some(secs(3601)), "why").unwrap_err();
        assert_eq!(why, "why; the API asks to wait 3601 s, which is too long");
        assert!(tries.next(Failed::Limited, Some(Wait::For(secs(601))), None, "why").is_err(), "not the API's word");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_without_a_word_of_when_is_bounded_by_tries_alone() {
        let (mut tries, mut waited) = (tries(12), Duration::ZERO);
        for _ in 0..12 {
            let wait = tries.next(Failed::Limited, None, None, "why").unwrap();
            tokio::time::sleep(wait).await;
            waited += wait;
        }
        assert!(waited > secs(2000), "{waited:?}");
        assert_eq!(tries.next(Failed::Limited, None, None, "why").unwrap_err(), "why (after 13 tries)");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |text: &'static str| {
            let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
            retry_after_of(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text)), (DATE, date)]))
        };
        assert_eq!(after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:37 GMT"), Some(secs(60)));
        assert_eq!(after("later"), None);
        assert_eq!(retry_after_of(&HeaderMap::new()), None);
    }
}
