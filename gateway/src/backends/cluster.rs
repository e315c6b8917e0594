//! The endpoints behind one network backend: which there are, which are healthy, which is next.

use super::calling_plugin::CallingPlugin;
use super::health_check::EndpointHealthCheck;
use super::name_lookup::NameLookup;
use super::peer::{EndpointPeer, PeerBuilder};
use super::plugin_versions::PluginVersion;
use super::worker_plugin::WorkerPlugin;
use crate::config::{Backend, Endpoint, NetworkKind};
use crate::telemetry::{BackendKind, UpstreamMetrics};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use framex_plugin_worker::{ReplicaState, WorkerSet};
use http::HeaderValue;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora_load_balancing::discovery::ServiceDiscovery;
use pingora_load_balancing::selection::RoundRobin;
use pingora_load_balancing::{Backend as Member, Backends, LoadBalancer};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

/// How often the names of endpoints are looked up again.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);

/// How often while one of them has no address.
const MISSING_INTERVAL: Duration = Duration::from_secs(2);

/// A picked endpoint.
pub type PickedEndpoint = Arc<EndpointPeer>;

/// The endpoints behind one network backend.
pub struct Cluster {
    /// What the configuration says.
    pub config: Backend,
    /// Counters of its connections.
    pub metrics: UpstreamMetrics,
    /// The key of a FrameX instance as its `Authorization`.
    pub key_field: Option<HeaderValue>,
    fingerprint: u64,
    builder: PeerBuilder,
    endpoints: Arc<ArcSwap<Vec<PickedEndpoint>>>,
    balancer: LoadBalancer<RoundRobin>,
    /// The processes behind it, if they are the gateway's own.
    worker: Option<WorkerPlugin>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// Tells the balancer which endpoints there are.
struct Membership(Arc<ArcSwap<Vec<PickedEndpoint>>>);

#[async_trait]
impl ServiceDiscovery for Membership {
    async fn discover(&self) -> pingora_error::Result<(BTreeSet<Member>, HashMap<u64, bool>)> {
        let member = |endpoint: &PickedEndpoint| Member {
            addr: endpoint.address.clone(),
            weight: 1,
            ext: http::Extensions::new(),
        };
        Ok((self.0.load().iter().map(member).collect(), HashMap::new()))
    }
}

impl Cluster {
    /// Prepares the peers of the endpoints. A name that could not be looked up is tried again by [`Self::maintain`]; it is no
    /// reason to refuse a configuration.
    #[must_use]
    pub fn new(
        namespace: &str,
        builder: PeerBuilder,
        config: &Backend,
        names: &NameLookup,
        metrics: UpstreamMetrics,
        worker: Option<WorkerPlugin>,
    ) -> Self {
        let fingerprint = builder.fingerprint();
        let resolved = resolve_all(&builder, &config.endpoints, |endpoint| names.addresses(endpoint));
        let endpoints = Arc::new(ArcSwap::from_pointee(resolved));
        let mut backends = Backends::new(Box::new(Membership(endpoints.clone())));
        if let Some(health) = &config.health {
            backends.set_health_check(Box::new(EndpointHealthCheck {
                health: health.clone(),
                endpoints: endpoints.clone(),
                cluster: format!("{namespace}/{}", config.name),
            }));
        }
        let balancer = LoadBalancer::from_backends(backends);
        let key_field = key_field(&config.kind);
        let config = config.clone();
        let cluster = Self { config, metrics, key_field, fingerprint, builder, endpoints, balancer, worker };
        // `Membership` never waits, so the first update is done when it returns.
        let _ = futures_util::FutureExt::now_or_never(cluster.balancer.update());
        cluster
    }

    /// Takes the workers that are ready by now for the endpoints, so that the cluster answers from its first moment on; after
    /// that, [`Self::maintain`] does.
    pub fn take_ready_workers(&self) {
        if let Some(workers) = self.workers() {
            self.set_worker_endpoints(workers);
            let _ = futures_util::FutureExt::now_or_never(self.balancer.update());
        }
    }

