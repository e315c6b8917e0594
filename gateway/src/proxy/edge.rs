//! The outermost layer: what a connection may cost before and between requests.
//!
//! Pingora's own timeouts are per read, so a client that drips one byte now and then holds a connection for ever. This
//! layer wraps every accepted stream and bounds the whole head, the idle time, and the number of connections; it also
//! recognises HTTP/2 without waiting for more bytes than an HTTP/1 client may ever send.

use async_trait::async_trait;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use pingora_core::server::ShutdownWatch;
use pingora_proxy::Session;
use prometheus::{IntCounter, IntGauge};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep_until};

/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct EdgeLimits {
    /// From the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// From the end of a request, or from the connection's start, to the first byte of the next.
    pub idle_timeout: Duration,
    /// Bytes of a head before the connection is cut. Heads above the configured limit and below this one get a 431.
    pub head_bytes: usize,
    /// Connections at once.
    pub connections: usize,
}

/// Wraps the proxy and bounds its connections.
#[derive(Debug)]
pub struct Edge<A> {
    inner: Arc<A>,
    limits: EdgeLimits,
    room: Arc<Semaphore>,
    open: IntGauge,
    refused: IntCounter,
}

impl<A> Edge<A> {
    /// Bounds the connections of `inner`. `open` and `refused` count them.
    pub fn new(inner: A, limits: EdgeLimits, room: Arc<Semaphore>, open: IntGauge, refused: IntCounter) -> Self {
        Self { inner: Arc::new(inner), limits, room, open, refused }
    }
}

struct Open(IntGauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServerApp for Edge<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let Ok(_room) = self.room.clone().try_acquire_owned() else {
            self.refused.inc();
            return None;
        };
        self.open.inc();
        let _open = Open(self.open.clone());
        // The proxy serves a connection to its end and hands nothing back.
        self.inner.process_new(Box::new(GuardedStream::new(stream, self.limits)), shutdown).await
    }

    async fn cleanup(&self) {
        self.inner.cleanup().await;
    }
}

/// Says that the head of the current request has arrived, so that its deadline is over.
pub(super) fn head_arrived(session: &Session) {
    if let Some(stream) = guarded(session) {
        stream.in_head.store(false, Ordering::Relaxed);
    }
}

/// Says that the next bytes are a new head.
pub(super) fn request_ended(session: &Session) {
    if let Some(stream) = guarded(session) {
        stream.head_bytes.store(0, Ordering::Relaxed);
        stream.is_fresh.store(true, Ordering::Relaxed);
        stream.in_head.store(true, Ordering::Relaxed);
    }
}

fn guarded(session: &Session) -> Option<&GuardedStream> {
    session.downstream_session.stream()?.as_any().downcast_ref::<GuardedStream>()
}

#[derive(Debug)]
struct GuardedStream {
    inner: Stream,
    limits: EdgeLimits,
    in_head: AtomicBool,
    is_fresh: AtomicBool,
    head_bytes: AtomicUsize,
    head_began: bool,
    /// When patience with the current head ends.
    deadline: Option<Instant>,
    /// The one timer of the connection. It is moved only when it would ring too late, or has rung too early: a
    /// connection that is busy never touches the runtime's timer wheel.
    timer: Option<Pin<Box<Sleep>>>,
    is_h2: bool,
    /// Bytes that were read to recognise the protocol.
    peeked: Vec<u8>,
}

impl GuardedStream {
    fn new(inner: Stream, limits: EdgeLimits) -> Self {
        Self {
            is_h2: matches!(inner.selected_alpn_proto(), Some(ALPN::H2)),
            inner,
            limits,
            in_head: AtomicBool::new(true),
            is_fresh: AtomicBool::new(true),
            head_bytes: AtomicUsize::new(0),
            head_began: false,
            deadline: None,
            timer: None,
            peeked: Vec::new(),
        }
    }

    fn read_inner(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.peeked.is_empty() {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let bytes = self.peeked.len().min(buffer.remaining());
        buffer.put_slice(&self.peeked[..bytes]);
        self.peeked.drain(..bytes);
        Poll::Ready(Ok(()))
    }

    fn count_head(&mut self, bytes: usize) -> io::Result<()> {
        let total = self.head_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > self.limits.head_bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "request head too large"));
        }
        if bytes > 0 && !self.head_began {
            self.head_began = true;
            // Patience with a head is another than with silence. A head that comes in one piece needs none.
            self.deadline = None;
        }
        Ok(())
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limit = if self.head_began { self.limits.head_timeout } else { self.limits.idle_timeout };
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + limit);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= deadline {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request head in time")));
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_fresh.swap(false, Ordering::Relaxed) {
            this.deadline = None;
            this.head_began = false;
        }
        let before = buffer.filled().len();
        let read = this.read_inner(context, buffer);
        if this.is_h2 || !this.in_head.load(Ordering::Relaxed) {
            this.deadline = None;
            return read;
        }
        match read {
            Poll::Ready(Ok(())) => Poll::Ready(this.count_head(buffer.filled().len() - before)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_deadline(context),
        }
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for GuardedStream {
    async fn shutdown(&mut self) {
        Shutdown::shutdown(&mut *self.inner).await;
    }
}

impl UniqueID for GuardedStream {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for GuardedStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for GuardedStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
}

impl GetProxyDigest for GuardedStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for GuardedStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

#[async_trait]
impl Peek for GuardedStream {
    /// Stops at the first byte that is not the preface's. Pingora's own peek waits for 24 bytes without a deadline, which
    /// hangs on `GET / HTTP/1.0` with its 18 bytes.
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let wanted = buffer.len().min(PREFACE.len());
        let mut got = 0;
        let inner = &mut self.inner;
        let peek = async {
            while got < wanted && buffer[..got] == PREFACE[..got] {
                match inner.read(&mut buffer[got..wanted]).await? {
                    0 => break,
                    bytes => got += bytes,
                }
            }
            Ok::<(), io::Error>(())
        };
        // The first byte may take as long as an idle connection may; so may a whole preface, which is one packet.
        match tokio::time::timeout(self.limits.idle_timeout, peek).await {
            Ok(read) => read?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        self.peeked.extend_from_slice(&buffer[..got]);
        if got == wanted && buffer[..wanted] == PREFACE[..wanted] {
            self.is_h2 = true;
        } else {
            buffer[got..].fill(0);
        }
        Ok(true)
    }
}
