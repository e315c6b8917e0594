//! `namespaces/<name>.yaml`: what belongs to one team.

use super::backend::{Backend, RawBackend};
use super::grant::Grants;
use super::invoke::{Invoke, RawNamespaceAccess};
use super::learning::{Learning, LearningPlatform};
use super::limits::{RawTrafficLimits, TrafficLimits};
use super::name::check_name;
use super::node::Needed;
use super::plugin::{Plugin, PluginKind, RawPlugin};
use super::problem::{ProblemList, ValuePath};
use super::route::{RawRoute, Route, Surroundings};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

/// One team's part of the configuration of FrameX Gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawNamespace {
    /// The namespace; must be the name of the file without `.yaml`.
    namespace: Needed<String>,
    /// Who may call. Whatever stands here, a token must also grant the namespace.
    #[serde(default)]
    access: RawNamespaceAccess,
    /// How much traffic the whole namespace takes.
    #[serde(default)]
    limits: RawTrafficLimits,
    /// Plugins, by name: components in the gateway's process, and workers, which are processes of their own.
    #[serde(default)]
    plugins: BTreeMap<String, RawPlugin>,
    /// Publishers and their public keys (PEM files, Ed25519; relative to this file). When there is one, every plugin in the
    /// process must come in a package that one of them has signed.
    #[serde(default)]
    publishers: BTreeMap<String, PathBuf>,
    /// Backends on the network, by name. Plugins and backends share their names.
    #[serde(default)]
    backends: BTreeMap<String, RawBackend>,
    /// Which requests go where. The order does not matter: the most precise route wins.
    #[serde(default)]
    routes: Vec<RawRoute>,
}

/// One team's part of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// What a token must show beside the namespace.
    pub invoke: Invoke,
    /// Whether CORS preflights go on to backends without a token.
    pub preflight: bool,
    /// How much traffic the whole namespace takes.
    pub limits: TrafficLimits,
    /// Plugins, in the order of their names.
    pub plugins: Vec<Plugin>,
    /// Who must have signed the packages of the plugins, with the files of their public keys.
    pub publishers: Vec<(String, PathBuf)>,
    /// Network backends, in the order of their names, then workers.
    pub backends: Vec<Backend>,
    /// What is learnt of backends, by their names.
    pub learning: BTreeMap<String, Learning>,
    /// Routes, in the order of the file.
    pub routes: Vec<Route>,
}

/// What a namespace is validated against. `None` is what gateway.yaml does not say clearly; its own problems come first.
#[derive(Clone, Copy, Default)]
pub(super) struct Platform<'a> {
    pub(super) grants: Option<&'a Grants>,
    pub(super) issuers: Option<&'a [String]>,
    /// Whether gateways count together somewhere.
    pub(super) has_redis: Option<bool>,
}

