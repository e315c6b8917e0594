//! Where the gateway listens.

use super::problem::{ProblemList, ValuePath};
use super::units::{ByteSize, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One address on which clients are served.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawListener {
    /// IP address and port, like `0.0.0.0:8080` or `[::]:8443`. Port 0 lets the system choose one.
    address: String,
    /// Whether HTTP/2 without TLS ("prior knowledge") is understood beside HTTP/1. Default: true.
    h2c: Option<bool>,
    /// Certificate and key. Without it the listener speaks plain HTTP.
    tls: Option<RawListenerTls>,
}

/// A certificate for a listener. HTTP/2 is offered through ALPN.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawListenerTls {
    /// PEM file with the certificate chain, leaf first; relative to the configuration file.
    certificate: PathBuf,
    /// PEM file with the private key; relative to the configuration file.
    key: PathBuf,
}

/// One address on which clients are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether HTTP/2 without TLS is understood.
    pub h2c: bool,
    /// Certificate and key.
    pub tls: Option<ListenerTls>,
}

/// Files of a listener's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// Stands where an address could not be understood.
pub(super) const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl RawListener {
    pub(super) fn validate(self, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Listener {
        let Self { address, h2c, tls } = self;
        let address = parse_address(&address, &path.key("address"), problems).unwrap_or(NO_ADDRESS);
        let tls = tls.map(|RawListenerTls { certificate, key }| ListenerTls {
            certificate: base.join(certificate),
            key: base.join(key),
        });
        Listener { address, h2c: h2c.unwrap_or(true), tls }
    }
}

pub(super) fn parse_address(text: &str, path: &ValuePath, problems: &mut ProblemList) -> Option<SocketAddr> {
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            problems.report(
                path.clone(),
                format!("`{text}` is no address to listen on; write an IP address and a port, like `127.0.0.1:8080`"),
            );
            None
        }
    }
}

/// What one client connection may cost.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawConnectionLimits {
    /// Most client connections at once on all listeners; further ones are closed at once. Default: 10000; at most
    /// 1000000.
    connections: Option<usize>,
    /// Largest request head (request line and header fields). Default: 64KiB. Larger heads get 431.
    head_size: Option<ByteSize>,
    /// Longest time from the first byte of a request head to its end. Default: 10s. Slower clients are cut.
    head_timeout: Option<Span>,
    /// Longest time a connection may wait for its next request. Default: 75s.
    idle_timeout: Option<Span>,
    /// Longest time the client may take no byte of its answer. Default: 60s.
    write_timeout: Option<Span>,
    /// Longest silence while a request body is sent. Default: 60s.
    body_timeout: Option<Span>,
    /// Most requests at once on one HTTP/2 connection. Default: 100.
    h2_streams: Option<u32>,
}

/// What one client connection may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most client connections at once on all listeners.
    pub connections: usize,
    /// Largest request head in bytes.
    pub head_size: usize,
    /// Longest time from the first byte of a head to its end.
    pub head_timeout: Duration,
    /// Longest time a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// Longest time the client may take no byte of its answer.
    pub write_timeout: Duration,
    /// Longest silence while a request body is sent.
    pub body_timeout: Duration,
    /// Most requests at once on one HTTP/2 connection.
    pub h2_streams: u32,
}

/// As many file descriptors as one process gets on a common system.
const MOST_CONNECTIONS: usize = 1_000_000;

impl RawConnectionLimits {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> ConnectionLimits {
        let Self { connections, head_size, head_timeout, idle_timeout, write_timeout, body_timeout, h2_streams } = self;
        let seconds = |span: Option<Span>, default: u64| span.map_or(Duration::from_secs(default), |span| span.0);
        let limits = ConnectionLimits {
            connections: connections.unwrap_or(10_000),
            head_size: usize::try_from(head_size.map_or(64 << 10, |size| size.0)).unwrap_or(usize::MAX),
            head_timeout: seconds(head_timeout, 10),
            idle_timeout: seconds(idle_timeout, 75),
            write_timeout: seconds(write_timeout, 60),
            body_timeout: seconds(body_timeout, 60),
            h2_streams: h2_streams.unwrap_or(100),
        };
        if !(1..=MOST_CONNECTIONS).contains(&limits.connections) {
            problems.report(path.key("connections"), format!("must be between 1 and {MOST_CONNECTIONS}"));
        }
        if limits.h2_streams == 0 {
            problems.report(path.key("h2_streams"), "0 would serve nobody over HTTP/2; the least is 1");
        }
        // 1 MiB is the buffer above which Pingora itself refuses a head.
        if !(1 << 10..=1 << 20).contains(&limits.head_size) {
            problems.report(path.key("head_size"), "must be between 1KiB and 1MiB");
        }
        let times = [
            ("head_timeout", limits.head_timeout),
            ("idle_timeout", limits.idle_timeout),
            ("write_timeout", limits.write_timeout),
            ("body_timeout", limits.body_timeout),
        ];
        for (key, time) in times {
            if time.is_zero() {
                problems.report(path.key(key), "0 would cut every client; the least is 1ms");
            }
        }
        limits
    }
}
