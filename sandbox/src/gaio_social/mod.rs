//! A stand-in of Gaio Social: token, `results` with `next` links, date filters and a daily delta, over HTTP.
//! Of the real API only `results` and `next` are known; everything else is an option, so that settings can be tried out.

mod list;
mod records;
mod server;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};

use crate::stand_in::serving::{Port, Running};
use crate::stand_in::{Control, Oracle, StartError, lock};
use records::World;

/// One customer of the API with a token and data of its own.
#[derive(Debug, Clone)]
pub struct Account {
    /// Names the account in faults, in the log and for the oracle.
    pub id: String,
    pub token: String,
}

/// How the last page says that it is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Null,
    Absent,
    /// Absent after an even number of rows, null after an odd one.
    Both,
}

/// What the stand-in serves and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The same seed makes the same records.
    pub seed: u64,
    pub accounts: Vec<Account>,
    /// So many posts for each account; twice as many comments, and profiles in proportion.
    pub records: usize,
    /// Records of the first generation were updated in the days from here on; each later generation takes one day more.
    pub first_day: DateTime<Utc>,
    pub days: u32,
    /// Stands before `/posts`, `/comments` and `/profiles`; empty or as `v2/social`.
    pub prefix: String,
    pub auth_header: String,
    /// What the header says before the token.
    pub auth_prefix: String,
    pub since_parameter: String,
    pub until_parameter: String,
    /// Whether the day of the until parameter is left out.
    pub until_is_exclusive: bool,
    pub limit_parameter: String,
    /// Rows on a page without the limit parameter, and the most that it can ask for.
    pub default_limit: usize,
    pub max_limit: usize,
    pub end: End,
    /// Wait before every answer.
    pub latency: Duration,
    /// Limit for each account; `None` for no limit.
    pub requests_per_second: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            accounts: vec![Account { id: "brand-0".to_owned(), token: "sandbox-token-0".to_owned() }],
            records: 500,
            first_day: Utc.timestamp_opt(1_767_225_600, 0).single().unwrap_or_default(), // 2026-01-01
            days: 30,
            prefix: String::new(),
            auth_header: "Authorization".to_owned(),
            auth_prefix: "Bearer ".to_owned(),
            since_parameter: "since".to_owned(),
            until_parameter: "until".to_owned(),
            until_is_exclusive: false,
            limit_parameter: "limit".to_owned(),
            default_limit: 20,
            max_limit: 100,
            end: End::Both,
            latency: Duration::ZERO,
            requests_per_second: Some(10),
        }
    }
}

/// Steers a running stand-in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    control: Control,
    worlds: Mutex<HashMap<(usize, u32), Arc<World>>>,
}

impl Handle {
    /// What the stand-in was started with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// All records of an account in a generation: `posts`, `comments` and `profiles`, as the API gives them.
    /// Empty for an unknown account.
    pub fn oracle(&self, account: &str, generation: u32) -> Oracle {
        let index = self.inner.options.accounts.iter().position(|known| known.id == account);
        index.map(|index| self.world(index, generation.max(1)).oracle()).unwrap_or_default()
    }

    /// The records of an account; made once.
    fn world(&self, account: usize, generation: u32) -> Arc<World> {
        if let Some(world) = lock(&self.inner.worlds).get(&(account, generation)) {
            return Arc::clone(world);
        }
        let world = Arc::new(World::new(&self.inner.options, account, generation));
        lock(&self.inner.worlds).insert((account, generation), Arc::clone(&world));
        world
    }
}

impl Deref for Handle {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.inner.control
    }
}

/// A running stand-in; dropping it stops it and closes its connections. Everything it can do is on [`Handle`] and [`Control`].
#[derive(Debug)]
pub struct GaioSocial {
    handle: Handle,
    _running: Running,
}

impl GaioSocial {
    /// A handle that can be cloned and sent to other threads.
    pub fn state(&self) -> Handle {
        self.handle.clone()
    }
}

impl Deref for GaioSocial {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

/// Starts the stand-in on threads of its own: it goes on serving while the caller blocks.
///
/// # Errors
/// When an option is 0 that must not be, or the port is taken.
pub async fn start(options: Options) -> Result<GaioSocial, StartError> {
    if options.default_limit == 0 || options.max_limit == 0 || options.days == 0 {
        return Err(StartError::Options("default_limit, max_limit and days must be at least 1"));
    }
    let port = Port::take(options.port)?;
    let control = Control::new(port.url(), options.requests_per_second);
    let inner = Inner { control, worlds: Mutex::default(), options };
    let handle = Handle { inner: Arc::new(inner) };
    let running = port.serve(server::router(handle.clone()))?;
    Ok(GaioSocial { handle, _running: running })
}
