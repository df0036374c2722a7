//! The request budget of one account: exact moving windows, shared by all its streams, and a pause after a 429.
//! A request takes its slot before it is sent; waiting requests are served in the order they came.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Requests leave at one end of a network and arrive at the other with jitter: the window is kept a little longer than told.
const SLACK: Duration = Duration::from_millis(25);

/// At most `limit` requests in any `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) limit: usize,
    pub(crate) interval: Duration,
}

/// One policy's windows; all its rates hold at once.
#[derive(Debug)]
pub(crate) struct MovingWindows {
    windows: Mutex<Vec<Window>>,
}

#[derive(Debug)]
struct Window {
    rate: Rate,
    sent: VecDeque<Instant>,
}

impl MovingWindows {
    pub(crate) fn new(rates: &[Rate]) -> Self {
        let windows = rates.iter().map(|rate| Window { rate: *rate, sent: VecDeque::new() }).collect();
        Self { windows: Mutex::new(windows) }
    }

    /// Waits for a slot and takes it.
    pub(crate) async fn take(&self) {
        // Held while sleeping on purpose: the lock is fair, so those who wait keep their order.
        let mut windows = self.windows.lock().await;
        loop {
            let now = Instant::now();
            match windows.iter_mut().filter_map(|window| window.free_at(now)).max() {
                Some(at) if at > now => tokio::time::sleep_until(at).await,
                _ => {
                    windows.iter_mut().for_each(|window| window.sent.push_back(now));
                    return;
                }
            }
        }
    }
}

impl Window {
    /// When the next slot is free, if none is now.
    fn free_at(&mut self, now: Instant) -> Option<Instant> {
        let span = self.rate.interval + SLACK;
        while self.sent.front().is_some_and(|at| *at + span <= now) {
            self.sent.pop_front();
        }
        let over = (self.sent.len() + 1).checked_sub(self.rate.limit.max(1))?;
        over.checked_sub(1).and_then(|index| self.sent.get(index)).map(|at| *at + span)
    }
}

/// A pause that a 429 asked for; all requests of the account keep it.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    until: std::sync::Mutex<Option<Instant>>,
}

impl Pause {
    /// Nothing is sent for so long from now.
    pub(crate) fn extend(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut held = self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.is_none_or(|earlier| earlier < until) {
            *held = Some(until);
        }
    }

    /// Waits until no pause is on.
    pub(crate) async fn wait(&self) {
        loop {
            let until = *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn rate(limit: usize, millis: u64) -> Rate {
        Rate { limit, interval: Duration::from_millis(millis) }
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_ever_holds_more_than_its_limit() {
        let windows = MovingWindows::new(&[rate(3, 1000), rate(5, 4000)]);
        let start = Instant::now();
        let mut sent = Vec::new();
        for _ in 0..20 {
            windows.take().await;
            sent.push(start.elapsed());
        }
        for (limit, millis) in [(3, 1000), (5, 4000)] {
            let span = Duration::from_millis(millis);
            for from in &sent {
                let inside = sent.iter().filter(|at| *at >= from && **at < *from + span).count();
                assert!(inside <= limit, "{inside} requests within {millis} ms from {from:?}");
            }
        }
        assert!(start.elapsed() < Duration::from_secs(17), "no slower than the windows ask for: {:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_side_by_side_share_the_window() {
        let windows = std::sync::Arc::new(MovingWindows::new(&[rate(10, 1000)]));
        let start = Instant::now();
        let tasks: Vec<_> = (0..25)
            .map(|_| {
                let windows = windows.clone();
                tokio::spawn(async move { windows.take().await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_secs(2) && start.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everyone_until_its_longest_end() {
        let pause = Pause::default();
        pause.wait().await;
        pause.extend(Duration::from_secs(5));
        pause.extend(Duration::from_secs(2));
        let start = Instant::now();
        pause.wait().await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
