//! Connections that end when their time is over: a caller that hangs, that sends one byte a minute or never fetches its answer must not
//! hold its connection for ever. What they may take is in [`super::seats`].

use super::seats::{Activity, Limits, Seat, Seats};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep_until};

/// A listener whose connections are few, and end in time.
#[derive(Debug)]
pub(super) struct Connections {
    listener: TcpListener,
    seats: Seats,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, limits: Limits) -> Self {
        Self { listener, seats: Seats::new(limits) }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The server library knows how to wait when there are no more file handles.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let _ = stream.set_nodelay(true);
        let seat = self.seats.take().await;
        let limit = Box::pin(sleep_until(seat.activity.until()));
        (Connection { stream, seat, limit, over: None }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Connections>> for Activity {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.io().seat.activity.clone()
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    seat: Seat,
    limit: Pin<Box<Sleep>>,
    /// Why it has ended.
    over: Option<io::ErrorKind>,
}

impl Connection {
    /// Whether the connection may go on; an error if it has given way or its time is over.
    fn may_go_on(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.over.is_none() {
            let until = self.seat.activity.until();
            if self.limit.deadline() != until {
                self.limit.as_mut().reset(until);
            }
            if Pin::new(&mut self.seat.cut).poll(context).is_ready() {
                self.over = Some(io::ErrorKind::ConnectionAborted);
            } else if self.limit.as_mut().poll(context).is_ready() {
                self.over = Some(io::ErrorKind::TimedOut);
            }
        }
        self.over.map_or(Ok(()), |over| Err(over.into()))
    }

    fn has_written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.seat.activity.has_written();
        }
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.may_go_on(context)?;
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if self.seat.activity.has_read(into.filled().len() - before) {
            return Poll::Ready(Ok(()));
        }
        self.over = Some(io::ErrorKind::InvalidData);
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.may_go_on(context)?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.has_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.may_go_on(context)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.has_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.may_go_on(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.may_go_on(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn connect() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (head_within, answer_within) = (Duration::from_millis(100), Duration::from_secs(60));
        let limits = Limits { connections: 2, head_within, largest_head: 8, answer_within };
        let mut connections = Connections::new(listener, limits);
        let caller = TcpStream::connect(address).await.unwrap();
        let (connection, _) = connections.accept().await;
        (caller, connection)
    }

    #[tokio::test]
    async fn a_caller_that_says_nothing_or_a_byte_now_and_then_is_cut_off() {
        let (_silent, mut connection) = connect().await;
        assert_eq!(connection.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (mut slow, mut connection) = connect().await;
        let drip = async {
            while slow.write_u8(b'x').await.is_ok() {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        let read = async { while connection.read_u8().await.is_ok() {} };
        tokio::select! {
            () = read => {}
            () = drip => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => panic!("it was read for ever"),
        }
        assert_eq!(connection.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_cut_off() {
        let (mut caller, mut connection) = connect().await;
        caller.write_all(b"123456789").await.unwrap();
        let mut into = [0; 16];
        assert_eq!(connection.read(&mut into).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
