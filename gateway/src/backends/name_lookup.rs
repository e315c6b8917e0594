//! Looks up the names of endpoints, many at once and for a bounded time.

use crate::config::Endpoint;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long a reload waits for the names of a namespace. What is not known by then is looked up in the background: a name server
/// that is silent must not hold up the other teams.
const PATIENCE: Duration = Duration::from_secs(2);

/// Names asked for at the same time.
const THREADS: usize = 16;

/// What was found.
#[derive(Debug, Default)]
pub struct NameLookup {
    found: HashMap<(String, u16), io::Result<Vec<SocketAddr>>>,
}

impl NameLookup {
    /// Looks up the names of `endpoints` (blocking, for two seconds at most).
    #[must_use]
    pub fn run<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Self {
        Self::run_with(endpoints, PATIENCE, |host, port| (host, port).to_socket_addrs().map(Iterator::collect))
    }

    fn run_with<'a>(
        endpoints: impl Iterator<Item = &'a Endpoint>,
        patience: Duration,
        look_up: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
    ) -> Self {
        let names: BTreeSet<(String, u16)> = endpoints
            .filter(|endpoint| endpoint.host.parse::<IpAddr>().is_err())
            .map(|endpoint| (endpoint.host.clone(), endpoint.port))
            .collect();
        let end = Instant::now() + patience;
        let (answers, answered) = mpsc::channel();
        let threads = names.len().min(THREADS);
        let names = Arc::new(Mutex::new(names.into_iter()));
        // A lookup cannot be called off, so a thread may outlive the wait; it ends with its lookup.
        for _ in 0..threads {
            let (names, answers) = (names.clone(), answers.clone());
            let next = move || names.lock().unwrap_or_else(PoisonError::into_inner).next();
            let work = move || {
                while let Some((host, port)) = next() {
                    let addresses = look_up(&host, port);
                    if answers.send(((host, port), addresses)).is_err() {
                        return;
                    }
                }
            };
            if let Err(error) = thread::Builder::new().name("framex-names".to_owned()).spawn(work) {
                tracing::warn!(%error, "no thread to look up names; trying again in the background");
            }
        }
        drop(answers);
        let mut found = HashMap::new();
        while let Ok((name, addresses)) = answered.recv_timeout(end.saturating_duration_since(Instant::now())) {
            found.insert(name, addresses);
        }
        Self { found }
    }

    /// The addresses of an endpoint.
    ///
    /// # Errors
    /// When there is no such name, or nobody has said in time.
    pub fn addresses(&self, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = endpoint.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, endpoint.port)]);
        }
        match self.found.get(&(endpoint.host.clone(), endpoint.port)) {
            Some(Ok(addresses)) => Ok(addresses.clone()),
            Some(Err(error)) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str) -> Endpoint {
        Endpoint { host: host.to_owned(), port: 80, tls: false }
    }

    fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "slow" => thread::sleep(Duration::from_secs(3600)),
            "missing" => return Err(io::Error::other("no such name")),
            _ => {}
        }
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    }

    #[test]
    fn a_silent_name_server_costs_the_patience_once_and_hides_no_other_name() {
        let names = ["slow", "quick", "missing", "192.0.2.1"].map(endpoint);
        let lookup = NameLookup::run_with(names.iter(), Duration::from_millis(200), look_up);
        let [slow, quick, missing, literal] =
            names.map(|name| lookup.addresses(&name).map_err(|error| error.to_string()));
        assert_eq!(slow, Err("no answer in time".to_owned()));
        assert_eq!(quick, Ok(vec![SocketAddr::from(([127, 0, 0, 1], 80))]));
        assert_eq!(missing, Err("no such name".to_owned()));
        assert_eq!(literal, Ok(vec![SocketAddr::from(([192, 0, 2, 1], 80))]));
    }
}
