//! A compiled route: everything a request needs once it is found.

use crate::access::AccessRule;
use crate::backends::{Cluster, LocalPlugin};
use crate::config::TrafficLimits;
use crate::limits::{ConcurrencyLimit, Permit, RateLimiter};
use crate::rejection::{Reason, Rejection};
use crate::request::Dialect;
use crate::rewrite::RouteRewrite;
use crate::telemetry::{BackendKind, RouteMetrics};
use http::HeaderValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A compiled route.
#[derive(Debug)]
pub struct Route {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The same as backends are told it, in `X-FrameX-Namespace`.
    pub namespace_field: HeaderValue,
    /// Its name, unique in the namespace.
    pub name: String,
    /// Who may call.
    pub rule: AccessRule,
    /// Whether CORS preflights go on to the backend without a token.
    pub preflight: bool,
    /// Who answers.
    pub target: Target,
    /// Who answers when the target cannot.
    pub fallback: Option<Arc<Cluster>>,
    /// Longest silence of a backend, or longest call of a plugin; `None` for their own limits.
    pub timeout: Option<Duration>,
    /// Largest request body in bytes.
    pub request_body: Option<u64>,
    /// What changes on the way.
    pub rewrite: RouteRewrite,
    /// In which words the gateway's own answers speak.
    pub dialect: Option<Dialect>,
    /// Whether plain answers are put into FrameX's envelope.
    pub envelope: bool,
    /// Whether its answers are streams of events, as far as that is known beforehand.
    pub streams: bool,
    /// Its metrics.
    pub metrics: RouteMetrics,
    /// Its own traffic limits and those of its namespace.
    pub traffic: [Arc<Traffic>; 2],
    /// The same route to others, where several share the requests.
    pub(super) split: Option<Split>,
}

/// How requests are shared out.
#[derive(Debug)]
pub(super) struct Split {
    /// The share of the route that has the split.
    pub(super) own: u32,
    /// The others with their shares.
    pub(super) others: Vec<(u32, Arc<Route>)>,
}

/// Who answers a route.
#[derive(Clone, Debug)]
pub enum Target {
    /// A plugin in the process.
    Plugin(Arc<LocalPlugin>),
    /// A network backend.
    Cluster(Arc<Cluster>),
}

impl Target {
    /// The metric label.
    #[must_use]
    pub fn kind(&self) -> BackendKind {
        match self {
            Self::Plugin(_) => BackendKind::Component,
            Self::Cluster(cluster) => cluster.kind(),
        }
    }

    /// Its name in the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Plugin(plugin) => &plugin.config.name,
            Self::Cluster(cluster) => &cluster.config.name,
        }
    }
}

/// The counters of one set of traffic limits.
#[derive(Debug)]
pub struct Traffic {
    pub(super) limits: TrafficLimits,
    of: &'static str,
    rate: Option<RateLimiter>,
    concurrency: Option<ConcurrencyLimit>,
}

/// What a request holds while it runs under concurrency limits.
pub type AdmissionGuards = [Option<Permit>; 2];

impl Traffic {
    /// Fresh counters; `of` says whose they are, for the caller.
    pub(super) fn new(limits: TrafficLimits, of: &'static str, now: Instant) -> Self {
        Self {
            limits,
            of,
            rate: limits.rate.map(|rate| RateLimiter::new(rate.requests, rate.per, now)),
            concurrency: limits.concurrency.map(ConcurrencyLimit::new),
        }
    }

    fn enter(&self, now: Instant) -> Result<Option<Permit>, Rejection> {
        if let Some(rate) = &self.rate {
            rate.take(now).map_err(|after| {
                let detail = format!("the {} takes no more requests now", self.of);
                Rejection::new(Reason::RateLimited, detail).with_retry_after(after)
            })?;
        }
        match &self.concurrency {
            None => Ok(None),
            Some(limit) => limit.enter().map(Some).ok_or_else(|| {
                let detail = format!("the {} is at its limit of requests at once", self.of);
                Rejection::new(Reason::Busy, detail).with_retry_after(Duration::from_secs(1))
            }),
        }
    }
}

impl Route {
    /// The route to whoever answers one request: itself, or one of those it shares its requests with, by chance.
    #[must_use]
    pub fn pick(self: &Arc<Self>) -> &Arc<Self> {
        let Some(split) = &self.split else { return self };
        let total: u64 = split.others.iter().map(|(weight, _)| u64::from(*weight)).sum::<u64>() + u64::from(split.own);
        split.at(rand::random_range(0..total.max(1))).unwrap_or(self)
    }

    /// This route and the same to others that share its requests, each with its share.
    pub fn shares(self: &Arc<Self>) -> impl Iterator<Item = (u32, &Arc<Self>)> {
        let own = self.split.as_ref().map_or(1, |split| split.own);
        let others = self.split.iter().flat_map(|split| &split.others);
        std::iter::once((own, self)).chain(others.map(|(weight, route)| (*weight, route)))
    }

    /// Who answers, for people: a name, or names with their shares.
    #[must_use]
    pub fn describe_target(self: &Arc<Self>) -> String {
        if self.split.is_none() {
            return self.target.name().to_owned();
        }
        let share = |(weight, route): (u32, &Arc<Self>)| format!("{}: {weight}", route.target.name());
        self.shares().map(share).collect::<Vec<_>>().join(", ")
    }

    /// Takes the request under the limits of route and namespace.
    ///
    /// # Errors
    /// A 429 or 503 with `Retry-After`.
    pub fn enter(&self, now: Instant) -> Result<AdmissionGuards, Rejection> {
        let [route, namespace] = &self.traffic;
        Ok([route.enter(now)?, namespace.enter(now)?])
    }
}

impl Split {
    /// Who has the place `number`; `None` for the route that has the split.
    fn at(&self, number: u64) -> Option<&Arc<Route>> {
        let mut left = number.checked_sub(u64::from(self.own))?;
        self.others.iter().find_map(|(weight, route)| match left.checked_sub(u64::from(*weight)) {
            Some(rest) => {
                left = rest;
                None
            }
            None => Some(route),
        })
    }
}
