//! A stand-in of ServiceTitan: token endpoint, paged lists and export feeds over HTTP, with generations and faults.
//! Records are computed, never stored: two million of them cost no more memory than a few bytes each.

mod ads;
pub(crate) mod dice;
mod export;
mod generation;
mod list;
mod parameters;
mod query;
pub(crate) mod rate_limit;
mod records;
pub(crate) mod reply;
mod reporting;
mod resources;
mod server;
mod state;
mod time;
mod token;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::time::Duration;

use axum::serve::ListenerExt;

pub use state::Handle;

/// One company with its own credentials.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: String,
    pub client_id: String,
    pub client_secret: String,
}

/// What the stand-in serves and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The same seed makes the same records.
    pub seed: u64,
    pub tenants: Vec<Tenant>,
    /// What `ST-App-Key` must be.
    pub app_key: String,
    /// Scale: so many jobs, invoices, pay items, activities and timesheets; the other resources in proportion.
    pub records: usize,
    /// Records of one resource (`jobs`, `jobs/timesheets`, …) instead of its share of `records`.
    pub overrides: BTreeMap<String, usize>,
    /// Wait before every answer.
    pub latency: Duration,
    /// Limit for each application and tenant; `None` for no limit.
    pub requests_per_second: Option<u32>,
    pub token_lifetime: Duration,
    /// Largest `pageSize` that is accepted.
    pub max_page_size: usize,
    /// Rows on one page of an export feed.
    pub export_page_size: usize,
    /// The same report runs for a tenant once in this span.
    pub report_interval: Duration,
    /// One gross pay item in 200 has `"id": null`.
    pub null_ids: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            tenants: vec![Tenant {
                id: "900100".to_owned(),
                client_id: "cid.sandbox".to_owned(),
                client_secret: "cs1.sandbox-secret".to_owned(),
            }],
            app_key: "ak1.sandbox".to_owned(),
            records: 2000,
            overrides: BTreeMap::new(),
            latency: Duration::ZERO,
            requests_per_second: Some(60),
            token_lifetime: Duration::from_secs(900),
            max_page_size: 5000,
            export_page_size: 500,
            report_interval: Duration::from_secs(60),
            null_ids: false,
        }
    }
}

/// Why the stand-in did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("unknown resource '{0}' in overrides")]
    UnknownResource(String),
    #[error("page sizes must be at least 1")]
    PageSize,
    #[error("cannot listen on port {port}: {source}")]
    Listen { port: u16, source: io::Error },
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

/// A running stand-in; dropping it stops it and closes its connections. Everything it can do is on [`Handle`].
#[derive(Debug)]
pub struct ServiceTitan {
    handle: Handle,
    runtime: Option<tokio::runtime::Runtime>,
}

impl ServiceTitan {
    /// A handle that can be cloned and sent to other threads.
    pub fn state(&self) -> Handle {
        self.handle.clone()
    }
}

impl Deref for ServiceTitan {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for ServiceTitan {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Starts the stand-in on threads of its own: it goes on serving while the caller blocks.
///
/// # Errors
/// When an override names no resource, a page size is 0, or the port is taken.
pub async fn start(options: Options) -> Result<ServiceTitan, StartError> {
    if options.max_page_size == 0 || options.export_page_size == 0 {
        return Err(StartError::PageSize);
    }
    let port = options.port;
    let listen = |source| StartError::Listen { port, source };
    // First the port: a runtime that is there must not be dropped on the way out, inside of another one.
    let socket = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(listen)?;
    socket.set_nonblocking(true).map_err(listen)?;
    let address = socket.local_addr().map_err(listen)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("sandbox")
        .enable_all()
        .build()
        .map_err(StartError::Threads)?;
    let handle = match Handle::new(options, format!("http://{address}")) {
        Ok(handle) => handle,
        Err(error) => {
            runtime.shutdown_background();
            return Err(error);
        }
    };
    let router = server::router(handle.clone());
    let entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(socket);
    drop(entered);
    let server = ServiceTitan { handle, runtime: Some(runtime) };
    let listener = listener.map_err(listen)?.tap_io(|stream| {
        // Small answers must not wait for the acknowledgement of the packet before them.
        let _ = stream.set_nodelay(true);
    });
    if let Some(runtime) = &server.runtime {
        runtime.spawn(async move { axum::serve(listener, router).await });
    }
    Ok(server)
}
