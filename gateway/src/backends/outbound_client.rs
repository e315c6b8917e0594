//! The way of components to hosts outside: only over connections to addresses that they may reach.

use super::public_address::is_public;
use framex_plugin_host::{Body, BodyError};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(30);
/// Connections that are kept for each host.
const IDLE_PER_HOST: usize = 32;

type HttpClient = Client<HttpsConnector<HttpConnector<GuardedResolver>>, Body>;

/// Calls hosts outside, over HTTP/1.1 and HTTP/2, TLS checked against the system's authorities. Redirects are answers like others.
pub struct OutboundClient {
    /// For those who may reach public addresses alone. Its connections are never lent to the others, nor theirs to it.
    public: HttpClient,
    unrestricted: HttpClient,
}

impl fmt::Debug for OutboundClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundClient").finish_non_exhaustive()
    }
}

/// A host outside gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// It is, or its name leads to, an address that is not public.
    #[error("{0} is no public address, and private networks are not allowed")]
    Private(IpAddr),
    /// There is no way to it.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke, or what came is no HTTP.
    #[error("it broke off: {0}")]
    Broken(String),
}

impl OutboundClient {
    /// A client that trusts the certificate authorities of the system.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a certificate authority of the system cannot be used");
        }
        roots.add_parsable_certificates(found.certs);
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { public: client(tls.clone(), false), unrestricted: client(tls, true) })
    }

    /// Sends a request with an absolute target.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn call(&self, request: Request<Body>, private_networks: bool) -> Result<Response<Body>, OutboundError> {
        if !private_networks && let Some(address) = literal(request.uri()).filter(|address| !is_public(*address)) {
            return Err(OutboundError::Private(address));
        }
        let client = if private_networks { &self.unrestricted } else { &self.public };
        let answer = client.request(request).await.map_err(|error| failure(&error))?;
        Ok(answer.map(|body| body.map_err(BodyError::source).boxed_unsync()))
    }
}

fn client(tls: rustls::ClientConfig, private_networks: bool) -> HttpClient {
    let mut connector = HttpConnector::new_with_resolver(GuardedResolver { private_networks });
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(connector);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .build(connector)
}

/// The address in a target that has no name; connectors do not ask the resolver for it.
fn literal(target: &Uri) -> Option<IpAddr> {
    target.host()?.trim_matches(['[', ']']).parse().ok()
}

fn failure(error: &hyper_util::client::legacy::Error) -> OutboundError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut last = error.to_string();
    while let Some(inner) = cause {
        if let Some(OutboundError::Private(address)) = inner.downcast_ref::<OutboundError>() {
            return OutboundError::Private(*address);
        }
        // What an `io::Error` wraps is not among its sources.
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(OutboundError::Private(address)) = wrapped.and_then(|inner| inner.downcast_ref::<OutboundError>()) {
            return OutboundError::Private(*address);
        }
        last = inner.to_string();
        cause = inner.source();
    }
    if error.is_connect() { OutboundError::Unreachable(last) } else { OutboundError::Broken(last) }
}

/// Looks names up and gives only addresses that may be reached: what was checked is what is connected to, so a name that leads
/// elsewhere a moment later (DNS rebinding) changes nothing.
#[derive(Clone, Copy, Debug)]
struct GuardedResolver {
    private_networks: bool,
}

type Lookup = Pin<Box<dyn Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> + Send>>;

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Lookup;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Lookup {
        let Self { private_networks } = *self;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            reachable(found, private_networks).map(Vec::into_iter)
        })
    }
}

fn reachable(found: Vec<SocketAddr>, private_networks: bool) -> io::Result<Vec<SocketAddr>> {
    let (public, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| private_networks || is_public(address.ip()));
    match (public.is_empty(), others.first()) {
        (true, Some(address)) => Err(io::Error::other(OutboundError::Private(address.ip()))),
        _ => Ok(public),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_only_to_addresses_that_may_be_reached() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = || addresses(&["127.0.0.1:0", "93.184.216.34:0", "[fd00::1]:0"]);
        assert_eq!(reachable(mixed(), false).unwrap(), addresses(&["93.184.216.34:0"]));
        assert_eq!(reachable(mixed(), true).unwrap(), mixed());
        let refused = reachable(addresses(&["10.1.2.3:0"]), false).unwrap_err();
        assert_eq!(refused.to_string(), "10.1.2.3 is no public address, and private networks are not allowed");
    }
}
