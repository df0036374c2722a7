//! Moving windows of requests: so many in any span of time, exactly; several rates hold at once.

use super::budget::{Told, padded};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// At most `limit` requests in any `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) limit: usize,
    pub(crate) interval: Duration,
}

/// One policy's windows.
#[derive(Debug)]
pub(crate) struct MovingWindows {
    windows: Vec<Window>,
}

#[derive(Debug)]
struct Window {
    rate: Rate,
    /// When, and with what weight.
    sent: VecDeque<(Instant, usize)>,
    /// The sum of the weights.
    used: usize,
}

impl MovingWindows {
    pub(crate) fn new(rates: &[Rate]) -> Self {
        let windows = rates.iter().map(|rate| Window { rate: *rate, sent: VecDeque::new(), used: 0 });
        Self { windows: windows.collect() }
    }

    /// Takes a slot of this weight, or says when to ask again.
    pub(super) fn take(&mut self, weight: usize, now: Instant) -> Result<(), Instant> {
        match self.windows.iter_mut().filter_map(|window| window.free_at(weight, now)).max() {
            Some(at) if at > now => Err(at),
            _ => {
                self.add(weight, now);
                Ok(())
            }
        }
    }

    /// An API that says that nothing is left, but not until when, has its windows full.
    pub(super) fn heed(&mut self, told: Told, now: Instant) {
        if (told.remaining, told.reset) == (Some(0), None) {
            let free = self.windows.iter_mut().map(|window| window.free(now)).min();
            self.add(free.unwrap_or_default(), now);
        }
    }

    fn add(&mut self, weight: usize, now: Instant) {
        for window in &mut self.windows {
            window.sent.push_back((now, weight));
            window.used += weight;
        }
    }
}

impl Window {
    fn forget(&mut self, now: Instant) {
        let span = padded(self.rate.interval);
        while let Some((at, weight)) = self.sent.front()
            && *at + span <= now
        {
            self.used -= weight;
            self.sent.pop_front();
        }
    }

    fn free(&mut self, now: Instant) -> usize {
        self.forget(now);
        self.rate.limit.saturating_sub(self.used)
    }

    /// When the next slot of this weight is free, if none is now.
    fn free_at(&mut self, weight: usize, now: Instant) -> Option<Instant> {
        self.forget(now);
        let mut over = (self.used + weight).saturating_sub(self.rate.limit);
        let mut last_to_go = None;
        for (at, weight) in &self.sent {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(*weight);
            last_to_go = Some(*at);
        }
        last_to_go.map(|at| at + padded(self.rate.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn heavy_requests_take_several_slots() {
        let start = Instant::now();
        let mut windows = MovingWindows::new(&[Rate { limit: 10, interval: SECOND }]);
        assert_eq!([windows.take(4, start), windows.take(4, start + SECOND / 2)], [Ok(()), Ok(())]);
        assert_eq!(windows.take(2, start + SECOND / 2), Ok(()));
        assert_eq!(windows.take(4, start + SECOND / 2), Err(start + padded(SECOND)), "when the first four are gone");
        assert_eq!(windows.take(5, start + SECOND / 2), Err(start + SECOND / 2 + padded(SECOND)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_has_nothing_left_has_full_windows() {
        let start = Instant::now();
        let rates = [Rate { limit: 10, interval: SECOND }, Rate { limit: 100, interval: 60 * SECOND }];
        let mut windows = MovingWindows::new(&rates);
        assert_eq!(windows.take(1, start), Ok(()));
        windows.heed(Told { remaining: Some(0), reset: Some(SECOND) }, start);
        windows.heed(Told { remaining: Some(3), reset: None }, start);
        assert_eq!(windows.take(1, start), Ok(()), "until then the account pauses; other numbers are not ours");
        windows.heed(Told { remaining: Some(0), reset: None }, start + SECOND / 2);
        assert_eq!(windows.take(1, start + SECOND / 2), Err(start + padded(SECOND)));
        assert_eq!(windows.take(2, start + padded(SECOND)), Ok(()));
        assert_eq!(windows.take(1, start + padded(SECOND)), Err(start + SECOND / 2 + padded(SECOND)));
    }
}
