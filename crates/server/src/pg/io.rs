//! A client's socket: what came and has not been read, and what is to be sent.

use super::message::{Frame, Unreadable};
use bytes::{Buf, BytesMut};
use futures::FutureExt;
use highwater::session::CancelHandle;
use pgwire::tokio::tokio_rustls::server::TlsStream;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

/// Bytes that are collected before they are sent, and read at once.
pub const BUFFER_BYTES: usize = 64 << 10;

/// The longest message that is read.
pub const MAX_MESSAGE_BYTES: usize = (1 << 30) - 1;

/// The longest message of a client whose identity is not known yet.
pub const MAX_STARTUP_BYTES: usize = 10_000;

/// A connection before and after it is encrypted.
#[derive(Debug)]
pub enum Stream {
    /// As it came.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// Within this process.
    Memory(tokio::io::DuplexStream),
    /// Given away.
    Closed,
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Memory(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }
}

/// A client's socket with its buffers.
#[derive(Debug)]
pub struct Io {
    /// The socket.
    pub stream: Stream,
    /// Messages that are to be sent; always whole ones when the socket is waited for.
    pub out: Vec<u8>,
    /// Where the client is, unless it is within this process.
    pub peer: Option<SocketAddr>,
    input: BytesMut,
    /// The client is gone; what is left of its messages is still read.
    gone: bool,
}

impl Io {
    /// A socket with empty buffers.
    pub fn new(stream: Stream, peer: Option<SocketAddr>) -> Io {
        Io { stream, out: Vec::with_capacity(1024), peer, input: BytesMut::with_capacity(8192), gone: false }
    }

    /// The next message if all of it has come.
    ///
    /// # Errors
    /// When its length is not one that such a message can have.
    pub fn buffered(&mut self) -> Result<Option<Frame>, Unreadable> {
        self.buffered_up_to(longest)
    }

    /// The next message of a server if all of it has come.
    ///
    /// # Errors
    /// When its length is not one that a message can have.
    pub fn buffered_reply(&mut self) -> Result<Option<Frame>, Unreadable> {
        self.buffered_up_to(|_| MAX_MESSAGE_BYTES)
    }

    fn buffered_up_to(&mut self, longest: impl Fn(u8) -> usize) -> Result<Option<Frame>, Unreadable> {
        let Some(head) = self.input.first_chunk::<5>() else { return Ok(None) };
        let kind = head[0];
        let length = i32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let length = usize::try_from(length).ok().filter(|length| *length >= 4 && *length <= longest(kind));
        let length = length.ok_or(Unreadable::Malformed("its length cannot be"))?;
        if self.input.len() < length + 1 {
            return Ok(None);
        }
        self.input.advance(5);
        Ok(Some(Frame { kind, body: self.input.split_to(length - 4).freeze() }))
    }

    /// The first message of a connection, which has no type.
    ///
    /// # Errors
    /// When its length is not one that such a message can have.
    pub fn buffered_startup(&mut self) -> Result<Option<Frame>, Unreadable> {
        let Some(head) = self.input.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(*head)).unwrap_or(0);
        if !(8..=MAX_STARTUP_BYTES).contains(&length) {
            return Err(Unreadable::Malformed("its length cannot be"));
        }
        if self.input.len() < length {
            return Ok(None);
        }
        self.input.advance(4);
        Ok(Some(Frame { kind: 0, body: self.input.split_to(length - 4).freeze() }))
    }

    /// The type of the next message if that has come.
    pub fn next_kind(&self) -> Option<u8> {
        self.input.first().copied()
    }

    /// Whether nothing has come that was not read.
    pub fn is_drained(&self) -> bool {
        self.input.is_empty()
    }

    /// Whether the whole next message has come.
    pub fn has_message(&self) -> bool {
        self.input.first_chunk::<5>().is_some_and(|head| {
            let length = i32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            usize::try_from(length).is_ok_and(|length| self.input.len() > length)
        })
    }

    /// Waits for more of the next message, with room for so many bytes at least. False when the client is gone.
    pub async fn read_more(&mut self, room: usize) -> io::Result<bool> {
        if self.gone {
            return Ok(false);
        }
        // A length is only a claim: never make much more room than what has come.
        self.input.reserve(self.input.len().clamp(room, 8 << 20));
        Ok(self.stream.read_buf(&mut self.input).await? > 0)
    }

    /// Reads what the client has already sent, and does not wait for more.
    pub fn read_what_came(&mut self) {
        if !self.gone {
            self.input.reserve(8192);
            if let Some(Ok(0)) = self.stream.read_buf(&mut self.input).now_or_never() {
                self.gone = true;
            }
        }
    }

    /// Sends what was written.
    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.out.clear();
            if matches!(self.stream, Stream::Tls(_)) {
                self.stream.flush().await?;
            }
            // One large row is not a reason to keep its memory for ever.
            if self.out.capacity() > 4 * BUFFER_BYTES {
                self.out.shrink_to(2 * BUFFER_BYTES);
            }
        }
        Ok(())
    }

    /// Ends the connection, so that an encrypted client knows that nothing was cut off.
    pub async fn close(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }

    /// Sends what was written when it is much.
    pub async fn flush_if_full(&mut self) -> io::Result<()> {
        if self.out.len() >= BUFFER_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Waits for something that the engine does, and cancels it when the client goes away meanwhile.
    pub async fn watch<T>(&mut self, cancel: &CancelHandle, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            // A client that sends ahead is left waiting: only as much is read as fits.
            let watching = !self.gone && self.input.len() < BUFFER_BYTES;
            if !watching {
                return work.await;
            }
            tokio::select! {
                biased;
                result = &mut work => return result,
                // A query uses up what a task may do in one go; the socket is looked at all the same.
                read = unconstrained(async {
                    self.input.reserve(4096);
                    self.stream.read_buf(&mut self.input).await
                }) => {
                    if !matches!(read, Ok(1..)) {
                        self.gone = true;
                        cancel.cancel();
                    }
                }
            }
        }
    }
}

/// The longest message of a type. Most are short, and a long one would only take memory.
fn longest(kind: u8) -> usize {
    match kind {
        b'Q' | b'P' | b'B' | b'F' | b'd' => MAX_MESSAGE_BYTES,
        _ => MAX_STARTUP_BYTES,
    }
}
