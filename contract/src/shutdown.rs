//! The wish to stop: SIGTERM or ctrl-c, or a lease that was lost. Work asks for it between steps and ends cleanly within 10 s.
//! A value that is handed down, so that tests can stop work without a signal.

use std::sync::Arc;
use tokio::sync::watch;

/// Seconds that a unit has to end once it is told to stop (Cloud Run kills after 10).
pub const GRACE_SECONDS: u64 = 10;

/// A flag that many tasks can wait for; it carries the reason.
#[derive(Debug, Clone)]
pub struct Shutdown {
    sender: Arc<watch::Sender<Option<String>>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        Self { sender: Arc::new(watch::channel(None).0) }
    }

    /// A flag that SIGTERM or ctrl-c raises. Call once, inside the runtime.
    ///
    /// # Errors
    /// The system refuses signal handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let raise = shutdown.clone();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            tokio::spawn(async move {
                let name = tokio::select! { _ = term.recv() => "SIGTERM", _ = int.recv() => "SIGINT" };
                raise.request(name);
                // A second ctrl-c means now.
                int.recv().await;
                std::process::exit(130);
            });
        }
        #[cfg(not(unix))]
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                raise.request("ctrl-c");
            }
        });
        Ok(shutdown)
    }

    /// Raises the flag; the first reason stays.
    pub fn request(&self, reason: &str) {
        self.sender.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason.to_owned());
            }
            first
        });
    }

    /// Why work should stop, if it should.
    pub fn reason(&self) -> Option<String> {
        self.sender.borrow().clone()
    }

    /// Whether work should stop.
    pub fn is_requested(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// Waits until work should stop.
    pub async fn requested(&self) -> String {
        let mut receiver = self.sender.subscribe();
        loop {
            if let Some(reason) = receiver.borrow_and_update().clone() {
                return reason;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
