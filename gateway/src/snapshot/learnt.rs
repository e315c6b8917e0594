//! What the backends of one namespace say that they have, as routes.
//!
//! They obey the same rules as written ones: the grant, the namespace's access and limits, no two for one request. What cannot be
//! routed is left out with its reason; the rest is routed all the same, because a document is not the team's own file.

use super::part::NamespacePart;
use super::route::Route;
use super::route_maker::RouteMaker;
use super::routing::retain_others;
use crate::config::{self, Grants, Learning, NetworkKind};
use crate::learning::Documents;
use crate::limits::SharedCounters;
use crate::router::{MethodSet, PathPattern, RouteMatch, RouteTable, router_pattern};
use crate::telemetry::Metrics;
use framex_openapi::{Document, Operation, Selection};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Endpoints that are left out and shown; a document may have thousands.
const MOST_LEFT_OUT: usize = 1000;

/// What the backends of one namespace say that they have, as routes.
#[derive(Debug)]
pub struct LearntPart {
    part: Arc<NamespacePart>,
    /// By backend; `None` where nothing is known yet.
    documents: KnownDocuments,
    matches: Vec<RouteMatch>,
    routes: Vec<Arc<Route>>,
    left_out: Vec<LeftOut>,
}

/// By backend; `None` where nothing is known yet.
type KnownDocuments = BTreeMap<String, Option<Arc<Document>>>;

fn are_same(one: &KnownDocuments, two: &KnownDocuments) -> bool {
    let is_same = |old: &Option<Arc<Document>>, new: &Option<Arc<Document>>| match (old, new) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (old, new) => old.is_none() && new.is_none(),
    };
    one.len() == two.len() && one.iter().zip(two).all(|((one, old), (two, new))| one == two && is_same(old, new))
}

/// An endpoint that is not routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Whose it is.
    pub backend: String,
    /// Its path there.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// What compiling needs from outside.
pub(super) struct LearntWorkshop<'a> {
    pub(super) documents: &'a Documents,
    pub(super) grants: &'a Grants,
    pub(super) metrics: &'a Metrics,
    pub(super) shared: Option<&'a Arc<SharedCounters>>,
    /// What may be taken over.
    pub(super) previous: Option<&'a BTreeMap<String, Arc<LearntPart>>>,
}

impl LearntPart {
    /// Routes what is known; takes over the previous part if nothing differs.
    pub(super) fn compile(part: &Arc<NamespacePart>, workshop: &LearntWorkshop<'_>) -> Arc<Self> {
        let namespace = &part.config.name;
        let documents: KnownDocuments = part
            .config
            .learning
            .keys()
            .map(|backend| (backend.clone(), workshop.documents.of(namespace, backend).document))
            .collect();
        let previous = workshop.previous.and_then(|previous| previous.get(namespace));
        if let Some(previous) = previous.filter(|previous| previous.is_same(part, &documents)) {
            return previous.clone();
        }
        let mut draft = Draft::new(part, previous.map(Arc::as_ref), workshop);
        for (backend, document) in &documents {
            if let (Some(document), Some(learning)) = (document, part.config.learning.get(backend)) {
                draft.add(backend, learning, document);
            }
        }
        let (matches, routes, left_out) = draft.finish();
        Arc::new(Self { part: part.clone(), documents, matches, routes, left_out })
    }

    fn is_same(&self, part: &Arc<NamespacePart>, documents: &KnownDocuments) -> bool {
        Arc::ptr_eq(&self.part, part) && are_same(&self.documents, documents)
    }

    /// Whether its backends said the same as those of `other`.
    #[must_use]
    pub fn has_same_documents(&self, other: &Self) -> bool {
        are_same(&self.documents, &other.documents)
    }

    /// Whether it is not known of every backend what it has. Those of which nothing is routed do not count.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let is_routed = |backend: &str| {
            let learning = self.part.config.learning.get(backend);
            learning.is_some_and(|learning| learning.enable.as_ref().is_none_or(|enable| !enable.is_empty()))
        };
        self.documents.iter().any(|(backend, document)| document.is_none() && is_routed(backend))
    }

    /// The last good documents by backend.
    pub fn documents(&self) -> impl Iterator<Item = (&str, &Arc<Document>)> {
        self.documents.iter().filter_map(|(backend, document)| Some((backend.as_str(), document.as_ref()?)))
    }

    /// What is routed. One route may be there several times, for paths that differ in their last slash.
    pub fn routes(&self) -> impl Iterator<Item = (&RouteMatch, &Arc<Route>)> {
        self.matches.iter().zip(&self.routes)
    }

    /// What is not, in the order of backends and paths; cut after many.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

