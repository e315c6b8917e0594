//! The endpoints behind one network backend: which there are, how they are, which answers next.

use super::calling_plugin::CallingPlugin;
use super::circuit_breaker::{Circuit, CircuitBreaker, Pass, Turn};
use super::discovery::{Found, look_up};
use super::endpoint_state::{Outcome, Outstanding};
use super::health_check::EndpointHealthCheck;
use super::members::{Choice, Members, Wish, members};
use super::names::Names;
use super::outliers::outliers;
use super::peer::{EndpointPeer, PeerBuilder, PickedEndpoint};
use super::plugin_versions::PluginVersion;
use super::retry_budget::RetryBudget;
use super::worker_plugin::WorkerPlugin;
use crate::config::{Backend, NetworkKind};
use crate::telemetry::{BackendKind, UpstreamMetrics};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use framex_plugin_worker::{ReplicaState, WorkerSet};
use http::HeaderValue;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora_load_balancing::discovery::ServiceDiscovery;
use pingora_load_balancing::{Backend as Member, Backends};
use rand::Rng;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

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
    names: Names,
    members: Arc<ArcSwap<Members>>,
    /// Endpoints that left while they had requests under way.
    leaving: Mutex<Vec<PickedEndpoint>>,
    health: Backends,
    breaker: Option<Arc<CircuitBreaker>>,
    budget: Arc<RetryBudget>,
    /// Told when an endpoint has room again, or there are others.
    freed: Arc<Notify>,
    waiting: Semaphore,
    /// The processes behind it, if they are the gateway's own.
    worker: Option<WorkerPlugin>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// Tells the health checks which endpoints there are.
struct Membership(Arc<ArcSwap<Members>>);

#[async_trait]
impl ServiceDiscovery for Membership {
    async fn discover(&self) -> pingora_error::Result<(BTreeSet<Member>, HashMap<u64, bool>)> {
        Ok((members(&self.0.load().endpoints), HashMap::new()))
    }
}

/// An endpoint that is to answer a request, with its place there.
#[derive(Debug)]
pub struct Taken {
    /// Which one.
    pub endpoint: PickedEndpoint,
    /// The place; it is free again when this is dropped.
    pub place: Outstanding,
}

/// No endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// All have as many requests under way as they bear.
    Full,
    /// None is known, or all were tried.
    None,
}

/// How an endpoint is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// It gets requests.
    Healthy,
    /// The health check fails.
    Unhealthy,
    /// It gets no requests for a while because of how it answered them.
    Ejected,
    /// It is no endpoint any more; requests that were under way go on.
    Draining,
}

impl EndpointStatus {
    /// The word for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
        }
    }
}

/// What a cluster is made of, beside its configuration.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Makes its peers.
    pub builder: PeerBuilder,
    /// Its endpoints, as far as they are known by now.
    pub found: &'a [Found],
    /// Whom to ask for more.
    pub names: Names,
    /// Its counters.
    pub metrics: UpstreamMetrics,
    /// Its processes, if they are the gateway's own.
    pub worker: Option<WorkerPlugin>,
    /// The cluster of the same name until now: what it knows of endpoints that stay is taken over.
    pub previous: Option<&'a Cluster>,
}

impl Cluster {
    /// Prepares the peers of the endpoints. A name that could not be looked up is tried again by [`Self::maintain`]; it is no
    /// reason to refuse a configuration.
    #[must_use]
    pub fn new(namespace: &str, config: &Backend, parts: Parts<'_>) -> Self {
        let Parts { builder, found, names, metrics, worker, previous } = parts;
        let old = previous.map(|previous| previous.members.load_full());
        let old: &[PickedEndpoint] = old.as_ref().map_or(&[], |members| &members.endpoints);
        let endpoints = build(&builder, found, old, |_new| {});
        let members = Arc::new(ArcSwap::from_pointee(Members::new(endpoints)));
        let mut health = Backends::new(Box::new(Membership(members.clone())));
        if let Some(rules) = &config.health {
            let cluster = format!("{namespace}/{}", config.name);
            health.set_health_check(Box::new(EndpointHealthCheck::new(rules.clone(), members.clone(), cluster)));
        }
        let now = Instant::now();
        let breaker = config.breaker.map(|rules| {
            let kept = previous.and_then(|previous| previous.breaker.as_ref());
            let kept = kept.filter(|breaker| *breaker.rules() == rules);
            kept.cloned().unwrap_or_else(|| Arc::new(CircuitBreaker::new(rules, now)))
        });
        let kept = previous.filter(|previous| previous.config.retry_budget == config.retry_budget);
        let budget = kept.map(|previous| previous.budget.clone());
        let cluster = Self {
            key_field: key_field(&config.kind),
            fingerprint: builder.fingerprint(),
            config: config.clone(),
            metrics,
            builder,
            names,
            members,
            leaving: Mutex::default(),
            health,
            breaker,
            budget: budget.unwrap_or_else(|| Arc::new(RetryBudget::new(config.retry_budget, now))),
            freed: Arc::default(),
            waiting: Semaphore::new(config.hold.map_or(0, |hold| hold.most as usize)),
            worker,
        };
        cluster.update_health_checks();
        cluster
    }

