//! The request budget of one account, shared by all its streams, and the pauses that the API asks for.
//! A request takes its slot before it is sent; waiting requests are served in the order they came.

use super::fixed_window::FixedWindow;
use super::moving_windows::MovingWindows;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Requests leave at one end of a network and arrive at the other with jitter: a window is kept a little longer than told.
pub(super) fn padded(window: Duration) -> Duration {
    window + (window / 20).min(Duration::from_millis(250))
}

/// What an answer says of the API's own count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Requests that are left.
    pub(crate) remaining: Option<usize>,
    /// Until they are counted anew.
    pub(crate) reset: Option<Duration>,
}

/// How requests are counted.
#[derive(Debug)]
pub(crate) enum Quota {
    Moving(MovingWindows),
    Fixed(FixedWindow),
}

/// One policy's count, and the queue before it.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Held while waiting for a slot, on purpose: it is fair, so those who wait keep their order.
    turn: tokio::sync::Mutex<()>,
    /// Never held while waiting: answers that come meanwhile have something to say.
    quota: Mutex<Quota>,
}

impl Gate {
    pub(crate) fn new(quota: Quota) -> Self {
        Self { turn: tokio::sync::Mutex::default(), quota: Mutex::new(quota) }
    }

    /// Waits for a slot of this weight, and until no pause is on, and takes it.
    pub(crate) async fn take(&self, weight: usize, pause: &Pause) {
        let _turn = self.turn.lock().await;
        loop {
            // A pause can begin while this request waits for its slot.
            pause.wait().await;
            match self.try_take(weight) {
                Ok(()) => return,
                Err(at) => tokio::time::sleep_until(at).await,
            }
        }
    }

    fn try_take(&self, weight: usize) -> Result<(), Instant> {
        match &mut *self.quota.lock().unwrap_or_else(PoisonError::into_inner) {
            Quota::Moving(windows) => windows.take(weight, Instant::now()),
            Quota::Fixed(window) => window.take(weight, Instant::now()),
        }
    }

    /// Corrects the count by what the API says.
    pub(crate) fn heed(&self, told: Told) {
        match &mut *self.quota.lock().unwrap_or_else(PoisonError::into_inner) {
            Quota::Moving(windows) => windows.heed(told, Instant::now()),
            Quota::Fixed(window) => window.heed(told, Instant::now()),
        }
    }
}

/// A pause that an answer asked for; all requests of the account keep it.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    until: Mutex<Option<Instant>>,
}

impl Pause {
    /// Nothing is sent for so long from now.
    pub(crate) fn extend(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut held = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none_or(|earlier| earlier < until) {
            *held = Some(until);
        }
    }

    /// Waits until no pause is on.
    pub(crate) async fn wait(&self) {
        loop {
            let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
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
    use super::super::moving_windows::Rate;
    use super::*;
    use std::sync::Arc;

    fn gate(rates: &[(usize, u64)]) -> Gate {
        let rate = |(limit, millis): &(usize, u64)| Rate { limit: *limit, interval: Duration::from_millis(*millis) };
        let rates: Vec<Rate> = rates.iter().map(rate).collect();
        Gate::new(Quota::Moving(MovingWindows::new(&rates)))
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_ever_holds_more_than_its_limit() {
        let (gate, pause) = (gate(&[(3, 1000), (5, 4000)]), Pause::default());
        let start = Instant::now();
        let mut sent = Vec::new();
        for _ in 0..20 {
            gate.take(1, &pause).await;
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
    async fn requests_side_by_side_share_the_window_in_their_order() {
        let shared = Arc::new((gate(&[(10, 1000)]), Pause::default(), Mutex::new(Vec::new())));
        let start = Instant::now();
        let tasks: Vec<_> = (0..25)
            .map(|number| {
                let shared = shared.clone();
                tokio::spawn(async move {
                    shared.0.take(1, &shared.1).await;
                    shared.2.lock().unwrap().push(number);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_secs(2) && start.elapsed() < Duration::from_secs(3));
        assert_eq!(*shared.2.lock().unwrap(), (0..25).collect::<Vec<_>>());
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

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_begins_while_a_request_waits_holds_it_and_answers_get_through() {
        let shared = Arc::new((gate(&[(1, 1000)]), Pause::default()));
        let start = Instant::now();
        shared.0.take(1, &shared.1).await;
        let waiting = tokio::spawn({
            let shared = shared.clone();
            async move { shared.0.take(1, &shared.1).await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        shared.1.extend(Duration::from_secs(9));
        shared.0.heed(Told { remaining: Some(0), reset: None });
        assert_eq!(start.elapsed().as_millis(), 500, "an answer is not held up by those who wait");
        waiting.await.unwrap();
        assert_eq!(start.elapsed().as_millis(), 9500);
    }
}
