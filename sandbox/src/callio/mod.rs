//! A stand-in of Callio: login by e-mail and password, page objects, time filters and the limit on deep pages, over HTTP.
//! Nothing public describes the real API: this behaves as its clients report, and refuses what none of them sends.

mod access;
mod page;
mod query;
mod records;
mod server;
mod words;
mod world;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};

use crate::stand_in::serving::{Port, Running};
use crate::stand_in::{Control, Oracle, StartError, lock};
use access::Tokens;
use world::World;

/// One company with a login and data of its own.
#[derive(Debug, Clone)]
pub struct Account {
    /// Names the account in faults, in the log and for the oracle.
    pub id: String,
    pub email: String,
    pub password: String,
}

/// How the lists of users and groups are answered: both are seen in the wild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    PageObject,
    BareArray,
}

/// What the stand-in serves and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The same seed makes the same records.
    pub seed: u64,
    pub accounts: Vec<Account>,
    /// So many customers and calls for each account; users and groups in proportion.
    pub records: usize,
    /// Customers and calls of the first generation lie in the days from here on; each later generation takes one day more.
    pub first_day: DateTime<Utc>,
    pub days: u32,
    pub users_as: Lists,
    /// One time in ten is a text or has a decimal point.
    pub odd_times: bool,
    /// Wait before every answer.
    pub latency: Duration,
    /// Limit for each account; `None` for no limit, which is what is known of the real API.
    pub requests_per_second: Option<u32>,
    pub token_lifetime: Duration,
    /// Largest `pageSize` that is accepted.
    pub max_page_size: u64,
    /// Pages that end beyond this place of their list are refused.
    pub result_window: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            accounts: vec![Account {
                id: "company-0".to_owned(),
                email: "etl@company-0.example".to_owned(),
                password: "sandbox-password-0".to_owned(),
            }],
            records: 1000,
            first_day: Utc.timestamp_opt(1_767_225_600, 0).single().unwrap_or_default(), // 2026-01-01
            days: 30,
            users_as: Lists::PageObject,
            odd_times: true,
            latency: Duration::ZERO,
            requests_per_second: None,
            token_lifetime: Duration::from_secs(1800),
            max_page_size: 500,
            result_window: 10_000,
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
    tokens: Mutex<Tokens>,
    worlds: Mutex<HashMap<(usize, u32), Arc<World>>>,
}

impl Handle {
    /// What the stand-in was started with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Makes every token that was given out invalid.
    pub fn expire_tokens(&self) {
        lock(&self.inner.tokens).drop_all();
    }

    /// All records of an account in a generation: `customers`, `calls`, `users` and `user_groups`, as the API gives them.
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

    fn tokens(&self) -> std::sync::MutexGuard<'_, Tokens> {
        lock(&self.inner.tokens)
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
pub struct Callio {
    handle: Handle,
    _running: Running,
}

impl Callio {
    /// A handle that can be cloned and sent to other threads.
    pub fn state(&self) -> Handle {
        self.handle.clone()
    }
}

impl Deref for Callio {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

/// Starts the stand-in on threads of its own: it goes on serving while the caller blocks.
///
/// # Errors
/// When an option is 0 that must not be, or the port is taken.
pub async fn start(options: Options) -> Result<Callio, StartError> {
    if options.max_page_size == 0 || options.days == 0 {
        return Err(StartError::Options("max_page_size and days must be at least 1"));
    }
    let port = Port::take(options.port)?;
    let inner = Inner {
        control: Control::new(port.url(), options.requests_per_second),
        tokens: Mutex::new(Tokens::new(options.seed, options.token_lifetime)),
        worlds: Mutex::default(),
        options,
    };
    let handle = Handle { inner: Arc::new(inner) };
    let running = port.serve(server::router(handle.clone()))?;
    Ok(Callio { handle, _running: running })
}