    /// Takes the workers that are ready by now for the endpoints, so that the cluster answers from its first moment on; after
    /// that, [`Self::maintain`] does.
    pub fn take_ready_workers(&self) {
        if let Some(workers) = self.workers() {
            self.set_worker_endpoints(workers);
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

    /// Takes these for the endpoints from now on. What is known of those that stay is kept; requests that those have under way
    /// which leave go on.
    pub fn set_endpoints(&self, found: &[Found]) {
        let old = self.members.load_full();
        let now = Instant::now();
        // Where there was nobody, nobody else can take a new one's part in the meantime.
        let is_first = old.endpoints.is_empty();
        let new = build(&self.builder, found, &old.endpoints, |new| {
            if !is_first && !self.config.ejection.slow_start.is_zero() {
                new.state.warm_up(now);
            }
        });
        let is_in = |list: &[PickedEndpoint], one: &PickedEndpoint| list.iter().any(|other| other.is_same(one));
        if new.len() == old.endpoints.len() && new.iter().all(|endpoint| is_in(&old.endpoints, endpoint)) {
            return;
        }
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.extend(old.endpoints.iter().filter(|endpoint| !is_in(&new, endpoint)).cloned());
        leaving.retain(|endpoint| endpoint.state.outstanding() > 0 && !is_in(&new, endpoint));
        drop(leaving);
        self.members.store(Arc::new(Members::new(new)));
        self.update_health_checks();
        self.freed.notify_waiters();
    }

    fn update_health_checks(&self) {
        // `Membership` never waits, so the update is done when it returns.
        let _ = futures_util::FutureExt::now_or_never(self.health.update(|_members| {}));
    }

    /// Takes the replicas that are ready for the endpoints. They go by their numbers: a replica has another address in each of
    /// its lives.
    fn set_worker_endpoints(&self, workers: &WorkerSet) {
        let found = workers.states().into_iter().enumerate().filter_map(|(number, state)| {
            let ReplicaState::Ready { address, .. } = state else { return None };
            let found = Found::of_worker(number, &address);
            found.inspect_err(|error| tracing::error!(%error, "a worker's socket cannot be used")).ok()
        });
        self.set_endpoints(&found.collect::<Vec<_>>());
    }

    /// Takes over the addresses of the workers that are ready.
    async fn follow_workers(cluster: &Weak<Self>) {
        let Some(mut addresses) = cluster.upgrade().and_then(|cluster| Some(cluster.workers()?.addresses())) else {
            return;
        };
        loop {
            drop(addresses.borrow_and_update());
            let Some(cluster) = cluster.upgrade() else { return };
            cluster.take_ready_workers();
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
        self.members.load().endpoints.len()
    }

    /// Every endpoint with how it is, and how many requests it has under way.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(Arc<str>, EndpointStatus, u32)> {
        let now = Instant::now();
        let status = |endpoint: &PickedEndpoint| match &endpoint.state {
            state if !state.is_healthy() => EndpointStatus::Unhealthy,
            state if state.is_ejected(now) => EndpointStatus::Ejected,
            _ => EndpointStatus::Healthy,
        };
        let line = |endpoint: &PickedEndpoint, status| (endpoint.label.clone(), status, endpoint.state.outstanding());
        let members = self.members.load();
        let mut list: Vec<_> = members.endpoints.iter().map(|endpoint| line(endpoint, status(endpoint))).collect();
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain(|endpoint| endpoint.state.outstanding() > 0);
        list.extend(leaving.iter().map(|endpoint| line(endpoint, EndpointStatus::Draining)));
        list
    }

    /// Where its circuit breaker is, if it has one.
    #[must_use]
    pub fn circuit(&self) -> Option<Circuit> {
        self.breaker.as_ref().map(|breaker| breaker.circuit(Instant::now()))
    }

    /// Leave to send it a request, by its circuit breaker; `None` without one.
    ///
    /// # Errors
    /// After how long to come back.
    pub fn enter(&self, now: Instant) -> Result<Option<Pass>, Duration> {
        self.budget.request(now);
        self.breaker.as_ref().map(|breaker| breaker.enter(now)).transpose()
    }

    /// Notes what came of a request that had a pass.
    pub fn left(&self, pass: Pass, failed: bool, now: Instant) {
        match pass.ended(failed, now) {
            Turn::None => {}
            Turn::Opened => {
                self.metrics.circuit_opened();
                tracing::warn!(backend = %self.config.name, "the circuit is open: the backend fails and is left alone for a while");
            }
            Turn::Closed => {
                tracing::info!(backend = %self.config.name, "the circuit is closed: the backend answers again")
            }
        }
    }

    /// Takes a repetition of a request from the cluster's budget, if there is one left.
    #[must_use]
    pub fn may_retry(&self, now: Instant) -> bool {
        let may = self.budget.retry(now);
        self.metrics.retried(may);
        may
    }

    /// Whether there is an endpoint that is not in `tried`.
    #[must_use]
    pub fn has_another(&self, tried: &[PeerAddress]) -> bool {
        self.members.load().endpoints.iter().any(|endpoint| !tried.contains(&endpoint.address))
    }

    /// Takes a place at an endpoint, if one is free now. When no endpoint is good, at one at all: a health check that is wrong must
    /// not take a working backend away.
    ///
    /// # Errors
    /// When none is free.
    pub fn take(&self, wish: &Wish<'_>) -> Result<Taken, NotTaken> {
        let members = self.members.load();
        let slow_start = self.config.ejection.slow_start;
        loop {
            let endpoint = match members.choose(&self.config.balance, wish, slow_start, Instant::now()) {
                Choice::Endpoint(endpoint) => endpoint,
                Choice::Full => return Err(NotTaken::Full),
                Choice::None => return Err(NotTaken::None),
            };
            // Somebody else may have taken the last place in the meantime.
            if let Some(place) = endpoint.state.enter(endpoint.most_outstanding, &self.freed) {
                return Ok(Taken { endpoint, place });
            }
        }
    }

    /// The same, and waits for a free place where the backend holds requests.
    ///
    /// # Errors
    /// When none has become free in time, or too many wait already.
    pub async fn take_or_wait(&self, wish: &Wish<'_>) -> Result<Taken, NotTaken> {
        let refused = match self.take(wish) {
            Ok(taken) => return Ok(taken),
            Err(refused) => refused,
        };
        // Whoever has tried them all does not wait for another one.
        let may_wait = refused == NotTaken::Full || wish.tried.is_empty();
        let Some(hold) = self.config.hold.filter(|_| may_wait) else { return Err(refused) };
        let Ok(_place) = self.waiting.try_acquire() else { return Err(refused) };
        let end = Instant::now() + hold.longest;
        loop {
            let freed = self.freed.notified();
            let refused = match self.take(wish) {
                Ok(taken) => return Ok(taken),
                Err(refused) => refused,
            };
            if timeout_at(end, freed).await.is_err() {
                return Err(refused);
            }
        }
    }

    /// Notes how an endpoint has answered, and leaves it alone for a while when it has failed too often.
    pub fn answered(&self, endpoint: &PickedEndpoint, outcome: Outcome) {
        if endpoint.state.ended(outcome, &self.config.ejection) {
            self.eject(endpoint, "failures in a row");
        }
    }

    fn eject(&self, endpoint: &PickedEndpoint, why: &str) {
        let rules = &self.config.ejection;
        let now = Instant::now();
        // One at a time, so that no two pass the bound together.
        let _one = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let members = self.members.load();
        let count = members.endpoints.len();
        let most = ((count as f64 * rules.most) as usize).max(usize::from(rules.most > 0.0));
        let ejected = members.endpoints.iter().filter(|other| other.state.is_ejected(now)).count();
        if count < 2 || ejected >= most || endpoint.state.is_ejected(now) {
            return;
        }
        let span = endpoint.state.eject(rules, now);
        self.metrics.ejected();
        tracing::warn!(backend = %self.config.name, endpoint = %endpoint.label, why, ?span, "an endpoint is left alone for a while");
    }

    /// Checks health, judges the endpoints and looks them up again until the cluster is dropped.
    pub async fn maintain(cluster: Weak<Self>) {
        tokio::join!(
            Self::check_health(&cluster),
            Self::judge(&cluster),
            Self::discover(&cluster),
            Self::follow_workers(&cluster)
        );
    }

    async fn check_health(cluster: &Weak<Self>) {
        let interval =
            cluster.upgrade().and_then(|cluster| cluster.config.health.as_ref().map(|health| health.interval));
        let Some(interval) = interval else { return };
        // The first check runs at once: an endpoint that is down at the start is found before a request finds it.
        loop {
            let Some(cluster) = cluster.upgrade() else { return };
            cluster.health.run_health_check(true).await;
            let members = cluster.members.load_full();
            let known = cluster.health.get_backend();
            for endpoint in &members.endpoints {
                if let Some(member) = known.iter().find(|member| member.addr == endpoint.address) {
                    endpoint.state.set_healthy(cluster.health.ready(member), Instant::now());
                }
            }
            drop(cluster);
            let varied = interval.mul_f64(rand::rng().random_range(0.9..1.1));
            sleep(varied).await;
        }
    }

    async fn judge(cluster: &Weak<Self>) {
        let interval = cluster.upgrade().map(|cluster| cluster.config.ejection.interval);
        let Some(interval) = interval else { return };
        loop {
            sleep(interval).await;
            let Some(cluster) = cluster.upgrade() else { return };
            let members = cluster.members.load_full();
            let now = Instant::now();
            let intervals: Vec<_> =
                members.endpoints.iter().map(|endpoint| endpoint.state.take_interval(now)).collect();
            for index in outliers(&intervals, &cluster.config.ejection) {
                cluster.eject(&members.endpoints[index], "it errs or is slow more than the others");
            }
        }
    }

    async fn discover(cluster: &Weak<Self>) {
        if cluster.upgrade().is_none_or(|cluster| cluster.workers().is_some()) {
            return;
        }
        loop {
            let Some(strong) = cluster.upgrade() else { return };
            if strong.config.endpoints.is_empty() && strong.config.discover.is_none() {
                return;
            }
            let old = strong.members.load_full();
            let lookup = look_up(&strong.config, &strong.names, &old.endpoints).await;
            // An answer without anybody is more likely wrong than true.
            if !lookup.found.is_empty() {
                strong.set_endpoints(&lookup.found);
            }
            drop(strong);
            let Some(again) = lookup.again else { return };
            sleep(again).await;
        }
    }
}

/// Makes peers; those that were there keep what is known of them. `begin` sees those that were not.
fn build(
    builder: &PeerBuilder,
    found: &[Found],
    old: &[PickedEndpoint],
    begin: impl Fn(&EndpointPeer),
) -> Vec<PickedEndpoint> {
    let mut built: Vec<PickedEndpoint> = Vec::with_capacity(found.len());
    for found in found {
        let mut peer = builder.build(found);
        match old.iter().find(|old| old.address == peer.address && old.label == peer.label) {
            Some(old) => peer.state = old.state.clone(),
            None => begin(&peer),
        }
        if built.iter().all(|other| other.address != peer.address) {
            built.push(Arc::new(peer));
        }
    }
    built
}

/// The configuration holds only keys that are header values.
fn key_field(kind: &NetworkKind) -> Option<HeaderValue> {
    let NetworkKind::Framex { key: Some(key), .. } = kind else { return None };
    let mut field = HeaderValue::from_str(key.reveal()).ok()?;
    field.set_sensitive(true);
    Some(field)
}
