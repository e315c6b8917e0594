//! Which endpoints a backend has: those that are written, with the addresses of their names; those of SRV records; those of a file.

use super::names::Names;
use super::peer::PickedEndpoint;
use crate::config::{Backend, Discovery, Endpoint, parse_endpoints};
use framex_plugin_worker::WorkerAddress;
use futures_util::future::join_all;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddress;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::SocketAddr as UnixSocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::time::timeout;

/// How long a reload waits for the names of a namespace. What is not known by then is looked up in the background: a name server
/// that is silent must not hold up the other teams.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the background waits for one name.
const IN_BACKGROUND: Duration = Duration::from_secs(10);
/// How soon what could not be looked up is asked again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often a file is read again.
const OF_FILE: Duration = Duration::from_secs(1);
/// The largest file of endpoints.
const LARGEST_FILE: u64 = 4 << 20;

/// An endpoint that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is called and how it is spoken to.
    pub endpoint: Endpoint,
    /// Where it is.
    pub address: PeerAddress,
    /// What it is called in logs and metrics, if not by host and port.
    pub label: Option<Arc<str>>,
    /// Most requests that it takes at once.
    pub most_outstanding: Option<u32>,
}

impl Found {
    fn new(endpoint: &Endpoint, ip: IpAddr) -> Self {
        let address = PeerAddress::Inet(SocketAddr::new(ip, endpoint.port));
        Self { endpoint: endpoint.clone(), address, label: None, most_outstanding: None }
    }

    /// A worker's replica. Its number is its label: the address changes with each start.
    pub(super) fn of_worker(number: usize, address: &WorkerAddress) -> io::Result<Self> {
        let address = match address {
            WorkerAddress::Tcp(address) => PeerAddress::Inet(*address),
            WorkerAddress::Unix(socket) => PeerAddress::Unix(UnixSocketAddr::from_pathname(socket)?),
        };
        let endpoint = Endpoint { host: "localhost".to_owned(), port: 80, tls: false, weight: 1 };
        Ok(Self { endpoint, address, label: Some(format!("replica-{number}").into()), most_outstanding: None })
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    pub(super) found: Vec<Found>,
    /// When to look again; `None` for never.
    pub(super) again: Option<Duration>,
}

/// Looks up the endpoints of `backend`. What cannot be found out now stays as it is in `old`.
pub(super) async fn look_up(backend: &Backend, names: &Names, old: &[PickedEndpoint]) -> Lookup {
    look_up_within(IN_BACKGROUND, backend, names, old).await
}

/// The same, for `patience` with each name.
async fn look_up_within(patience: Duration, backend: &Backend, names: &Names, old: &[PickedEndpoint]) -> Lookup {
    match &backend.discover {
        None => of_names(patience, &backend.endpoints, names, old).await,
        Some(Discovery::File(file)) => of_file(patience, file, &backend.name, names, old).await,
        Some(Discovery::Srv { name, tls }) => match within(patience, names.services(name)).await {
            Ok((services, again)) if !services.is_empty() => {
                let endpoint = |service: super::names::Service| Endpoint {
                    host: service.host,
                    port: service.port,
                    tls: *tls,
                    weight: service.weight,
                };
                let endpoints: Vec<Endpoint> = services.into_iter().map(endpoint).collect();
                let lookup = of_names(patience, &endpoints, names, old).await;
                Lookup { again: Some(lookup.again.map_or(again, |other| other.min(again))), ..lookup }
            }
            answer => {
                let why = answer.map_or_else(|error| error.to_string(), |_| "it has no host".to_owned());
                tracing::warn!(backend = %backend.name, %name, why, "cannot look up the hosts of a service; trying again");
                Lookup { found: kept(old), again: Some(AGAIN) }
            }
        },
    }
}

/// The endpoints of a backend that names addresses alone; `None` where there is something to look up.
fn addresses(backend: &Backend) -> Option<Vec<Found>> {
    if backend.discover.is_some() {
        return None;
    }
    backend.endpoints.iter().map(|endpoint| Some(Found::new(endpoint, endpoint.host.parse().ok()?))).collect()
}

async fn within<T>(patience: Duration, asked: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    timeout(patience, asked).await.unwrap_or_else(|_elapsed| Err(late()))
}

async fn of_names(patience: Duration, endpoints: &[Endpoint], names: &Names, old: &[PickedEndpoint]) -> Lookup {
    let answers = endpoints.iter().map(|endpoint| within(patience, names.addresses(&endpoint.host)));
    let answers = join_all(answers).await;
    let mut lookup = Lookup::default();
    let mut look_again = |after: Duration| {
        lookup.again = Some(lookup.again.map_or(after, |other: Duration| other.min(after)));
    };
    for (endpoint, answer) in endpoints.iter().zip(answers) {
        let found: Vec<Found> = match answer {
            Ok((addresses, until)) => {
                if endpoint.host.parse::<IpAddr>().is_err() {
                    look_again(until);
                }
                addresses.into_iter().map(|address| Found::new(endpoint, address)).collect()
            }
            Err(error) => {
                tracing::warn!(host = %endpoint.host, %error, "cannot look up an endpoint; trying again");
                look_again(AGAIN);
                let is_it = |peer: &&PickedEndpoint| peer.endpoint.is_at(endpoint);
                kept(old.iter().filter(is_it))
            }
        };
        for found in found {
            if lookup.found.iter().all(|other| other.address != found.address) {
                lookup.found.push(found);
            }
        }
    }
    lookup
}

async fn of_file(patience: Duration, file: &Path, backend: &str, names: &Names, old: &[PickedEndpoint]) -> Lookup {
    match read(file) {
        Ok(endpoints) => {
            let lookup = of_names(patience, &endpoints, names, old).await;
            Lookup { again: Some(OF_FILE), ..lookup }
        }
        Err(why) => {
            tracing::warn!(backend, file = %file.display(), why, "cannot take endpoints from a file; they stay as they are");
            Lookup { found: kept(old), again: Some(OF_FILE) }
        }
    }
}

fn read(file: &Path) -> Result<Vec<Endpoint>, String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > LARGEST_FILE {
        return Err(format!("it has more than {} MiB", LARGEST_FILE >> 20));
    }
    parse_endpoints(&std::fs::read_to_string(file).map_err(|error| error.to_string())?)
}

