//! Whether a replica answers.

use crate::spec::WorkerAddress;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

/// How often a starting replica is asked.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns when the replica is ready; asks for ever.
pub(crate) async fn becomes_ready(address: &WorkerAddress, path: Option<&str>) {
    loop {
        if timeout(PATIENCE, is_ready(address, path)).await.is_ok_and(|ready| ready.unwrap_or(false)) {
            return;
        }
        sleep(INTERVAL).await;
    }
}

async fn is_ready(address: &WorkerAddress, path: Option<&str>) -> io::Result<bool> {
    match address {
        WorkerAddress::Unix(socket) => ask(UnixStream::connect(socket).await?, path).await,
        WorkerAddress::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            // While nobody listens on it, a port of this range can be given to the very connection that asks for it.
            if stream.local_addr()? == stream.peer_addr()? {
                return Ok(false);
            }
            ask(stream, path).await
        }
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: Option<&str>) -> io::Result<bool> {
    let Some(path) = path else { return Ok(true) };
    let request = format!("GET {path} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // The status line is enough: `HTTP/1.1 200`.
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(head.starts_with(b"HTTP/1.") && matches!(head[9], b'2' | b'3'))
}
