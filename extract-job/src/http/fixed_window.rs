//! A fixed window of requests: so many in a period, then a wait for the next one. The first starts with the first request.
//! What the API says of its window is believed, except that a window never lasts longer than its period.

use super::budget::{Told, padded};
use std::time::Duration;
use tokio::time::Instant;

/// One policy's window.
#[derive(Debug)]
pub(crate) struct FixedWindow {
    limit: usize,
    period: Duration,
    ends: Option<Instant>,
    used: usize,
}

impl FixedWindow {
    pub(crate) fn new(limit: usize, period: Duration) -> Self {
        Self { limit, period, ends: None, used: 0 }
    }

    /// Takes a slot of this weight, or says when the next window starts.
    pub(super) fn take(&mut self, weight: usize, now: Instant) -> Result<(), Instant> {
        let ends = match self.ends {
            Some(ends) if ends > now => ends,
            _ => {
                self.used = 0;
                *self.ends.insert(now + padded(self.period))
            }
        };
        // A request heavier than the whole window has one for itself.
        if self.used > 0 && self.used + weight > self.limit {
            return Err(ends);
        }
        self.used += weight;
        Ok(())
    }

    /// More room than our own count leaves is not believed: the limit may be set lower than the API's on purpose.
    pub(super) fn heed(&mut self, told: Told, now: Instant) {
        if self.ends.is_none_or(|ends| ends <= now) {
            return;
        }
        if let Some(remaining) = told.remaining {
            self.used = self.used.max(self.limit.saturating_sub(remaining));
        }
        if let Some(reset) = told.reset {
            self.ends = Some(now + padded(reset.min(self.period)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_window_opens_with_a_request_and_closes_when_it_is_full() {
        let (start, mut window) = (Instant::now(), FixedWindow::new(3, 10 * SECOND));
        let end = start + padded(10 * SECOND);
        assert_eq!([window.take(1, start), window.take(2, start + 9 * SECOND)], [Ok(()), Ok(())]);
        assert_eq!(window.take(1, start + 9 * SECOND), Err(end));
        assert_eq!(window.take(3, end), Ok(()), "the next one is empty");
        assert_eq!(window.take(1, end + SECOND), Err(end + padded(10 * SECOND)));
        let idle = end + 100 * SECOND;
        assert_eq!(window.take(3, idle), Ok(()), "windows start with requests, not by the clock");
        assert_eq!(window.take(1, idle), Err(idle + padded(10 * SECOND)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_api_may_be_stricter_than_our_count_and_knows_its_end() {
        let (start, mut window) = (Instant::now(), FixedWindow::new(5, 60 * SECOND));
        assert_eq!(window.take(1, start), Ok(()));
        window.heed(Told { remaining: Some(9), reset: None }, start);
        window.heed(Told { remaining: Some(1), reset: Some(7 * SECOND) }, start);
        assert_eq!(window.take(1, start), Ok(()));
        assert_eq!(window.take(1, start), Err(start + padded(7 * SECOND)));
        window.heed(Told { remaining: None, reset: Some(86_400 * SECOND) }, start);
        assert_eq!(window.take(1, start), Err(start + padded(60 * SECOND)), "no longer than its period");
    }
}
