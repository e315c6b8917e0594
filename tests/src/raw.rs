//! A client that sends exactly the bytes it is given.

use crate::waiting::within;
use crate::wire::{Head, Remaining, read_head};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A connection on which a test writes bytes of its own.
#[derive(Debug)]
pub struct Raw {
    stream: BufReader<TcpStream>,
}

/// An answer read from a [`Raw`] connection.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// Status line and fields.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Raw {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a connected socket has options");
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes; a gateway that has closed already is noticed when its answer is read.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("bytes are sent", self.stream.write_all(bytes.as_ref())).await;
    }

    /// Reads an answer to a request that was no HEAD. `None` when the gateway closed without one.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        let head = self.head().await?;
        let reading = Remaining::of_answer(&head).read_all(&mut self.stream);
        let body = within("the body of the answer", reading).await.ok()?;
        Some(RawAnswer { head, body })
    }

    /// Reads a head alone. `None` when the gateway closed without one.
    pub async fn head(&mut self) -> Option<Head> {
        within("the head of an answer", read_head(&mut self.stream)).await.ok().flatten()
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = within("the end of the connection", self.stream.read_to_end(&mut rest)).await;
        rest
    }

    /// The next bytes; none at the end of the connection.
    pub async fn some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 << 10];
        let count = within("more bytes", self.stream.read(&mut bytes)).await.unwrap_or(0);
        bytes.truncate(count);
        bytes
    }

    /// Whether the gateway has closed the connection; what it may have sent before is thrown away.
    pub fn is_closed(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.get_ref().try_read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }
}
