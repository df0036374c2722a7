//! The places for connections: there are few, so that callers, whatever they do, leave the file handles alone that runs need.
//! When all are taken, whoever has waited longest without a request gives way to the next caller; one that is being answered never does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};

/// Between two looks for a place while every connection is being answered.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What callers may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at a time.
    pub(super) connections: usize,
    /// How long the head of a request may take, from the first byte or the answer before; also how long a pause in taking an answer may be.
    pub(super) head_within: Duration,
    /// The most bytes of a head.
    pub(super) largest_head: usize,
    /// How long an answer may take, and then how long it may take to be fetched.
    pub(super) answer_within: Duration,
}

/// All places.
#[derive(Debug)]
pub(super) struct Seats {
    limits: Limits,
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

#[derive(Debug)]
struct Taken {
    activity: Activity,
    /// Dropped when the connection is to give way.
    _stay: oneshot::Sender<()>,
}

/// A connection's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) activity: Activity,
    /// Resolves when the connection is to give way.
    pub(super) cut: oneshot::Receiver<()>,
    taken: Arc<Mutex<Vec<Taken>>>,
    /// `None` only if the semaphore were closed, which nobody does.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.taken).retain(|taken| !taken.activity.is(&self.activity));
    }
}

impl Seats {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, free: Arc::new(Semaphore::new(limits.connections)), taken: Arc::default() }
    }

    /// A place for one more connection.
    pub(super) async fn take(&self) -> Seat {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => loop {
                self.cut_the_longest_waiting();
                if let Ok(permit) = timeout(LOOK_AGAIN, self.free.clone().acquire_owned()).await {
                    break permit.ok();
                }
            },
        };
        let activity = Activity::new(self.limits);
        let (stay, cut) = oneshot::channel();
        lock(&self.taken).push(Taken { activity: activity.clone(), _stay: stay });
        Seat { activity, cut, taken: self.taken.clone(), _permit: permit }
    }

    fn cut_the_longest_waiting(&self) {
        let mut taken = lock(&self.taken);
        let waiting =
            taken.iter().enumerate().filter_map(|(index, taken)| Some((taken.activity.waits_since()?, index)));
        if let Some((_, index)) = waiting.min() {
            taken.swap_remove(index);
        }
    }
}

/// What goes on on one connection, and until when.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limits: Limits,
    /// Requests that are being answered.
    answering: usize,
    /// Since when it waits for a request.
    since: Instant,
    /// When the connection is cut.
    until: Instant,
    /// Until when the answer must have been fetched.
    fetched_by: Instant,
    /// Bytes that have come since the last request.
    head: usize,
}

impl Activity {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let until = now + limits.head_within;
        Self(Arc::new(Mutex::new(State { limits, answering: 0, since: now, until, fetched_by: until, head: 0 })))
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn waits_since(&self) -> Option<Instant> {
        let state = lock(&self.0);
        (state.answering == 0).then_some(state.since)
    }

    pub(super) fn until(&self) -> Instant {
        lock(&self.0).until
    }

    /// Takes note of bytes that have come; false if they are too many for a head.
    pub(super) fn has_read(&self, bytes: usize) -> bool {
        let mut state = lock(&self.0);
        if state.answering > 0 {
            return true;
        }
        state.head = state.head.saturating_add(bytes);
        state.head <= state.limits.largest_head
    }

    /// Takes note that a part of an answer was fetched.
    pub(super) fn has_written(&self) {
        let mut state = lock(&self.0);
        if state.answering == 0 {
            state.until = (Instant::now() + state.limits.head_within).min(state.fetched_by).max(state.until);
        }
    }

    /// A request has come whole, but for its body.
    pub(super) fn answering(&self) -> Answering {
        let mut state = lock(&self.0);
        state.answering += 1;
        state.head = 0;
        state.until = Instant::now() + state.limits.answer_within;
        Answering(self.clone())
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering(Activity);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = lock(&self.0.0);
        let now = Instant::now();
        state.answering -= 1;
        state.since = now;
        state.until = now + state.limits.head_within;
        state.fetched_by = now + state.limits.answer_within;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these locks can panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seats(connections: usize) -> Seats {
        let (head_within, answer_within) = (Duration::from_secs(10), Duration::from_secs(60));
        Seats::new(Limits { connections, head_within, largest_head: 100, answer_within })
    }

    #[tokio::test]
    async fn who_waits_longest_gives_way_and_who_is_answered_does_not() {
        let seats = seats(3);
        let [mut answered, mut oldest, mut newer] = [seats.take().await, seats.take().await, seats.take().await];
        let answering = answered.activity.answering();
        let next = {
            let next = seats.take();
            let give_way = async {
                let _ = (&mut oldest.cut).await;
                drop(oldest);
            };
            tokio::join!(next, give_way).0
        };
        assert!(answered.cut.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert!(newer.cut.try_recv() == Err(oneshot::error::TryRecvError::Empty));

        // All are being answered: the next one waits until one is not.
        let others = [newer.activity.answering(), next.activity.answering()];
        assert!(timeout(Duration::from_millis(250), seats.take()).await.is_err());
        drop(answering);
        let give_way = async {
            let _ = (&mut answered.cut).await;
            drop(answered);
        };
        let (_last, ()) = tokio::join!(seats.take(), give_way);
        drop(others);
    }

    #[tokio::test]
    async fn a_head_has_a_length_and_a_body_does_not_count() {
        let seat = seats(1).take().await;
        assert!(seat.activity.has_read(60) && seat.activity.has_read(40) && !seat.activity.has_read(1));
        let answering = seat.activity.answering();
        assert!(seat.activity.has_read(1000));
        drop(answering);
        assert!(seat.activity.has_read(100));
    }
}
