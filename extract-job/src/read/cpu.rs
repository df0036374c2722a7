//! Work that takes time without waiting (slicing, compressing) goes to blocking threads, no more of it at once than there are cores.

use std::sync::Arc;
use tokio::sync::Semaphore;

/// Turns on the processor; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Cpu {
    turns: Arc<Semaphore>,
}

impl Cpu {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { turns: Arc::new(Semaphore::new(cores)) }
    }

    /// Runs the work on a blocking thread.
    ///
    /// # Errors
    /// The work has panicked, or the process is ending.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
        let ended = |what: &str| format!("a worker thread ended early ({what})");
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| ended("closed"))?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        task.await.map_err(|error| ended(if error.is_panic() { "panic" } else { "cancelled" }))
    }
}
