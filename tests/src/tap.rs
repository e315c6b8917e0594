//! Listens in between the gateway and a real service.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Who ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The gateway.
    Gateway,
    /// The service.
    Service,
}

/// Passes bytes on and remembers those of the gateway.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    heard: Arc<Heard>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    from_gateway: Mutex<Vec<u8>>,
    first_to_close: Mutex<Vec<Option<Side>>>,
}

impl Tap {
    /// Starts to listen in front of `service`.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn in_front_of(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let heard = Arc::new(Heard::default());
        let accepting = tokio::spawn(accept(listener, service, heard.clone()));
        Self { address, heard, accepting }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that the gateway has sent so far.
    #[must_use]
    pub fn from_gateway(&self) -> String {
        let bytes = self.heard.from_gateway.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Who closed each connection first; `None` while it is open.
    #[must_use]
    pub fn first_to_close(&self) -> Vec<Option<Side>> {
        self.heard.first_to_close.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: SocketAddr, heard: Arc<Heard>) {
    let mut directions = JoinSet::new();
    while let Ok((gateway, _)) = listener.accept().await {
        let Ok(service) = TcpStream::connect(service).await else { continue };
        let connection = {
            let mut connections = heard.first_to_close.lock().unwrap_or_else(PoisonError::into_inner);
            connections.push(None);
            connections.len() - 1
        };
        let ((from_gateway, to_gateway), (from_service, to_service)) = (gateway.into_split(), service.into_split());
        directions.spawn(pass(from_gateway, to_service, Side::Gateway, connection, heard.clone()));
        directions.spawn(pass(from_service, to_gateway, Side::Service, connection, heard.clone()));
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, side: Side, connection: usize, heard: Arc<Heard>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            let mut connections = heard.first_to_close.lock().unwrap_or_else(PoisonError::into_inner);
            connections[connection].get_or_insert(side);
            break;
        }
        if side == Side::Gateway {
            heard.from_gateway.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
