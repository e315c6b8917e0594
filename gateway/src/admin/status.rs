//! What the admin API says about the running configuration.

use super::learning::{self, Learning};
use crate::backends::PluginVersions;
use crate::learning::Documents;
use crate::lifecycle::Lifecycle;
use crate::reload::ReloadStatus;
use crate::snapshot::{NamespacePart, Snapshot};
use framex_plugin_worker::{ReplicaState, WorkerSet};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

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
    /// `in_force`, `last_good` (the file is broken, an older version serves), `trial` (an older version serves until the new
    /// workers are ready) or `not_served`.
    state: &'static str,
    routes: usize,
    backends: BTreeMap<String, BTreeMap<String, &'static str>>,
    plugins: BTreeMap<String, Plugin>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    learning: BTreeMap<String, Learning>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    workers: BTreeMap<String, Vec<Replica>>,
    /// Every version of a plugin that is in the process, the oldest first.
    versions: Vec<Version>,
}

/// A version of a plugin.
#[derive(Debug, Serialize)]
struct Version {
    plugin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// `loading`, `verifying`, `compiling`, `trying`, `serving`, `draining` or `unloading`.
    stage: &'static str,
    /// RFC 3339.
    since: String,
}

/// One process of a worker plugin.
#[derive(Debug, Serialize)]
struct Replica {
    /// `starting`, `ready`, `waiting` (it ended and is started again), `crash_loop` or `stopped`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Plugin {
    component: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
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
    to: String,
    public: bool,
}

pub(super) fn status<'a>(
    snapshot: &'a Snapshot,
    reload: &'a ReloadStatus,
    lifecycle: &Lifecycle,
    versions: &PluginVersions,
    documents: &Documents,
) -> Status<'a> {
    let mut namespaces: BTreeMap<&str, Namespace> = snapshot
        .namespaces
        .iter()
        .map(|(name, part)| {
            let is_tried = |plugin: &String| plugin.split_once('/').is_some_and(|(namespace, _)| namespace == name);
            let state = if snapshot.broken.contains(name) {
                "last_good"
            } else if reload.trials.iter().any(is_tried) {
                "trial"
            } else {
                "in_force"
            };
            let mut namespace = namespace(part, state);
            namespace.learning = learning::status(part, snapshot.learnt.get(name), documents);
            (name.as_str(), namespace)
        })
        .collect();
    for name in &snapshot.broken {
        namespaces.entry(name).or_insert_with(|| Namespace {
            state: "not_served",
            routes: 0,
            backends: BTreeMap::new(),
            plugins: BTreeMap::new(),
            learning: BTreeMap::new(),
            workers: BTreeMap::new(),
            versions: Vec::new(),
        });
    }
    for version in versions.list() {
        if let Some(namespace) = namespaces.get_mut(version.namespace.as_str()) {
            namespace.versions.push(Version {
                plugin: version.plugin,
                version: version.version,
                digest: version.digest,
                stage: version.stage.label(),
                since: humantime::format_rfc3339_millis(version.since).to_string(),
            });
        }
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
    Namespace {
        state,
        versions: Vec::new(),
        learning: BTreeMap::new(),
        routes: part.config.routes.len(),
        backends: part
            .clusters
            .iter()
            .map(|(name, cluster)| {
                let endpoints = cluster.endpoints().into_iter();
                let endpoints = endpoints.map(|(endpoint, status, _)| (endpoint.to_string(), status.label()));
                (name.clone(), endpoints.collect())
            })
            .collect(),
        workers: part
            .clusters
            .iter()
            .filter_map(|(name, cluster)| {
                Some((name.clone(), cluster.workers()?.states().into_iter().map(replica).collect()))
            })
            .collect(),
        plugins: part
            .plugins
            .iter()
            .map(|(name, plugin)| {
                let stats = plugin.component.stats();
                let plugin = Plugin {
                    component: plugin.origin.display().to_string(),
                    version: plugin.version.clone(),
                    digest: plugin.short_digest(),
                    calls: stats.calls,
                    running: stats.in_flight,
                };
                (name.clone(), plugin)
            })
            .collect(),
    }
}

/// Which workers keep failing, a line each, for whoever asks whether the gateway is ready.
pub(super) fn failing_workers(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for part in snapshot.namespaces.values() {
        for (name, cluster) in &part.clusters {
            for state in cluster.workers().map(WorkerSet::states).unwrap_or_default() {
                if let ReplicaState::Waiting { reason, crash_loop: true } = state {
                    let _ = writeln!(text, "degraded: worker {}/{name} keeps failing: {reason}", part.config.name);
                }
            }
        }
    }
    text
}

fn replica(state: ReplicaState) -> Replica {
    let (state, process, reason) = match state {
        ReplicaState::Starting => ("starting", None, None),
        ReplicaState::Ready { process, .. } => ("ready", Some(process), None),
        ReplicaState::Waiting { reason, crash_loop: true } => ("crash_loop", None, Some(reason)),
        ReplicaState::Waiting { reason, crash_loop: false } => ("waiting", None, Some(reason)),
        ReplicaState::Stopped => ("stopped", None, None),
    };
    Replica { state, process, reason }
}

pub(super) fn routes(snapshot: &Snapshot) -> Vec<Route<'_>> {
    snapshot
        .routes_in_order()
        .map(|(matches, route)| Route {
            namespace: &route.namespace,
            name: &route.name,
            r#match: matches.to_string(),
            kind: route.target.kind().label(),
            to: route.describe_target(),
            public: route.rule.public,
        })
        .collect()
}
