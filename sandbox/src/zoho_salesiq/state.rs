//! The stand-in's state behind all requests, and the handle by which a test steers it.
//! One lock each for tokens, limit, script, log and world; none is held while an answer is written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Options;
use super::oracle::Oracle;
use super::tokens::Tokens;
use super::world::World;
use crate::fault::{Fault, FaultAction, Script, Seen};
use crate::request_log::{RequestLog, RequestSeen};
use crate::servicetitan::rate_limit::RateLimit;

/// Steers a running stand-in and tells what it saw. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    tokens: Mutex<Tokens>,
    limit: Mutex<RateLimit>,
    script: Mutex<Script>,
    log: Mutex<RequestLog>,
    world: Mutex<(u32, Arc<World>)>,
}

impl Handle {
    pub(crate) fn new(options: Options) -> Self {
        let inner = Inner {
            tokens: Mutex::new(Tokens::new(
                options.seed,
                options.token_lifetime,
                options.tokens_per_window,
                options.token_window,
            )),
            limit: Mutex::new(RateLimit::new(options.requests_per_second)),
            script: Mutex::default(),
            log: Mutex::default(),
            world: Mutex::new((1, Arc::new(World::new(&options, 1)))),
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
        lock(&self.inner.world).0
    }

    /// Serves another generation from the next request on (0 counts as 1).
    pub fn set_generation(&self, generation: u32) {
        let generation = generation.max(1);
        let world = Arc::new(World::new(self.options(), generation));
        *lock(&self.inner.world) = (generation, world);
    }

    /// Every record that a generation has or had, by stream.
    pub fn oracle(&self, generation: u32) -> Oracle {
        let generation = generation.max(1);
        Oracle::new(&World::new(self.options(), generation), generation)
    }

    /// The id of the department whose conversations are listed when no other is asked for, and of the others that have some.
    pub fn department_ids(&self) -> Vec<String> {
        let count = u32::try_from(self.options().departments).unwrap_or(u32::MAX).clamp(1, 3);
        (0..count).map(super::records::department_id).collect()
    }

    /// Adds a fault to the script. `RepeatPage` gives the first page again; faults that move records do nothing here.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.inner.script).add(fault);
    }

    /// Forgets the faults that have not struck.
    pub fn clear_faults(&self) {
        lock(&self.inner.script).clear();
    }

    /// The requests seen, oldest first. The login's parameters are not kept.
    pub fn requests(&self) -> Vec<RequestSeen> {
        lock(&self.inner.log).all()
    }

    /// Forgets the requests seen.
    pub fn clear_requests(&self) {
        lock(&self.inner.log).clear();
    }

    /// Makes every token that was given out invalid.
    pub fn expire_tokens(&self) {
        lock(&self.inner.tokens).drop_all();
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.inner.tokens)
    }

    pub(crate) fn admit(&self) -> Result<(), u64> {
        lock(&self.inner.limit).admit("", Instant::now())
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
        Arc::clone(&lock(&self.inner.world).1)
    }
}

/// A lock whose holder panicked still guards usable data here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
