//! The compiled configuration of one revision: immutable, one per request.
//!
//! Compiling may read certificates, keys and components and look up names; it starts nothing and touches no running
//! snapshot. What did not change is carried over by identity: warm plugins, endpoint health, rate counters.

mod certificate;
mod compile;
mod packages;
mod part;
mod remote;
mod route;
mod startup_files;
mod tokens;
mod trials;

pub use certificate::{CertificateContent, CertificateError};
pub use compile::{Compiled, Compiler};
pub use part::NamespacePart;
pub use route::{AdmissionGuards, Route, Target, Traffic};
pub use trials::Trials;

use crate::access::TokenCache;
use crate::config::{Gateway, Grants, lies_in};
use crate::request::RequestView;
use crate::router::{Lookup, RouteTable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    pub(crate) table: RouteTable,
    pub(crate) routes: Vec<Arc<Route>>,
    /// Path prefixes inside those of other namespaces, with their owners; nearly always none.
    pub(crate) nested_grants: Vec<(String, String)>,
    tokens_fingerprint: tokens::Fingerprint,
}

/// What the routing table says about a request.
#[derive(Debug)]
pub enum Routed<'a> {
    /// This route answers.
    Route(&'a Arc<Route>),
    /// The path exists, but not for the method; these are allowed, as an `Allow` value.
    MethodNotAllowed(String),
    /// Nothing is routed here, and the namespace that owns the path has no configuration that works.
    Unavailable(&'a str),
    /// Nothing is routed here.
    NotFound,
}

impl Snapshot {
    /// Finds the route of a request.
    #[must_use]
    pub fn route(&self, request: &RequestView<'_>) -> Routed<'_> {
        match self.table.find(request) {
            Lookup::Found(found) if self.reaches_into_another(found.route, request.path) => {
                self.nothing_routed(request)
            }
            Lookup::Found(found) => Routed::Route(self.routes[found.route].pick()),
            Lookup::MethodNotAllowed(methods) => Routed::MethodNotAllowed(methods.allow()),
            Lookup::NotFound => self.nothing_routed(request),
        }
    }

    /// Whether a route takes a path that belongs to a namespace inside its own: its pattern matches, but the path is not
    /// its own. Routes on a host of their own may take any path.
    fn reaches_into_another(&self, route: usize, path: &str) -> bool {
        let owner = self.nested_grants.iter().find(|(prefix, _)| lies_in(path, prefix));
        owner.is_some_and(|(_, owner)| {
            self.table.routes()[route].hosts.is_empty() && *self.routes[route].namespace != **owner
        })
    }

    fn nothing_routed(&self, request: &RequestView<'_>) -> Routed<'_> {
        match self.silent_owner(request) {
            Some(namespace) => Routed::Unavailable(namespace),
            None => Routed::NotFound,
        }
    }

    /// The namespace that owns the place and has a broken file and no last good part.
    fn silent_owner(&self, request: &RequestView<'_>) -> Option<&str> {
        let mut silent = self.broken.iter().filter(|name| !self.namespaces.contains_key(*name)).peekable();
        silent.peek()?;
        let owner = self.grants().owner_of_path(request.path);
        let owns = |name: &&String| {
            owner == Some(name.as_str())
                || (!request.host.is_empty() && self.grants().of(name).covers_host(request.host))
        };
        silent.find(owns).map(String::as_str)
    }

    /// Who owns what.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.gateway.grants
    }

    /// Every route in the order of precedence, for people.
    pub fn routes_in_order(&self) -> impl Iterator<Item = (&crate::router::RouteMatch, &Arc<Route>)> {
        self.table.in_precedence_order().into_iter().map(|index| (&self.table.routes()[index], &self.routes[index]))
    }

    /// Why each route does or does not take a request, for people.
    #[must_use]
    pub fn explain(&self, request: &RequestView<'_>) -> Vec<(Arc<Route>, crate::router::Outcome)> {
        let explained = self.table.explain(request).into_iter();
        explained.map(|explanation| (self.routes[explanation.route].clone(), explanation.outcome)).collect()
    }
}
