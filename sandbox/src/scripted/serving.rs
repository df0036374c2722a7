//! Serves the script on threads of its own. Names of headers are sent as most servers write them (`X-Next`), because clients that
//! tell capitals from small letters there must be found out.

use std::io;
use std::net::Ipv4Addr;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A running server on a free port of 127.0.0.1; dropping it closes its port and its connections.
#[derive(Debug)]
pub(super) struct Serving {
    url: String,
    runtime: Option<Runtime>,
}

impl Serving {
    /// # Errors
    /// No threads or no port can be had.
    pub(super) fn start(router: Router) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let url = format!("http://{}", socket.local_addr()?);
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).thread_name("scripted").enable_all().build()?;
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(socket) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let service = TowerToHyperService::new(router.clone());
                let mut builder = Builder::new();
                let connection = builder.title_case_headers(true).serve_connection(TokioIo::new(stream), service);
                // A client that goes away is no fault of the script.
                tokio::spawn(async move { connection.await.ok() });
            }
        });
        Ok(Self { url, runtime: Some(runtime) })
    }

    /// `http://127.0.0.1:<port>`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // In the way that is allowed inside another runtime too.
            runtime.shutdown_background();
        }
    }
}
