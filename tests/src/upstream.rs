//! Backends that behave as told, down to the bytes.

use crate::wire::{Head, Remaining, read_head};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A port that the system chooses.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An HTTP/1.1 backend. Dropping it ends it, its connections included.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
    is_tls: bool,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Head>>,
    connections: AtomicUsize,
}

/// One request that a backend has to answer.
pub struct Exchange {
    /// The head of the request.
    pub head: Head,
    /// Counts the requests of this backend, from 1.
    pub number: usize,
    body: Remaining,
    io: BufReader<Box<dyn Io>>,
}

impl Upstream {
    /// Answers every request with 200 and this text.
    pub async fn replying(text: &'static str) -> Self {
        Self::serving(move |mut exchange| async move {
            exchange.body().await?;
            exchange.reply(200, &[], text).await?;
            Ok(exchange)
        })
        .await
    }

    /// Behaves as told. The behaviour returns the exchange to keep the connection open, an error to close it.
    pub async fn serving<F, R>(behaviour: F) -> Self
    where
        F: Fn(Exchange) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Exchange>> + Send + 'static,
    {
        Self::start(behaviour, None, ANY).await
    }

    /// Like [`Self::serving`], over TLS.
    pub async fn serving_tls<F, R>(config: Arc<ServerConfig>, behaviour: F) -> Self
    where
        F: Fn(Exchange) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Exchange>> + Send + 'static,
    {
        Self::start(behaviour, Some(TlsAcceptor::from(config)), ANY).await
    }

    /// Like [`Self::serving`], at a port that was in use before.
    pub async fn serving_at<F, R>(port: u16, behaviour: F) -> Self
    where
        F: Fn(Exchange) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Exchange>> + Send + 'static,
    {
        Self::start(behaviour, None, SocketAddr::from(([127, 0, 0, 1], port))).await
    }

    /// Like [`Self::serving`], at another address of this machine.
    pub async fn serving_on<F, R>(address: SocketAddr, behaviour: F) -> Self
    where
        F: Fn(Exchange) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Exchange>> + Send + 'static,
    {
        Self::start(behaviour, None, address).await
    }

    async fn start<F, R>(behaviour: F, tls: Option<TlsAcceptor>, address: SocketAddr) -> Self
    where
        F: Fn(Exchange) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Exchange>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let seen = Arc::new(Seen::default());
        let is_tls = tls.is_some();
        let accepting = tokio::spawn(accept(listener, tls, seen.clone(), Arc::new(behaviour)));
        Self { address, seen, accepting, is_tls }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a configuration names it.
    #[must_use]
    pub fn url(&self) -> String {
        // The name, not the number: certificates are made for names.
        if self.is_tls {
            format!("https://localhost:{}", self.address.port())
        } else {
            format!("http://{}", self.address)
        }
    }

    /// The heads of all requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Head> {
        self.seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept<F, R>(listener: TcpListener, tls: Option<TlsAcceptor>, seen: Arc<Seen>, behaviour: Arc<F>)
where
    F: Fn(Exchange) -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<Exchange>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, seen, behaviour) = (tls.clone(), seen.clone(), behaviour.clone());
        connections.spawn(async move {
            // However a connection ends, the gateway's side of it is what the tests look at.
            let _ = converse(stream, tls, &seen, &*behaviour).await;
        });
    }
}

async fn converse<F, R>(stream: TcpStream, tls: Option<TlsAcceptor>, seen: &Seen, behaviour: &F) -> io::Result<()>
where
    F: Fn(Exchange) -> R,
    R: Future<Output = io::Result<Exchange>>,
{
    stream.set_nodelay(true)?;
    let stream: Box<dyn Io> = match tls {
        Some(tls) => Box::new(tls.accept(stream).await?),
        None => Box::new(stream),
    };
    let mut io = BufReader::new(stream);
    while let Some(head) = read_head(&mut io).await? {
        let number = {
            let mut requests = seen.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(head.clone());
            requests.len()
        };
        let body = Remaining::of_request(&head);
        io = behaviour(Exchange { head, number, body, io }).await?.io;
    }
    Ok(())
}

impl Exchange {
    /// The whole rest of the request's body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn body(&mut self) -> io::Result<Vec<u8>> {
        std::mem::replace(&mut self.body, Remaining::Nothing).read_all(&mut self.io).await
    }

    /// The next piece of the request's body, `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.body.next(&mut self.io).await
    }

    /// Answers with a body of known length.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn reply(&mut self, status: u16, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> io::Result<()> {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} Status\r\n");
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(status, 204 | 304) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.write(format!("{head}\r\n")).await?;
        if self.head.method() != "HEAD" {
            self.write(body).await?;
        }
        Ok(())
    }

    /// Sends the head of an answer in chunks.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn begin_chunks(&mut self, content_type: &str) -> io::Result<()> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n");
        self.write(head).await
    }

    /// Sends one chunk; an empty one ends the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn chunk(&mut self, piece: impl AsRef<[u8]>) -> io::Result<()> {
        let piece = piece.as_ref();
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        self.write(chunk).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await?;
        self.io.flush().await
    }

    /// Bytes that are no HTTP, after an upgrade; none at the end of the connection.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        let count = self.io.read(&mut bytes).await?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Waits until the gateway closes the connection.
    pub async fn until_closed(&mut self) {
        while self.read().await.is_ok_and(|bytes| !bytes.is_empty()) {}
    }

    /// What a behaviour returns to close the connection.
    #[must_use]
    pub fn close(self) -> io::Error {
        io::Error::other("closed as told")
    }
}

/// An address at which nobody listens.
pub async fn refused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has free ports");
    listener.local_addr().expect("a bound socket has an address")
}
