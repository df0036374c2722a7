//! A server on threads of its own, whose connections can be cut before a byte of the answer is sent.
//! The caller may block or be asynchronous; dropping the server closes its port and its connections.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A running server on a free port of 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Serving {
    url: String,
    runtime: Option<Runtime>,
}

impl Serving {
    /// Serves a router; its handlers can take `ConnectInfo<Line>`.
    ///
    /// # Errors
    /// No threads or no port can be had.
    pub(crate) fn start(router: Router) -> io::Result<Self> {
        Self::start_at(0, router)
    }

    /// The same on this port of 127.0.0.1; 0 takes a free one.
    pub(crate) fn start_at(port: u16, router: Router) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let opened = open(port);
        drop(entered);
        // From here on `drop` stops the runtime in the way that is allowed inside another runtime too.
        let mut serving = Self { url: String::new(), runtime: Some(runtime) };
        let refused = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on port {port}: {error}"));
        let (socket, url) = opened.map_err(refused)?;
        serving.url = url;
        let service = router.into_make_service_with_connect_info::<Line>();
        if let Some(runtime) = &serving.runtime {
            runtime.spawn(async move { axum::serve(Lines(socket), service).await });
        }
        Ok(serving)
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn open(port: u16) -> io::Result<(TcpListener, String)> {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nonblocking(true)?;
    let url = format!("http://{}", socket.local_addr()?);
    Ok((TcpListener::from_std(socket)?, url))
}

/// The connection of a request, for its handler.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    cut: Arc<AtomicBool>,
}

impl Line {
    /// Nothing more is sent on this connection: the client sees it closed instead of the answer.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listener whose "address" of a connection is the switch that cuts it.
#[derive(Debug)]
pub(crate) struct Lines(TcpListener);

impl Listener for Lines {
    type Io = Wire;
    type Addr = Line;

    async fn accept(&mut self) -> (Wire, Line) {
        // The listener of the server library knows how to wait when there are no more file handles.
        let (stream, _) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for the acknowledgement of the packet before them.
        let _ = stream.set_nodelay(true);
        let line = Line::default();
        (Wire { stream, line: line.clone() }, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line::default())
    }
}

/// A connection that fails to write once it is cut, so that the server drops it.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    line: Line,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