    /// The processes behind the cluster, if they are the gateway's own.
    #[must_use]
    pub fn workers(&self) -> Option<&WorkerSet> {
        self.worker.as_ref()?.set()
    }

    /// The version of the plugin behind it, if it is a worker.
    #[must_use]
    pub fn version(&self) -> Option<&PluginVersion> {
        self.worker.as_ref()?.stage()
    }

    /// The plugin behind the cluster, if it is one that may call others.
    #[must_use]
    pub fn calling(&self) -> Option<&Arc<CallingPlugin>> {
        self.worker.as_ref().map(|worker| &worker.calling).filter(|calling| !calling.calls_nobody())
    }

    /// Takes the replicas that are ready for the endpoints. They go by their numbers: a replica has another address in each of
    /// its lives.
    fn set_worker_endpoints(&self, workers: &WorkerSet) {
        let peers = workers.states().into_iter().enumerate().filter_map(|(number, state)| {
            let ReplicaState::Ready { address, .. } = state else { return None };
            let peer = self.builder.build_worker(number, &address);
            peer.inspect_err(|error| tracing::error!(%error, "a worker's socket cannot be used")).ok().map(Arc::new)
        });
        self.endpoints.store(Arc::new(peers.collect()));
    }

    /// Takes over the addresses of the workers that are ready.
    async fn follow_workers(cluster: &Weak<Self>) {
        let Some(mut addresses) = cluster.upgrade().and_then(|cluster| Some(cluster.workers()?.addresses())) else {
            return;
        };
        loop {
            drop(addresses.borrow_and_update());
            let Some(cluster) = cluster.upgrade() else { return };
            if let Some(workers) = cluster.workers() {
                cluster.set_worker_endpoints(workers);
            }
            if let Err(error) = cluster.balancer.update().await {
                tracing::error!(cluster = %cluster.config.name, %error, "cannot take over the workers that are ready");
            }
            drop(cluster);
            if addresses.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether a cluster made from `config` and `builder` would be the same; then this one is kept, health and all.
    #[must_use]
    pub fn is_same(&self, config: &Backend, builder: &PeerBuilder) -> bool {
        self.fingerprint == builder.fingerprint() && self.config == *config
    }

    /// What kind of backend it is.
    #[must_use]
    pub fn kind(&self) -> BackendKind {
        match self.config.kind {
            NetworkKind::Http { .. } => BackendKind::Http,
            NetworkKind::Framex { .. } => BackendKind::Framex,
            NetworkKind::Worker(_) => BackendKind::Worker,
        }
    }

    /// How many endpoints there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.endpoints.load().len()
    }

    /// Every endpoint with its health.
    #[must_use]
    pub fn health(&self) -> Vec<(Arc<str>, bool)> {
        let endpoints = self.endpoints.load();
        let members = self.balancer.backends().get_backend();
        let healthy = |endpoint: &PickedEndpoint| {
            members
                .iter()
                .find(|member| member.addr == endpoint.address)
                .is_none_or(|member| self.balancer.backends().ready(member))
        };
        endpoints.iter().map(|endpoint| (endpoint.label.clone(), healthy(endpoint))).collect()
    }

    /// The next healthy endpoint that is not in `tried`. When none is healthy, the next one at all: a health check
    /// that is wrong must not take a working backend away. `None` when every endpoint was tried or none is known.
    #[must_use]
    pub fn pick(&self, tried: &[PeerAddress]) -> Option<PickedEndpoint> {
        let endpoints = self.endpoints.load();
        if let [only] = endpoints.as_slice() {
            return (!tried.contains(&only.address)).then(|| only.clone());
        }
        let untried = |member: &Member| !tried.contains(&member.addr);
        let most = endpoints.len().saturating_mul(2);
        let picked = self
            .balancer
            .select_with(b"", most, |member, healthy| healthy && untried(member))
            .or_else(|| self.balancer.select_with(b"", most, |member, _| untried(member)))?;
        endpoints.iter().find(|endpoint| endpoint.address == picked.addr).cloned()
    }

    /// Checks health and looks names up again until the cluster is dropped.
    pub async fn maintain(cluster: Weak<Self>) {
        let Some((health, has_names)) = cluster.upgrade().map(|cluster| {
            let has_names =
                cluster.config.endpoints.iter().any(|endpoint| endpoint.host.parse::<std::net::IpAddr>().is_err());
            (cluster.config.health.as_ref().map(|health| health.interval), has_names)
        }) else {
            return;
        };
        let check = async {
            let Some(interval) = health else { return };
            // The first check runs at once: an endpoint that is down at the start is found before a request finds it.
            let mut ticks = interval_at(Instant::now(), interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(cluster) = cluster.upgrade() else { return };
                cluster.balancer.backends().run_health_check(true).await;
            }
        };
        let look_up = async {
            if !has_names {
                return;
            }
            let mut is_complete = false;
            loop {
                sleep(if is_complete { LOOKUP_INTERVAL } else { MISSING_INTERVAL }).await;
                let Some(cluster) = cluster.upgrade() else { return };
                is_complete = cluster.look_up_again().await;
            }
        };
        tokio::join!(check, look_up, Self::follow_workers(&cluster));
    }

    /// Whether every name has an address now.
    async fn look_up_again(&self) -> bool {
        let mut found = HashMap::new();
        for endpoint in &self.config.endpoints {
            let addresses = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
            found.insert(endpoint.clone(), addresses.map(Iterator::collect::<Vec<_>>));
        }
        let old = self.endpoints.load_full();
        let mut is_complete = true;
        let resolved = resolve_all(&self.builder, &self.config.endpoints, |endpoint| {
            // A name that cannot be looked up keeps the addresses it had.
            match found.remove(endpoint) {
                Some(Ok(addresses)) => Ok(addresses),
                Some(Err(error)) => {
                    let known = self.builder.build(endpoint, SocketAddr::from(([0, 0, 0, 0], 0))).label;
                    let kept: Vec<SocketAddr> = old
                        .iter()
                        .filter(|peer| peer.label == known)
                        .filter_map(|peer| peer.address.as_inet().copied())
                        .collect();
                    if kept.is_empty() {
                        is_complete = false;
                        return Err(error);
                    }
                    Ok(kept)
                }
                None => Ok(Vec::new()),
            }
        });
        let addresses =
            |peers: &[PickedEndpoint]| peers.iter().map(|peer| peer.address.clone()).collect::<BTreeSet<_>>();
        if addresses(&old) == addresses(&resolved) {
            return is_complete;
        }
        self.endpoints.store(Arc::new(resolved));
        if let Err(error) = self.balancer.update().await {
            tracing::error!(cluster = %self.config.name, %error, "cannot take over the endpoints found");
        }
        is_complete
    }
}

/// The configuration holds only keys that are header values.
fn key_field(kind: &NetworkKind) -> Option<HeaderValue> {
    let NetworkKind::Framex { key: Some(key), .. } = kind else { return None };
    let mut field = HeaderValue::from_str(key.reveal()).ok()?;
    field.set_sensitive(true);
    Some(field)
}

fn resolve_all(
    builder: &PeerBuilder,
    endpoints: &[Endpoint],
    mut look_up: impl FnMut(&Endpoint) -> std::io::Result<Vec<SocketAddr>>,
) -> Vec<PickedEndpoint> {
    let mut resolved: Vec<PickedEndpoint> = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        match look_up(endpoint) {
            Ok(addresses) => {
                for address in addresses {
                    if resolved.iter().all(|other| other.address.as_inet() != Some(&address)) {
                        resolved.push(Arc::new(builder.build(endpoint, address)));
                    }
                }
            }
            Err(error) => {
                tracing::warn!(host = %endpoint.host, %error, "cannot look up an endpoint; trying again");
            }
        }
    }
    resolved
}
