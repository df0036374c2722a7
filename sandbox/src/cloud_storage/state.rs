//! What the handlers share: the store, the upload sessions, the fault script and the request log.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Options;
use super::fault::Script;
use super::log::Log;
use super::reply::Refusal;
use super::resumable::Sessions;
use super::store::Store;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) store: Store,
    pub(crate) sessions: Sessions,
    script: Mutex<Script>,
    log: Mutex<Log>,
}

impl State {
    pub(crate) fn new(options: Options, url: String) -> io::Result<Self> {
        Ok(Self {
            url,
            token: options.token,
            store: Store::open(options.root, &options.buckets, options.write_interval)?,
            sessions: Sessions::default(),
            script: Mutex::default(),
            log: Mutex::default(),
        })
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs work on files away from the threads that serve the connections.
pub(crate) async fn on_disk<T: Send + 'static>(
    state: &Arc<State>,
    job: impl FnOnce(&State) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let state = Arc::clone(state);
    tokio::task::spawn_blocking(move || job(&state))
        .await
        .unwrap_or_else(|_| Err(Refusal::internal("The stand-in failed.")))
}