/// A path that a backend has.
struct Endpoint<'a> {
    path: &'a str,
    methods: Vec<String>,
    /// Whether its last parameter takes the rest of the path.
    takes_rest: bool,
    /// Whether all of its operations answer with streams of events.
    streams: bool,
}

/// Routes that are being gathered.
struct Draft<'a> {
    part: &'a Arc<NamespacePart>,
    workshop: &'a LearntWorkshop<'a>,
    old_routes: HashMap<&'a str, &'a Arc<Route>>,
    written_names: HashSet<&'a str>,
    matches: Vec<RouteMatch>,
    routes: Vec<Arc<Route>>,
    /// Where each of them comes from: backend and path.
    origins: Vec<(String, String)>,
    left_out: Vec<LeftOut>,
}

impl<'a> Draft<'a> {
    fn new(part: &'a Arc<NamespacePart>, previous: Option<&'a LearntPart>, workshop: &'a LearntWorkshop<'a>) -> Self {
        let old = previous.map(|previous| previous.routes.as_slice()).unwrap_or_default();
        Self {
            part,
            workshop,
            old_routes: old.iter().map(|route| (route.name.as_str(), route)).collect(),
            written_names: part.config.routes.iter().map(|route| route.name.as_str()).collect(),
            matches: Vec::new(),
            routes: Vec::new(),
            origins: Vec::new(),
            left_out: Vec::new(),
        }
    }

    fn add(&mut self, backend: &str, learning: &Learning, document: &Document) {
        let selection = Selection::new(learning.enable.as_deref(), &learning.disable);
        let rest = Selection::new(Some(&learning.rest), &[]);
        let mut by_path: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
        for operation in document.operations().iter().filter(|operation| selection.takes(operation.path())) {
            by_path.entry(operation.path()).or_default().push(operation);
        }
        let paths: BTreeSet<String> = by_path.keys().map(|path| (*path).to_owned()).collect();
        let is_http = self.is_http(backend);
        for (path, operations) in by_path {
            let endpoint = Endpoint {
                path,
                methods: operations.iter().map(|operation| operation.method().as_str().to_owned()).collect(),
                takes_rest: rest.takes(path),
                streams: operations.iter().all(|operation| operation.is_event_stream()),
            };
            if let Err(reason) = self.add_endpoint(backend, learning, endpoint, is_http, &paths) {
                self.leave_out(backend, path, reason);
            }
        }
    }

    fn is_http(&self, backend: &str) -> bool {
        let cluster = self.part.clusters.get(backend);
        cluster.is_some_and(|cluster| matches!(cluster.config.kind, NetworkKind::Http { .. } | NetworkKind::Worker(_)))
    }

