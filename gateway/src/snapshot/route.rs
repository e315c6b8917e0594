//! A compiled route: everything a request needs once it is found.

use super::route_cache::RouteCache;
use super::shadow::Shadow;
use super::split::{Pick, Split, Why};
use super::traffic::Traffic;
use crate::access::AccessRule;
use crate::backends::{Cluster, LocalPlugin};
use crate::config::{Retry, RouteTimeouts, SizeLimits, WrittenAnswer};
use crate::identity::Identity;
use crate::request::{Dialect, Priority};
use crate::rewrite::RouteRewrite;
use crate::router::PathPattern;
use crate::telemetry::{BackendKind, RouteMetrics, ShareMetrics};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

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
    /// Who answers when the target cannot, one after the other.
    pub fallbacks: Vec<Arc<Cluster>>,
    /// The answer when none of them can.
    pub last_answer: Option<Arc<WrittenAnswer>>,
    /// Who is sent copies of its requests.
    pub shadow: Option<Arc<Shadow>>,
    /// Longest silence of a backend, or longest call of a plugin; `None` for their own limits.
    pub timeout: Option<Duration>,
    /// How long the parts of an exchange may take.
    pub timeouts: RouteTimeouts,
    /// When a request is sent a second time.
    pub retry: Retry,
    /// Whether answers say who gave them.
    pub answered_by: bool,
    /// How long a stream of events may be silent before the client is sent a comment.
    pub heartbeat: Option<Duration>,
    /// Who goes first when there is not room for all.
    pub priority: Priority,
    /// How large and how slow a request and its answer may be.
    pub sizes: SizeLimits,
    /// What changes on the way.
    pub rewrite: RouteRewrite,
    /// Its pattern of paths, where a parameter of it decides which endpoint answers.
    pub pattern: Option<PathPattern>,
    /// In which words the gateway's own answers speak.
    pub dialect: Option<Dialect>,
    /// Whether plain answers are put into FrameX's envelope.
    pub envelope: bool,
    /// Which of its answers are kept.
    pub cache: Option<RouteCache>,
    /// Whether its answers are streams of events, as far as that is known beforehand.
    pub streams: bool,
    /// Its metrics.
    pub metrics: RouteMetrics,
    /// The metrics of this share, where several share the requests.
    pub share_metrics: Option<ShareMetrics>,
    /// Its own traffic limits and those of its namespace.
    pub traffic: [Arc<Traffic>; 2],
    /// The same route to others, where several share the requests.
    pub(super) split: Option<Split>,
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

impl Route {
    /// The route to whoever answers one request of `identity` with these header fields: itself, or one of those it shares its
    /// requests with. Allocates nothing, unless the caller is to be given a cookie.
    #[must_use]
    pub fn pick<'a>(self: &'a Arc<Self>, headers: &HeaderMap, identity: &Identity) -> Pick<'a> {
        match &self.split {
            None => Pick { route: self, why: Why::Alone, cookie: None },
            Some(split) => split.pick(self, headers, identity),
        }
    }

    /// This route and the same to others that share its requests, each with its share.
    pub fn shares(self: &Arc<Self>) -> impl Iterator<Item = (u32, &Arc<Self>)> {
        let own = self.split.as_ref().map_or(1, |split| split.own.weight());
        let others = self.split.iter().flat_map(|split| &split.others);
        std::iter::once((own, self)).chain(others.map(|(lot, route)| (lot.weight(), route)))
    }

    /// Who answers, for people: a name, or names with their shares.
    #[must_use]
    pub fn describe_target(self: &Arc<Self>) -> String {
        let Some(split) = &self.split else { return self.target.name().to_owned() };
        let share = |(index, (weight, route)): (usize, (u32, &Arc<Self>))| {
            let name = route.target.name();
            if weight == 0 && split.is_canary(index) { format!("{name}: canary") } else { format!("{name}: {weight}") }
        };
        self.shares().enumerate().map(share).collect::<Vec<_>>().join(", ")
    }
}
