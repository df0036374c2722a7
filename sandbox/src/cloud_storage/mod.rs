//! A stand-in of Cloud Storage: the JSON API over HTTP, with objects as plain files in a folder.
//! Writes are whole or not at all; faults are scripted at run time; every request is logged.
//!
//! Not served: object versions, access control, decompression of objects with a `contentEncoding`, and names that
//! cannot be file names (`a//b`, `a` beside `a/b`): those are refused with 400. Upload sessions end with the server.

mod buckets;
mod call;
mod change;
mod checksum;
mod content_range;
mod download;
mod fault;
mod layout;
mod listing;
mod log;
mod multipart;
mod parameters;
mod precondition;
mod reply;
mod resumable;
mod server;
mod spool;
mod state;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod upload;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;

pub use call::Operation;
pub use fault::{Fault, FaultAction};
pub use log::RequestSeen;

use state::State;

/// What the stand-in serves and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Folder of the objects: `<root>/<bucket>/<object>`. Made if it is missing; what lies there is served.
    pub root: PathBuf,
    /// Buckets that are made at the start; any other bucket is a 404 until a client creates it.
    pub buckets: Vec<String>,
    /// The bearer token that every request must bring; `None` lets everybody in.
    pub token: Option<String>,
    /// Least time between two changes of one object; a change that comes sooner is answered with 429.
    pub write_interval: Option<Duration>,
}

/// A running stand-in; dropping it stops it and closes its connections. The objects stay.
#[derive(Debug)]
pub struct CloudStorage {
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl CloudStorage {
    /// Starts the stand-in on threads of its own: it goes on serving while the caller blocks.
    ///
    /// # Errors
    /// When the folder cannot be made, a bucket's name is not allowed, or the port is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        let port = options.port;
        let socket = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        socket.set_nonblocking(true)?;
        let url = format!("http://{}", socket.local_addr()?);
        let state = Arc::new(tokio::task::spawn_blocking(|| State::new(options, url)).await??);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("cloud-storage")
            .enable_all()
            .build()?;
        // From here on an early return must not drop the runtime inside of the caller's.
        let server = Self { state: Arc::clone(&state), runtime: Some(runtime) };
        if let Some(runtime) = &server.runtime {
            let entered = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(socket);
            drop(entered);
            let listener = listener?.tap_io(|stream| {
                // Small answers must not wait for the acknowledgement of the packet before them.
                let _ = stream.set_nodelay(true);
            });
            runtime.spawn(async move { axum::serve(listener, server::router(state)).await });
        }
        Ok(server)
    }

    /// Where it listens, without a path: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// Adds a fault to the script.
    pub fn fault(&self, fault: Fault) {
        self.state.script().add(fault);
    }

    /// Forgets all faults that are still to come.
    pub fn clear_faults(&self) {
        self.state.script().clear();
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<RequestSeen> {
        self.state.log().all()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.state.log().clear();
    }

    /// The folder of the objects.
    pub fn root(&self) -> &Path {
        self.state.store.layout().root()
    }

    /// The file of an object, whether it is there or not.
    pub fn object_path(&self, bucket: &str, object: &str) -> PathBuf {
        self.root().join(bucket).join(object)
    }
}

impl Drop for CloudStorage {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
