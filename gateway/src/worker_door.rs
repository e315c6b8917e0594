//! Where workers call the gateway: a Unix socket and a loopback port that nobody else has a token for.
//!
//! HTTP/1.1, with the paths that callers outside use and `Authorization: Bearer <token>`; FrameX sends the bare token, which will
//! do. What is called, and by which rules, is `dispatch`'s business.

use crate::backends::{DoorListeners, WorkerPasses};
use crate::dispatch::InternalCalls;
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use framex_plugin_host::{Body, BodyError};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of all workers together, on the socket and on the port.
const MOST_CONNECTIONS: usize = 1024;
/// How long the head of a request may take to arrive, and a kept connection to be silent.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may last on which no token was shown.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait after an error that will not go away at once, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What the door needs to answer.
#[derive(Debug)]
pub struct WorkerDoor {
    /// Whose tokens are good.
    pub passes: WorkerPasses,
    /// What answers.
    pub calls: Arc<InternalCalls>,
    /// The configuration in force.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
}

/// A way in.
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| -> Box<dyn Stream> { Box::new(stream) }),
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| -> Box<dyn Stream> { Box::new(stream) }),
        }
    }
}

impl WorkerDoor {
    /// Answers calls until the future is dropped.
    ///
    /// # Errors
    /// When the listeners cannot be used.
    pub async fn serve(self, listeners: DoorListeners) -> io::Result<()> {
        let DoorListeners { unix, tcp } = listeners;
        unix.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        let (unix, tcp) = (UnixListener::from_std(unix)?, TcpListener::from_std(tcp)?);
        let door = Arc::new(self);
        // Each with a room of its own: whoever can reach the port cannot close the socket.
        let (over_socket, over_port) = (Listener::Unix(unix), Listener::Tcp(tcp));
        tokio::join!(door.clone().accept(over_socket), door.accept(over_port));
        Ok(())
    }

    async fn accept(self: Arc<Self>, listener: Listener) {
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            // Workers wait when there is no room: their own queue is the better place.
            let Ok(place) = room.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok(stream) => drop(tokio::spawn(self.clone().answer(stream, place))),
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection of a worker");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn answer(self: Arc<Self>, stream: Box<dyn Stream>, _place: OwnedSemaphorePermit) {
        let is_known = Arc::new(AtomicBool::new(false));
        let service = service_fn(|request| {
            let (door, is_known) = (self.clone(), is_known.clone());
            async move { Ok::<_, Infallible>(door.call(request, &is_known).await) }
        });
        let mut served = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
        );
        let served = match tokio::time::timeout(STRANGER_TIMEOUT, &mut served).await {
            Ok(served) => served,
            Err(_elapsed) if is_known.load(Ordering::Relaxed) => served.await,
            // It has shown no token in all this time.
            Err(_elapsed) => return,
        };
        if let Err(error) = served {
            tracing::debug!(%error, "the connection of a worker ended");
        }
    }

    async fn call(&self, request: Request<Incoming>, is_known: &AtomicBool) -> Response<Body> {
        let field = request.headers().get(header::AUTHORIZATION).and_then(|field| field.to_str().ok());
        let holder = field.and_then(|field| self.passes.holder(token_of(field)));
        let Some(plugin) = holder else { return self.calls.refuse_unknown(field.is_some()) };
        is_known.store(true, Ordering::Relaxed);
        let request = request.map(|body| body.map_err(BodyError::source).boxed_unsync());
        self.calls.call_of_worker(request, plugin, self.snapshot.load_full()).await
    }
}

/// The token of an `Authorization` field, with or without a scheme.
fn token_of(field: &str) -> &str {
    match field.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => field.trim(),
    }
}
