//! From an endpoint of the configuration to a Pingora peer. The only file below `proxy` that knows Pingora's peers.

use super::discovery::Found;
use super::endpoint_state::EndpointState;
use crate::config::{Backend, Endpoint, Protocol};
use crate::sharing::Lot;
use pingora_core::protocols::ALPN;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora_core::protocols::tls::CaType;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::utils::tls::{WrappedX509, parse_x509};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::os::unix::net::SocketAddr as UnixSocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::Instant;

/// Requests at once on one HTTP/2 connection to a backend; Pingora's default of 1 would open one per request.
const H2_STREAMS: usize = 100;

/// A resolved endpoint: where it is and the peer to connect to it.
#[derive(Clone, Debug)]
pub struct EndpointPeer {
    /// `host:port` as configured, for logs and metrics.
    pub label: Arc<str>,
    /// The value of a Host header that names the endpoint itself.
    pub authority: Arc<str>,
    /// Its resolved address, or its socket.
    pub address: PeerAddress,
    /// The template that a request copies.
    pub peer: HttpPeer,
    /// What the configuration, or whoever found it, says of it.
    pub endpoint: Endpoint,
    /// Its share of the requests against the others'.
    pub weight: u32,
    /// Most requests that it takes at once.
    pub most_outstanding: Option<u32>,
    /// How it is doing.
    pub state: Arc<EndpointState>,
    /// Its part in deciding whom a value falls to.
    pub(super) lot: Lot,
    sticky_name: Box<str>,
}

/// An endpoint that may answer a request.
pub type PickedEndpoint = Arc<EndpointPeer>;

impl EndpointPeer {
    /// The peer for one request.
    #[must_use]
    pub fn for_request(&self) -> Box<HttpPeer> {
        Box::new(self.peer.clone())
    }

    /// What a cookie calls it: the same in every gateway, and no address.
    #[must_use]
    pub fn sticky_name(&self) -> &str {
        &self.sticky_name
    }

    /// Whether it has as many requests under way as it takes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.most_outstanding.is_some_and(|most| self.state.outstanding() >= most)
    }

    /// Whether it is the same in all that a configuration can say of it.
    #[must_use]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.address, &self.label, &self.endpoint, self.most_outstanding)
            == (&other.address, &other.label, &other.endpoint, other.most_outstanding)
    }
}

/// The trust anchors of a backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no usable certificate.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Makes the peers of one backend.
#[derive(Clone, Debug)]
pub struct PeerBuilder {
    backend: Backend,
    authorities: Option<Arc<CaType>>,
    group: u64,
}

impl PeerBuilder {
    /// Reads the backend's trust anchors. `namespace` keeps its connections apart from those of other namespaces.
    ///
    /// # Errors
    /// When the file of trust anchors cannot be used.
    pub fn new(namespace: &str, backend: &Backend) -> Result<Self, CaFileError> {
        let (authorities, digest) = match &backend.tls.ca_file {
            None => (None, 0),
            Some(path) => {
                let read = |source| CaFileError::Read { path: path.clone(), source };
                let pem = std::fs::read(path).map_err(read)?;
                let certificates =
                    parse_certificates(&pem).map_err(|reason| CaFileError::Content { path: path.clone(), reason })?;
                (Some(certificates), hash_of(&pem))
            }
        };
        // Pingora pools connections by address, name and this number, but not by trust anchors or ALPN.
        let protocol = backend.protocol as u8;
        let group = hash_of(&(namespace, &backend.name, digest, protocol, &backend.tls.server_name));
        Ok(Self { backend: backend.clone(), authorities, group })
    }

    /// What changes when the content of the trust anchors changes; equal builders make equal peers.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.group
    }

    /// The peer of an endpoint that was found.
    #[must_use]
    pub fn build(&self, found: &Found) -> EndpointPeer {
        let Found { endpoint, address, label, most_outstanding } = found;
        // An empty name would switch the verification off (Pingora follows nginx there), so the host always stands in.
        let name = self.backend.tls.server_name.as_ref().unwrap_or(&endpoint.host);
        let server_name = if endpoint.tls { name.clone() } else { String::new() };
        let mut peer = match address {
            PeerAddress::Inet(address) => HttpPeer::new(*address, endpoint.tls, server_name),
            PeerAddress::Unix(socket) => unix_peer(socket),
        };
        peer.group_key = self.group;
        let options = &mut peer.options;
        options.connection_timeout = Some(self.backend.timeouts.connect);
        options.total_connection_timeout = Some(self.backend.timeouts.connect);
        options.read_timeout = Some(self.backend.timeouts.silence);
        options.write_timeout = Some(self.backend.timeouts.silence);
        options.idle_timeout = Some(self.backend.timeouts.idle);
        options.max_h2_streams = H2_STREAMS;
        options.alpn = match self.backend.protocol {
            Protocol::Http1 => ALPN::H1,
            Protocol::Auto => ALPN::H2H1,
            Protocol::H2 => ALPN::H2,
        };
        options.verify_cert = self.backend.tls.verify;
        options.verify_hostname = self.backend.tls.verify;
        options.ca.clone_from(&self.authorities);
        let is_ipv6 = endpoint.host.contains(':');
        let host = if is_ipv6 { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
        let default_port = if endpoint.tls { 443 } else { 80 };
        let name: Arc<str> = format!("{host}:{}", endpoint.port).into();
        let authority = if endpoint.port == default_port { host.into() } else { name.clone() };
        let label = label.clone().unwrap_or(name);
        let place = format!("{label} {address}");
        EndpointPeer {
            lot: Lot::new(&place, endpoint.weight),
            sticky_name: sticky_name(&place),
            authority,
            address: address.clone(),
            peer,
            weight: endpoint.weight,
            endpoint: endpoint.clone(),
            most_outstanding: *most_outstanding,
            state: Arc::new(EndpointState::new(Instant::now())),
            label,
        }
    }
}

/// Half of a digest: nobody can tell the address from it, and no two endpoints share one.
fn sticky_name(place: &str) -> Box<str> {
    let digest = Sha256::digest(place.as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

/// The path was made into a socket's address before, so it can be again.
fn unix_peer(socket: &UnixSocketAddr) -> HttpPeer {
    let path = socket.as_pathname().and_then(Path::to_str).unwrap_or_default();
    let nowhere = || HttpPeer::new(SocketAddr::from(([127, 0, 0, 1], 9)), false, String::new());
    HttpPeer::new_uds(path, false, String::new()).unwrap_or_else(|_never| nowhere())
}

fn parse_certificates(pem: &[u8]) -> Result<Arc<CaType>, String> {
    let mut store = rustls::RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("is not valid PEM: {error}"))?;
        // rustls checks the certificate first, because Pingora's own parser panics on what is none.
        store
            .add(certificate.clone())
            .map_err(|error| format!("holds a certificate that cannot be trusted: {error}"))?;
        certificates.push(WrappedX509::new(certificate.to_vec(), parse_x509));
    }
    if certificates.is_empty() {
        return Err("holds no certificate (BEGIN CERTIFICATE)".to_owned());
    }
    Ok(Arc::from(certificates))
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
