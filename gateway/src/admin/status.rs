//! What the admin API says about the running configuration.

use crate::lifecycle::Lifecycle;
use crate::reload::ReloadStatus;
use crate::snapshot::{NamespacePart, Snapshot};
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer of `/admin/v1/status`.
#[derive(Debug, Serialize)]
pub(super) struct Status<'a> {
    version: &'static str,
    revision: u64,
    ready: bool,
    running_requests: usize,
    reload: &'a ReloadStatus,
    namespaces: BTreeMap<&'a str, Namespace>,
}

#[derive(Debug, Serialize)]
struct Namespace {
    /// `in_force`, `last_good` (the file is broken, an older version serves) or `not_served`.
    state: &'static str,
    routes: usize,
    backends: BTreeMap<String, BTreeMap<String, &'static str>>,
    plugins: BTreeMap<String, Plugin>,
}

#[derive(Debug, Serialize)]
struct Plugin {
    component: String,
    digest: String,
    calls: u64,
    running: u64,
}

/// One line of `/admin/v1/routes`.
#[derive(Debug, Serialize)]
pub(super) struct Route<'a> {
    namespace: &'a str,
    name: &'a str,
    r#match: String,
    kind: &'static str,
    to: &'a str,
    public: bool,
}

pub(super) fn status<'a>(snapshot: &'a Snapshot, reload: &'a ReloadStatus, lifecycle: &Lifecycle) -> Status<'a> {
    let mut namespaces: BTreeMap<&str, Namespace> = snapshot
        .namespaces
        .iter()
        .map(|(name, part)| {
            let state = if snapshot.broken.contains(name) { "last_good" } else { "in_force" };
            (name.as_str(), namespace(part, state))
        })
        .collect();
    for name in &snapshot.broken {
        namespaces.entry(name).or_insert_with(|| Namespace {
            state: "not_served",
            routes: 0,
            backends: BTreeMap::new(),
            plugins: BTreeMap::new(),
        });
    }
    Status {
        version: env!("CARGO_PKG_VERSION"),
        revision: snapshot.revision,
        ready: lifecycle.readiness().is_ok(),
        running_requests: lifecycle.running(),
        reload,
        namespaces,
    }
}

fn namespace(part: &NamespacePart, state: &'static str) -> Namespace {
    let health = |healthy: bool| if healthy { "healthy" } else { "unhealthy" };
    Namespace {
        state,
        routes: part.config.routes.len(),
        backends: part
            .clusters
            .iter()
            .map(|(name, cluster)| {
                let endpoints = cluster.health().into_iter().map(|(endpoint, ok)| (endpoint.to_string(), health(ok)));
                (name.clone(), endpoints.collect())
            })
            .collect(),
        plugins: part
            .plugins
            .iter()
            .map(|(name, plugin)| {
                let stats = plugin.component.stats();
                let plugin = Plugin {
                    component: plugin.config.component.display().to_string(),
                    digest: plugin.short_digest(),
                    calls: stats.calls,
                    running: stats.in_flight,
                };
                (name.clone(), plugin)
            })
            .collect(),
    }
}

pub(super) fn routes(snapshot: &Snapshot) -> Vec<Route<'_>> {
    snapshot
        .routes_in_order()
        .map(|(matches, route)| Route {
            namespace: &route.namespace,
            name: &route.name,
            r#match: matches.to_string(),
            kind: route.target.kind().label(),
            to: route.target.name(),
            public: route.rule.public,
        })
        .collect()
}
