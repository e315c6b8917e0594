//! What DNS says of a name, and for how long.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers are believed for at least this long, whatever they say of themselves.
const SHORTEST: Duration = Duration::from_secs(1);
/// And at most this long.
const LONGEST: Duration = Duration::from_secs(300);
/// How long what the system says is believed; it does not say so itself.
const OF_SYSTEM: Duration = Duration::from_secs(30);
/// How long one name server is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks name servers: those that are configured, or else the system's.
#[derive(Clone)]
pub struct Names {
    servers: Arc<[SocketAddr]>,
    /// `None` where the system has no configuration that can be read; then the system itself is asked.
    resolver: Option<Arc<TokioResolver>>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("servers", &self.servers).finish_non_exhaustive()
    }
}

/// One host of a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) host: String,
    pub(super) port: u16,
    /// At least 1.
    pub(super) weight: u32,
}

impl Names {
    /// Asks `servers`; without any, those of the system.
    #[must_use]
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self { servers: servers.into(), resolver: resolver(servers).map(Arc::new) }
    }

    /// The same for another runtime: connections to name servers belong to the one on which they were made.
    #[must_use]
    pub(super) fn elsewhere(&self) -> Self {
        Self::new(&self.servers)
    }

    /// The addresses of a host, and how long that is true.
    pub(super) async fn addresses(&self, host: &str) -> io::Result<(Vec<IpAddr>, Duration)> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok((vec![address], LONGEST));
        }
        if let Some(resolver) = &self.resolver {
            match resolver.lookup_ip(host).await {
                Ok(found) => return Ok((found.iter().collect(), believed(found.valid_until()))),
                // The system may know names that are in no DNS.
                Err(error) if !self.servers.is_empty() => return Err(io::Error::other(error)),
                Err(_) => {}
            }
        }
        let found: Vec<IpAddr> = tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect();
        Ok((found, OF_SYSTEM))
    }

    /// The hosts of a service that are to be asked first, and how long that is true.
    pub(super) async fn services(&self, name: &str) -> io::Result<(Vec<Service>, Duration)> {
        let resolver = self.resolver.as_ref().ok_or_else(|| io::Error::other("the system names no DNS server"))?;
        let found = resolver.srv_lookup(name).await.map_err(io::Error::other)?;
        let records: Vec<_> = found
            .answers()
            .iter()
            .filter_map(|record| if let RData::SRV(service) = &record.data { Some(service) } else { None })
            // A target of `.` says that there is no such service.
            .filter(|service| !service.target.is_root())
            .collect();
        let first = records.iter().map(|service| service.priority).min();
        let services = records.into_iter().filter(|service| Some(service.priority) == first).map(|service| Service {
            host: service.target.to_utf8().trim_end_matches('.').to_ascii_lowercase(),
            port: service.port,
            // A weight of 0 means "hardly ever" among others, and nothing among its like.
            weight: u32::from(service.weight).clamp(1, 1000),
        });
        Ok((services.collect(), believed(found.valid_until())))
    }
}

fn resolver(servers: &[SocketAddr]) -> Option<TokioResolver> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio().ok()?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        TokioResolver::builder_with_config(
            ResolverConfig::from_name_servers(servers.collect()),
            TokioRuntimeProvider::default(),
        )
    };
    let options = builder.options_mut();
    // What is kept here beside the time to live would only be asked again by ourselves.
    options.cache_size = 0;
    options.timeout = PATIENCE;
    builder.build().ok()
}

fn believed(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).clamp(SHORTEST, LONGEST)
}
