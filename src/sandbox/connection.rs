//! Connections, and how an answer goes out on one: at once and whole, or as a scripted failure wants it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::{Stream, StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::faults::Break;

/// How many pieces a slow body comes in, at most.
const PIECES: usize = 20;

/// A connection, as the answers on it know it.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    reset: Arc<AtomicBool>,
}

impl Line {
    /// Says that the connection ends with a reset, once it ends.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

/// Listens; its connections can be reset.
pub(super) struct Lines(pub TcpListener);

impl Listener for Lines {
    type Io = Wire;
    type Addr = Line;

    async fn accept(&mut self) -> (Wire, Line) {
        let (tcp, _) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for the client's acknowledgement of earlier ones. Where it can't be set, they do.
        drop(tcp.set_nodelay(true));
        let line = Line::default();
        (Wire { tcp, line: line.clone() }, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line::default())
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A connection's two streams of bytes.
pub(super) struct Wire {
    tcp: TcpStream,
    line: Line,
}

impl Wire {
    fn is_reset(&self) -> bool {
        self.line.reset.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.is_reset() {
            // Where it can't be set, the client sees the connection closed instead.
            drop(self.tcp.set_zero_linger());
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An end in good order would come before the reset.
        if self.is_reset() { Poll::Ready(Ok(())) } else { Pin::new(&mut self.tcp).poll_shutdown(cx) }
    }
}

/// A body that fails at once: the server gives the connection up, with the head that it has not sent yet.
pub(super) fn no_answer() -> Body {
    Body::from_stream(stream::once(async { broken() }))
}

/// A body as a failure wants it, over a time or broken off in the middle, and the length that its head claims.
pub(super) fn body(whole: &Bytes, slow: Duration, cut: Option<Break>, line: &Line) -> (Body, usize) {
    let sent = if cut.is_some() { whole.slice(..whole.len() / 2) } else { whole.clone() };
    let claimed = if cut == Some(Break::Truncate) { sent.len() } else { whole.len() };
    let pieces = trickle(sent, slow).map(Ok);
    let body = match cut {
        None | Some(Break::Truncate) => Body::from_stream(pieces),
        Some(cut @ (Break::Close | Break::Reset)) => {
            let line = line.clone();
            let end = async move {
                // What was written so far goes out while the server waits for more.
                tokio::task::yield_now().await;
                if cut == Break::Reset {
                    line.reset();
                }
                broken()
            };
            Body::from_stream(pieces.chain(stream::once(end)))
        }
    };
    (body, claimed)
}

fn broken() -> io::Result<Bytes> {
    Err(io::ErrorKind::ConnectionReset.into())
}

/// The bytes in pieces, each after its part of the time.
fn trickle(bytes: Bytes, over: Duration) -> impl Stream<Item = Bytes> {
    let pieces = if over.is_zero() { 1 } else { bytes.len().clamp(1, PIECES) };
    let size = bytes.len().div_ceil(pieces).max(1);
    let pause = over.checked_div(u32::try_from(pieces).unwrap_or(1)).unwrap_or_default();
    stream::unfold(bytes, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = left.split_to(size.min(left.len()));
        Some((piece, left))
    })
}