impl RawNamespace {
    /// Checks everything that can be checked without touching the world. `name` is what the file is called.
    ///
    /// Returns what could be understood even when problems were reported, so that later checks find theirs too.
    pub(super) fn validate(
        self,
        name: &str,
        base: &Path,
        platform: Platform<'_>,
        problems: &mut ProblemList,
    ) -> Namespace {
        let Self { namespace: Needed(namespace), access, limits, plugins, publishers, backends, routes } = self;
        let root = ValuePath::default();
        match namespace {
            None => problems.report_missing(&root, "namespace"),
            Some(namespace) if namespace != name => {
                problems.report(root.key("namespace"), format!("`{namespace}` must be `{name}`, like the file"));
            }
            Some(_) => {}
        }
        let names = |of_worker: bool| {
            plugins.iter().filter(move |(_, raw)| raw.is_worker() == of_worker).map(|(name, _)| name.clone())
        };
        let plugin_names: Vec<String> = names(false).collect();
        let backend_names: Vec<String> = backends.keys().cloned().chain(names(true)).collect();
        for plugin in plugins.keys() {
            check_name("plugin", plugin, &root.key("plugins").key(plugin.clone()), problems);
        }
        for backend in backends.keys() {
            let path = root.key("backends").key(backend.clone());
            check_name("backend", backend, &path, problems);
            if plugins.contains_key(backend) {
                problems
                    .report(path, format!("`{backend}` is a plugin already; plugins and backends share their names"));
            }
        }
        let around = Surroundings { plugins: &plugin_names, backends: &backend_names, issuers: platform.issuers };
        let of_learning = LearningPlatform { namespace: name, around: &around, grants: platform.grants };
        let mut learning = BTreeMap::new();
        let mut components = Vec::new();
        let mut workers = Vec::new();
        for (name, mut raw) in plugins {
            let path = root.key("plugins").key(name.clone());
            if let Some(learnt) = raw.validate_learning(&name, &path, of_learning, problems) {
                learning.insert(name.clone(), learnt);
            }
            match raw.validate(&name, &path, base, problems) {
                PluginKind::Component(plugin) => components.push(plugin),
                PluginKind::Worker(worker) => workers.push(worker),
            }
        }
        let backend_kinds: Vec<String> = backends.keys().cloned().collect();
        let mut network = Vec::with_capacity(backends.len());
        for (name, mut raw) in backends {
            let path = root.key("backends").key(name.clone());
            if let Some(learnt) = raw.validate_learning(&name, &path, of_learning, problems) {
                learning.insert(name.clone(), learnt);
            }
            network.push(raw.validate(&name, &path, base, problems));
        }
        let limits = limits.validate(&root.key("limits"), problems);
        let routes = validate_routes(routes, name, &around, platform.grants, problems);
        if platform.has_redis == Some(false) {
            let of_routes = routes
                .iter()
                .enumerate()
                .map(|(index, route)| (&route.limits, root.key("routes").index(index).key("limits")));
            let of_learning = learning.iter().map(|(name, learning)| {
                let kind = if backend_kinds.contains(name) { "backends" } else { "plugins" };
                (&learning.limits, root.key(kind).key(name.clone()))
            });
            let own = (&limits, root.key("limits"));
            for (limits, path) in std::iter::once(own).chain(of_routes).chain(of_learning) {
                limits.refuse_sharing(&path, problems);
            }
        }
        let (invoke, preflight) = access.validate(&root.key("access"), platform.issuers, problems);
        Namespace {
            name: name.to_owned(),
            invoke,
            preflight,
            limits,
            plugins: components,
            publishers: publishers.into_iter().map(|(name, file)| (name, base.join(file))).collect(),
            backends: network.into_iter().chain(workers).collect(),
            learning,
            routes,
        }
    }
}

/// Every route keeps its index, so that later problems are placed right.
fn validate_routes(
    routes: Vec<RawRoute>,
    namespace: &str,
    around: &Surroundings<'_>,
    grants: Option<&Grants>,
    problems: &mut ProblemList,
) -> Vec<Route> {
    let mut names: BTreeMap<String, ValuePath> = BTreeMap::new();
    let mut validated = Vec::with_capacity(routes.len());
    for (index, raw) in routes.into_iter().enumerate() {
        let path = ValuePath::default().key("routes").index(index);
        let route = raw.validate(&path, around, problems);
        let of_name = (!problems.is_lost(&path.key("name")) && !problems.is_lost(&path.key("match")))
            .then(|| names.entry(route.name.clone()));
        match of_name {
            // What it is called is not known.
            None => {}
            Some(Entry::Vacant(entry)) => {
                entry.insert(path.clone());
            }
            Some(Entry::Occupied(entry)) => {
                let other = problems.in_file(entry.get().clone());
                problems.report(
                    path.clone(),
                    format!("is called `{}` like {other}; give one of them another `name`", route.name),
                );
            }
        }
        if let Some(grants) = grants {
            check_grant(&route, namespace, grants, &path.key("match"), problems);
        }
        validated.push(route);
    }
    validated
}

fn check_grant(route: &Route, namespace: &str, grants: &Grants, path: &ValuePath, problems: &mut ProblemList) {
    let own = grants.of(namespace);
    for (index, host) in route.matches.hosts.iter().enumerate() {
        if !own.covers_host(host) {
            problems.report(
                path.key("hosts").index(index),
                format!("the host `{host}` is not granted to the namespace `{namespace}`; the platform team grants hosts in gateway.yaml"),
            );
        }
    }
    let pattern = &route.matches.path;
    let is_own_host = !route.matches.hosts.is_empty() || problems.is_lost(&path.key("hosts"));
    let owner = grants.owner_of_path(pattern);
    if !is_own_host && pattern.starts_with('/') && owner != Some(namespace) {
        let owned = |prefix: &&String| grants.owner_of_path(prefix) == Some(namespace);
        let granted = own.paths.iter().filter(owned).map(String::as_str).collect::<Vec<_>>().join(", ");
        let granted = if granted.is_empty() { "no paths" } else { &granted };
        let owner = owner.map(|owner| format!(" but to `{owner}`")).unwrap_or_default();
        problems.report(
            path.key("path"),
            format!("`{pattern}` is not granted to the namespace `{namespace}`{owner}; `{namespace}` owns {granted}"),
        );
    }
}
