//! A stand-in of Zoho SalesIQ (REST v2): login by refresh token, conversations with messages and tags, departments, operators.
//! It keeps the API's oddities: errors come with HTTP 200, times and flags are text, lists tell neither total nor end.

mod answers;
mod conversations;
mod oracle;
mod query;
mod records;
mod refusal;
mod server;
mod state;
mod tokens;
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
    /// The portal's name, a part of every path.
    pub screen_name: String,
    pub client_id: String,
    pub client_secret: String,
    pub refresh_token: String,
    /// Conversations of the first generation; half of them belong to the current department, the others to two more.
    pub conversations: usize,
    /// A conversation begins with at most so many messages.
    pub messages: usize,
    pub departments: usize,
    /// Tags of conversations; visitors, contacts and companies have a quarter as many.
    pub tags: usize,
    pub operators: usize,
    /// The present of the first generation, in milliseconds since 1970 (UTC); each further one is a day later.
    pub until_ms: i64,
    /// How long before that the first conversation began.
    pub span: Duration,
    /// Wait before every answer.
    pub latency: Duration,
    /// `None` for no limit: Zoho publishes none for SalesIQ.
    pub requests_per_second: Option<u32>,
    pub token_lifetime: Duration,
    /// So many tokens may be asked for within `token_window`; then "Access Denied" comes, with HTTP 200.
    pub tokens_per_window: usize,
    pub token_window: Duration,
    /// Whether the bounds of time filters include the moment itself, which the API does not tell.
    pub inclusive_bounds: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            screen_name: "acme".to_owned(),
            client_id: "1000.SANDBOX".to_owned(),
            client_secret: "zoho-sandbox-secret".to_owned(),
            refresh_token: "1000.zoho-sandbox-refresh".to_owned(),
            conversations: 300,
            messages: 70,
            departments: 23,
            tags: 24,
            operators: 6,
            until_ms: 1_740_787_200_000,
            span: Duration::from_secs(200 * 86_400),
            latency: Duration::ZERO,
            requests_per_second: None,
            token_lifetime: Duration::from_secs(3600),
            tokens_per_window: 10,
            token_window: Duration::from_secs(600),
            inclusive_bounds: false,
        }
    }
}

/// A running stand-in; dropping it stops it and closes its connections. Everything it can do is on [`Handle`].
#[derive(Debug)]
pub struct ZohoSalesiq {
    handle: Handle,
    serving: Serving,
}

impl ZohoSalesiq {
    /// `http://127.0.0.1:<port>`: API and login alike.
    pub fn url(&self) -> String {
        self.serving.url().to_owned()
    }

    /// A handle that can be cloned and sent to other threads.
    pub fn state(&self) -> Handle {
        self.handle.clone()
    }
}

impl Deref for ZohoSalesiq {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

/// Starts the stand-in on threads of its own: it goes on serving while the caller blocks.
///
/// # Errors
/// No threads can be had, or the port is taken.
#[allow(clippy::unused_async, reason = "all stand-ins of source APIs start alike")]
pub async fn start(options: Options) -> io::Result<ZohoSalesiq> {
    let port = options.port;
    let handle = Handle::new(options);
    let serving = Serving::start_at(port, server::router(handle.clone()))?;
    Ok(ZohoSalesiq { handle, serving })
}
