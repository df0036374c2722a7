//! A server on threads of its own: the port is known before the first request can come.
//! The caller may block or be asynchronous; dropping the server closes its port and its connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::serve::ListenerExt;
use tokio::runtime::Runtime;

/// Why a stand-in did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Options(&'static str),
    #[error("cannot listen on port {port}: {source}")]
    Listen { port: u16, source: io::Error },
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

/// A port that is taken, and the threads that will serve it.
#[derive(Debug)]
pub(crate) struct Port {
    socket: std::net::TcpListener,
    number: u16,
    url: String,
}

impl Port {
    /// Takes a port of 127.0.0.1; 0 takes a free one.
    pub(crate) fn take(number: u16) -> Result<Self, StartError> {
        let listen = |source| StartError::Listen { port: number, source };
        let socket = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number))).map_err(listen)?;
        socket.set_nonblocking(true).map_err(listen)?;
        let url = format!("http://{}", socket.local_addr().map_err(listen)?);
        Ok(Self { socket, number, url })
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn serve(self, router: Router) -> Result<Running, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let entered = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(self.socket);
        drop(entered);
        // From here on `drop` stops the runtime in the way that is allowed inside another runtime too.
        let running = Running(Some(runtime));
        let listener = listener.map_err(|source| StartError::Listen { port: self.number, source })?;
        let listener = listener.tap_io(|stream| {
            // Small answers must not wait for the acknowledgement of the packet before them.
            let _ = stream.set_nodelay(true);
        });
        if let Some(runtime) = &running.0 {
            runtime.spawn(async move { axum::serve(listener, router).await });
        }
        Ok(running)
    }
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Running(Option<Runtime>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
