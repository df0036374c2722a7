//! The stand-in's state behind all requests, and the handle by which a test steers it.
//! One lock each for limit, script, log and world; none is held while an answer is written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Options;
use super::oracle::Oracle;
use super::world::World;
use crate::fault::{Fault, FaultAction, Script, Seen};
use crate::request_log::{RequestLog, RequestSeen};
use crate::servicetitan::rate_limit::RateLimit;

/// How long a client must wait that has used up the day's requests.
const UNTIL_TOMORROW: u64 = 3600;

/// Steers a running stand-in and tells what it saw. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    start: Instant,
    served: AtomicUsize,
    limit: Mutex<RateLimit>,
    script: Mutex<Script>,
    log: Mutex<RequestLog>,
    world: Mutex<Arc<World>>,
}

impl Handle {
    pub(crate) fn new(options: Options) -> Self {
        let inner = Inner {
            start: Instant::now(),
            served: AtomicUsize::new(0),
            limit: Mutex::new(RateLimit::new(options.requests_per_second)),
            script: Mutex::default(),
            log: Mutex::default(),
            world: Mutex::new(Arc::new(World::new(&options, 1))),
            options,
        };
        Self { inner: Arc::new(inner) }
    }

    /// What the stand-in was started with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The generation that is served; 1 at the start.
    pub fn generation(&self) -> u32 {
        self.world().generation
    }

    /// Serves another generation from the next request on (0 counts as 1).
    pub fn set_generation(&self, generation: u32) {
        let world = Arc::new(World::new(self.options(), generation.max(1)));
        *lock(&self.inner.world) = world;
    }

    /// Every record that a generation has or had, by stream.
    pub fn oracle(&self, generation: u32) -> Oracle {
        Oracle::new(&World::new(self.options(), generation.max(1)))
    }

    /// Adds a fault to the script. `RepeatToken` and `RepeatPage` give the cursor that was sent; faults that move records do
    /// nothing here. `query_contains` looks at the body where there is one.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.inner.script).add(fault);
    }

    /// Forgets the faults that have not struck.
    pub fn clear_faults(&self) {
        lock(&self.inner.script).clear();
    }

    /// The requests seen, oldest first. Of a POST, `query` holds the body as it was sent.
    pub fn requests(&self) -> Vec<RequestSeen> {
        lock(&self.inner.log).all()
    }

    /// Forgets the requests seen.
    pub fn clear_requests(&self) {
        lock(&self.inner.log).clear();
    }

    /// Time since the start.
    pub(crate) fn clock(&self) -> Duration {
        self.inner.start.elapsed()
    }

    /// Lets a request pass, or says how many seconds to wait.
    pub(crate) fn admit(&self) -> Result<(), u64> {
        if self.options().requests_per_day.is_some_and(|most| self.inner.served.load(Ordering::Relaxed) >= most) {
            return Err(UNTIL_TOMORROW);
        }
        lock(&self.inner.limit).admit("", Instant::now())?;
        self.inner.served.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn fault(&self, seen: &Seen<'_>) -> Option<FaultAction> {
        lock(&self.inner.script).take(seen)
    }

    pub(crate) fn begin(&self, request: RequestSeen) -> u64 {
        lock(&self.inner.log).begin(request)
    }

    pub(crate) fn answered(&self, number: u64, status: u16) {
        if let Some(entry) = lock(&self.inner.log).entry(number) {
            entry.status = status;
        }
    }

    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&lock(&self.inner.world))
    }
}

/// A lock whose holder panicked still guards usable data here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
