//! The compiled configuration of one revision: immutable, one per request.
//!
//! Compiling may read certificates, keys and components and look up names; it starts nothing and touches no running
//! snapshot. What did not change is carried over by identity: warm plugins, endpoint health, rate counters.

mod catalog;
mod certificate;
mod compile;
mod learnt;
mod packages;
mod part;
mod remote;
mod route;
mod route_cache;
mod route_maker;
mod routing;
mod shadow;
mod split;
mod startup_files;
mod tokens;
mod traffic;
mod trials;

pub use catalog::{Catalog, Page, Reader};
pub use certificate::{CertificateContent, CertificateError};
pub use compile::{Compiled, Compiler};
pub use learnt::{LearntPart, LeftOut};
pub use part::NamespacePart;
pub use route::{Route, Target};
pub use route_cache::RouteCache;
pub use shadow::{Compare, Shadow};
pub use split::{Pick, Why};
pub use traffic::{Admission, Pending, Traffic};
pub use trials::Trials;

use crate::access::TokenCache;
use crate::config::{Gateway, Grants, lies_in};
use crate::request::RequestView;
use crate::router::{Lookup, MethodSet, RouteMatch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// The compiled configuration of one revision.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts the configurations that were applied, from 1; 0 before the first.
    pub revision: u64,
    /// The platform team's part.
    pub gateway: Arc<Gateway>,
    /// Checks tokens.
    pub tokens: Arc<TokenCache>,
    /// The namespaces that are served.
    pub namespaces: BTreeMap<String, Arc<NamespacePart>>,
    /// Namespaces whose file is broken: they serve their last good part, or nothing when there is none.
    pub broken: BTreeSet<String>,
    /// Settings of gateway.yaml that differ from what the process was started with. They wait for a restart; `gateway`
    /// says what is in force.
    pub waiting: Vec<&'static str>,
    /// Where calls of plugins go that no route takes.
    pub remote: Option<Arc<Route>>,
    /// What the backends of each namespace say that they have.
    pub learnt: BTreeMap<String, Arc<LearntPart>>,
    /// What is written in files.
    written: routing::Routing,
    /// What is learnt; it takes what nothing written takes.
    learnt_routing: routing::Routing,
    /// Path prefixes inside those of other namespaces, with their owners; nearly always none.
    pub(crate) nested_grants: Vec<(String, String)>,
    tokens_fingerprint: tokens::Fingerprint,
    catalog: OnceLock<Catalog>,
}

/// What the routing table says about a request.
#[derive(Debug)]
pub enum Routed<'a> {
    /// This route answers; where several share its requests, [`Route::pick`] says who.
    Route(&'a Arc<Route>),
    /// The path exists, but not for the method; these are allowed, as an `Allow` value.
    MethodNotAllowed(String),
    /// Nothing is routed here, and the namespace that owns the path has no configuration that works.
    Unavailable(&'a str),
    /// Nothing is routed here yet: it is not known what the backends of the namespace that owns the path have.
    NotLearnt(&'a str),
    /// Nothing is routed here.
    NotFound,
}

impl Snapshot {
    /// Finds the route of a request.
    #[must_use]
    pub fn route(&self, request: &RequestView<'_>) -> Routed<'_> {
        let mut allowed: Option<MethodSet> = None;
        for routing in [&self.written, &self.learnt_routing] {
            match routing.find(request) {
                Lookup::Found(found) => {
                    let (matches, route) = routing.get(found.route);
                    if !self.reaches_into_another(matches, route, request.path) {
                        return Routed::Route(route);
                    }
                }
                Lookup::MethodNotAllowed(methods) => allowed.get_or_insert_default().insert_all(&methods),
                Lookup::NotFound => {}
            }
        }
        match allowed {
            Some(methods) => Routed::MethodNotAllowed(methods.allow()),
            None => self.nothing_routed(request),
        }
    }

    /// Whether a route takes a path that belongs to a namespace inside its own: its pattern matches, but the path is not
    /// its own. Routes on a host of their own may take any path.
    fn reaches_into_another(&self, matches: &RouteMatch, route: &Route, path: &str) -> bool {
        let owner = self.nested_grants.iter().find(|(prefix, _)| lies_in(path, prefix));
        owner.is_some_and(|(_, owner)| matches.hosts.is_empty() && *route.namespace != **owner)
    }

    /// What callers may use.
    pub fn catalog(&self) -> &Catalog {
        self.catalog.get_or_init(|| Catalog::of(self))
    }

    fn nothing_routed(&self, request: &RequestView<'_>) -> Routed<'_> {
        let broken = self.broken.iter().filter(|name| !self.namespaces.contains_key(*name));
        if let Some(namespace) = self.owner_among(broken, request) {
            return Routed::Unavailable(namespace);
        }
        let unlearnt = self.learnt.iter().filter(|(_, learnt)| learnt.is_incomplete()).map(|(name, _)| name);
        self.owner_among(unlearnt, request).map_or(Routed::NotFound, Routed::NotLearnt)
    }

    /// The one of `namespaces` that owns the place.
    fn owner_among<'a>(
        &self,
        namespaces: impl Iterator<Item = &'a String>,
        request: &RequestView<'_>,
    ) -> Option<&'a str> {
        let mut namespaces = namespaces.peekable();
        namespaces.peek()?;
        let owner = self.grants().owner_of_path(request.path);
        let owns = |name: &&String| {
            owner == Some(name.as_str())
                || (!request.host.is_empty() && self.grants().of(name).covers_host(request.host))
        };
        namespaces.find(owns).map(String::as_str)
    }

    /// Who owns what.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.gateway.grants
    }

    /// Every route in the order of precedence, for people: what is written, then what is learnt.
    pub fn routes_in_order(&self) -> impl Iterator<Item = (&RouteMatch, &Arc<Route>)> {
        self.written.in_precedence_order().chain(self.learnt_routing.in_precedence_order())
    }

    /// Why each route does or does not take a request, for people.
    #[must_use]
    pub fn explain(&self, request: &RequestView<'_>) -> Vec<(Arc<Route>, crate::router::Outcome)> {
        let explained = self.written.explain(request).chain(self.learnt_routing.explain(request));
        explained.map(|(route, explanation)| (route, explanation.outcome)).collect()
    }
}