fn kept<'a>(old: impl IntoIterator<Item = &'a PickedEndpoint>) -> Vec<Found> {
    let found = |peer: &PickedEndpoint| Found {
        endpoint: peer.endpoint.clone(),
        address: peer.address.clone(),
        label: None,
        most_outstanding: peer.most_outstanding,
    };
    old.into_iter().map(found).collect()
}

/// What is known of the endpoints of new backends by the time they are put into service.
#[derive(Debug, Default)]
pub struct FirstLookup(HashMap<String, Vec<Found>>);

impl FirstLookup {
    /// Looks up the endpoints of `backends` (blocking, for two seconds at most, and as long again for the hosts of
    /// SRV records).
    #[must_use]
    pub fn run<'a>(backends: impl Iterator<Item = &'a Backend>, names: &Names) -> Self {
        Self::run_for(backends, names, PATIENCE)
    }

    fn run_for<'a>(backends: impl Iterator<Item = &'a Backend>, names: &Names, patience: Duration) -> Self {
        let mut lookup = Self::default();
        let mut unknown: Vec<Backend> = Vec::new();
        for backend in backends.filter(|backend| backend.worker().is_none()) {
            match addresses(backend) {
                Some(found) => drop(lookup.0.insert(backend.name.clone(), found)),
                None => unknown.push(backend.clone()),
            }
        }
        if unknown.is_empty() {
            return lookup;
        }
        let names = names.elsewhere();
        // The caller may be on a runtime, where one must not wait for another.
        let work = thread::Builder::new().name("framex-names".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let asked = unknown.iter().map(|backend| async {
                let lookup = look_up_within(patience, backend, &names, &[]).await;
                (backend.name.clone(), lookup.found)
            });
            let found = runtime.block_on(join_all(asked));
            // A lookup of the system cannot be called off.
            runtime.shutdown_background();
            io::Result::Ok(found)
        });
        let found = work.map(thread::JoinHandle::join);
        match found {
            Ok(Ok(Ok(found))) => lookup.0.extend(found),
            Ok(Ok(Err(error))) | Err(error) => {
                tracing::warn!(%error, "no thread to look up names; trying again in the background");
            }
            // It has said so itself; the background tries again.
            Ok(Err(_panicked)) => {}
        }
        lookup
    }

    /// What was found of a backend.
    #[must_use]
    pub fn of(&self, backend: &str) -> &[Found] {
        self.0.get(backend).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use tokio::time::Instant;

    #[tokio::test]
    async fn a_silent_name_server_costs_the_patience_once_and_hides_no_other_endpoint() {
        let silent = UdpSocket::bind("127.0.0.1:0").expect("the loopback interface has free ports");
        let names = Names::new(&[silent.local_addr().expect("a bound socket has an address")]);
        let endpoint = |host: &str| Endpoint { host: host.to_owned(), port: 80, tls: false, weight: 1 };
        let endpoints = ["slow.test", "192.0.2.1", "late.test"].map(endpoint);
        let began = Instant::now();
        let lookup = of_names(Duration::from_millis(200), &endpoints, &names, &[]).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(lookup.found, [Found::new(&endpoints[1], IpAddr::from([192, 0, 2, 1]))]);
        assert_eq!(lookup.again, Some(AGAIN));
    }
}
