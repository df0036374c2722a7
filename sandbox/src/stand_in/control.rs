//! The steering of a running stand-in: generation, faults and the log of requests.
//! One lock each for limit, script and log; none is held while an answer is made.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::request::Parts;

use crate::fault::{Fault, FaultAction, Script, Seen};
use crate::request_log::{RequestLog, RequestSeen};
use crate::servicetitan::rate_limit::RateLimit;

/// Steers a running stand-in and tells what it saw.
#[derive(Debug)]
pub struct Control {
    url: String,
    generation: AtomicU32,
    limit: Mutex<RateLimit>,
    script: Mutex<Script>,
    log: Mutex<RequestLog>,
}

impl Control {
    pub(crate) fn new(url: String, requests_per_second: Option<u32>) -> Self {
        Self {
            url,
            generation: AtomicU32::new(1),
            limit: Mutex::new(RateLimit::new(requests_per_second)),
            script: Mutex::default(),
            log: Mutex::default(),
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The generation that is served; 1 at the start.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Serves another generation from the next request on (0 counts as 1).
    pub fn set_generation(&self, generation: u32) {
        self.generation.store(generation.max(1), Ordering::Release);
    }

    /// Adds a fault to the script. Its `tenant` is the account's id.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.script).add(fault);
    }

    /// Forgets the faults that have not struck.
    pub fn clear_faults(&self) {
        lock(&self.script).clear();
    }

    /// The requests seen, oldest first; `tenant` is the account's id, `has_authorization` says whether a token was sent.
    pub fn requests(&self) -> Vec<RequestSeen> {
        lock(&self.log).all()
    }

    /// Forgets the requests seen.
    pub fn clear_requests(&self) {
        lock(&self.log).clear();
    }

    pub(crate) fn begin(&self, parts: &Parts, has_authorization: bool) -> u64 {
        lock(&self.log).begin(RequestSeen {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            tenant: None,
            status: 0,
            at: Instant::now(),
            has_authorization,
        })
    }

    /// Adds to a logged request what became known later.
    pub(crate) fn note(&self, number: u64, change: impl FnOnce(&mut RequestSeen)) {
        if let Some(entry) = lock(&self.log).entry(number) {
            change(entry);
        }
    }

    /// Lets a request pass, or says how many whole seconds to wait.
    pub(crate) fn admit(&self, account: &str) -> Result<(), u64> {
        lock(&self.limit).admit(account, Instant::now())
    }

    /// Counts a request that would be served, and says what must happen to it.
    pub(crate) fn fault(&self, parts: &Parts, account: &str) -> Option<FaultAction> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| format!("{name}={value}"));
        let decoded_query = pairs.collect::<Vec<_>>().join("&");
        let seen = Seen { path: parts.uri.path(), query, decoded_query: &decoded_query, tenant: Some(account) };
        lock(&self.script).take(&seen)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