    /// # Errors
    /// Why the path cannot be routed.
    fn add_endpoint(
        &mut self,
        backend: &str,
        learning: &Learning,
        endpoint: Endpoint<'_>,
        is_http: bool,
        paths: &BTreeSet<String>,
    ) -> Result<(), String> {
        let Endpoint { path, mut methods, takes_rest, streams } = endpoint;
        let public = format!("{}{}", learning.at, router_pattern(path, takes_rest)?);
        let namespace = &self.part.config.name;
        match self.workshop.grants.owner_of_path(&public) {
            Some(owner) if owner == namespace => {}
            Some(owner) => {
                return Err(format!("`{public}` is not granted to the namespace `{namespace}` but to `{owner}`"));
            }
            None => return Err(format!("`{public}` is not granted to the namespace `{namespace}`")),
        }
        if is_http {
            // Browsers ask first; the service answers itself (Fetch, §4.8 CORS-preflight fetch).
            methods.push("OPTIONS".to_owned());
        }
        methods.sort();
        methods.dedup();
        if self.written_names.contains(public.as_str()) {
            return Err(format!("a written route is called `{public}` already"));
        }
        let route = config::Route {
            name: public.clone(),
            matches: config::Match { path: public.clone(), methods, ..config::Match::default() },
            targets: vec![config::Share { target: config::Target::Backend(backend.to_owned()), weight: 1 }],
            sticky: None,
            canaries: Vec::new(),
            shadow: None,
            fallbacks: learning.fallback.iter().cloned().collect(),
            last_answer: None,
            public: learning.public,
            invoke: learning.invoke.clone(),
            timeout: learning.timeout,
            timeouts: config::RouteTimeouts::default(),
            retry: config::Retry::default(),
            answered_by: false,
            heartbeat: None,
            limits: learning.limits.clone(),
            rewrite: config::Rewrite {
                strip_prefix: Some(learning.at.clone()).filter(|at| !at.is_empty()),
                ..config::Rewrite::default()
            },
            dialect: learning.dialect,
            envelope: learning.envelope,
            cache: learning.cache.clone(),
        };
        let matches = understand(&route.matches)?;
        let maker = RouteMaker {
            config: &self.part.config,
            clusters: &self.part.clusters,
            plugins: &self.part.plugins,
            traffic: &self.part.traffic,
            metrics: self.workshop.metrics,
            shared: self.workshop.shared,
        };
        let made = maker.make(&route, self.old_routes.get(public.as_str()).copied(), streams);
        let made = made.ok_or_else(|| format!("the backend `{backend}` is not there"))?;
        // FastAPI redirects between a path and the same one with a slash at its end; without a route it never would.
        let twin = other_slash(path).filter(|twin| is_http && !takes_rest && !paths.contains(twin));
        if let Some(twin) = twin.and_then(|_| other_slash(&route.matches.path)) {
            let of_twin = config::Match { path: twin, ..route.matches.clone() };
            self.push(backend, path, understand(&of_twin)?, made.clone());
        }
        self.push(backend, path, matches, made);
        Ok(())
    }

    fn push(&mut self, backend: &str, path: &str, matches: RouteMatch, route: Arc<Route>) {
        self.matches.push(matches);
        self.routes.push(route);
        self.origins.push((backend.to_owned(), path.to_owned()));
    }

    fn leave_out(&mut self, backend: &str, path: &str, reason: String) {
        if self.left_out.len() < MOST_LEFT_OUT {
            self.left_out.push(LeftOut { backend: backend.to_owned(), path: path.to_owned(), reason });
        }
    }

    /// Leaves out what conflicts with something before it.
    fn finish(mut self) -> (Vec<RouteMatch>, Vec<Arc<Route>>, Vec<LeftOut>) {
        while let Err(conflicts) = RouteTable::build(self.matches.clone()) {
            let out: HashSet<usize> = conflicts.iter().map(|conflict| conflict.second).collect();
            for conflict in conflicts {
                let (backend, path) = self.origins[conflict.second].clone();
                let (other, other_path) = &self.origins[conflict.first];
                let reason = format!("conflicts with `{other_path}` of `{other}`: {}", conflict.reason);
                self.leave_out(&backend, &path, reason);
            }
            retain_others(&mut self.matches, &out);
            retain_others(&mut self.routes, &out);
            retain_others(&mut self.origins, &out);
        }
        (self.matches, self.routes, self.left_out)
    }
}

/// # Errors
/// What is wrong with it.
fn understand(matches: &config::Match) -> Result<RouteMatch, String> {
    let mut methods = MethodSet::all();
    for name in &matches.methods {
        methods.insert_all(&name.parse::<MethodSet>().map_err(|error| format!("`{name}`: {error}"))?);
    }
    let path = PathPattern::parse(&matches.path).map_err(|error| format!("`{}`: {error}", matches.path))?;
    Ok(RouteMatch { hosts: Vec::new(), path, methods, headers: Vec::new(), query: Vec::new() })
}

/// The same path with a slash at its end, or without.
fn other_slash(path: &str) -> Option<String> {
    match path.strip_suffix('/') {
        Some("") => None,
        Some(bare) => Some(bare.to_owned()),
        None => Some(format!("{path}/")),
    }
}
