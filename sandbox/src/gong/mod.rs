//! A stand-in of Gong (API v2): calls, extensive calls, transcripts and users behind HTTP Basic.
//! It keeps the API's oddities: an empty window is a 404, transcripts appear later, cursors are short-lived and bound to a filter.

mod answers;
mod cursor;
mod oracle;
mod records;
mod refusal;
mod server;
mod state;
mod window;
mod world;

use std::io;
use std::ops::Deref;
use std::time::Duration;

use crate::cloud_run::serving::Serving;

pub use oracle::{Oracle, OracleRecord};
pub use state::Handle;

/// What the stand-in serves and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The same seed makes the same records.
    pub seed: u64,
    pub access_key: String,
    pub access_key_secret: String,
    /// Calls of the first generation.
    pub calls: usize,
    pub users: usize,
    /// The present of the first generation, in milliseconds since 1970 (UTC); each further one is a day later.
    pub until_ms: i64,
    /// How long before that the first call was.
    pub span: Duration,
    /// So long after its start a call has its transcript.
    pub transcript_delay: Duration,
    /// Records a page.
    pub page_size: usize,
    /// Wait before every answer.
    pub latency: Duration,
    /// Limit for the whole company; `None` for no limit.
    pub requests_per_second: Option<u32>,
    /// Requests served at all before every further one is refused; `None` for no limit.
    pub requests_per_day: Option<usize>,
    pub cursor_lifetime: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            access_key: "GONGSANDBOXKEY".to_owned(),
            access_key_secret: "gong-sandbox-secret".to_owned(),
            calls: 400,
            users: 130,
            until_ms: 1_740_787_200_000,
            span: Duration::from_secs(200 * 86_400),
            transcript_delay: Duration::from_secs(86_400),
            page_size: 100,
            latency: Duration::ZERO,
            requests_per_second: Some(3),
            requests_per_day: Some(10_000),
            cursor_lifetime: Duration::from_secs(300),
        }
    }
}

/// A running stand-in; dropping it stops it and closes its connections. Everything it can do is on [`Handle`].
#[derive(Debug)]
pub struct Gong {
    handle: Handle,
    serving: Serving,
}

impl Gong {
    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.serving.url().to_owned()
    }

    /// A handle that can be cloned and sent to other threads.
    pub fn state(&self) -> Handle {
        self.handle.clone()
    }
}

impl Deref for Gong {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

/// Starts the stand-in on threads of its own: it goes on serving while the caller blocks.
///
/// # Errors
/// The page size is 0, no threads can be had, or the port is taken.
#[allow(clippy::unused_async, reason = "all stand-ins of source APIs start alike")]
pub async fn start(options: Options) -> io::Result<Gong> {
    if options.page_size == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the page size must be at least 1"));
    }
    let port = options.port;
    let handle = Handle::new(options);
    let serving = Serving::start_at(port, server::router(handle.clone()))?;
    Ok(Gong { handle, serving })
}
