//! New versions of workers that are tried while the old ones serve.
//!
//! A worker may take long to become ready, or never do. Its namespace goes on as it is until then; the others are not held up.

use super::NamespacePart;
use crate::backends::{Cluster, LocalPlugin, PeerBuilder};
use crate::config::{self, Grant};
use framex_plugin_worker::WorkerSet;
use futures_util::future::select_all;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

/// What is being tried, and what was and failed, by namespace.
#[derive(Debug, Default)]
pub struct Trials {
    pub(super) candidates: BTreeMap<String, Candidate>,
    pub(super) failures: BTreeMap<String, Vec<FailedTrial>>,
}

/// A worker that did not become ready. It is not tried again because somebody else's file changed.
#[derive(Clone, Debug)]
pub(super) struct FailedTrial {
    backend: config::Backend,
    pub(super) reason: String,
}

impl FailedTrial {
    pub(super) fn new(cluster: &Cluster, reason: String) -> Self {
        Self { backend: cluster.config.clone(), reason }
    }
}

/// What a namespace will be made of when its new workers are ready.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) clusters: BTreeMap<String, Arc<Cluster>>,
    pub(super) plugins: BTreeMap<String, Arc<LocalPlugin>>,
    /// The plugins that are not ready yet.
    pub(super) waiting: Vec<String>,
}

impl Trials {
    /// The plugins that are being tried, each as `namespace/name`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = |(namespace, candidate): (&String, &Candidate)| -> Vec<String> {
            candidate.waiting.iter().map(|plugin| format!("{namespace}/{plugin}")).collect()
        };
        self.candidates.iter().flat_map(names).collect()
    }

    /// What the namespace `name` may take over. What is tried is only for one that serves what it is granted now: anything else is
    /// put into service at once.
    pub(super) fn known<'a>(&'a self, name: &str, serving: Option<&'a Arc<NamespacePart>>, grant: &Grant) -> Known<'a> {
        let is_tried = serving.is_some_and(|serving| serving.grant == *grant);
        Known {
            serving,
            candidate: self.candidates.get(name).filter(|_| is_tried),
            failures: self.failures.get(name).filter(|_| is_tried).map_or(&[], Vec::as_slice),
        }
    }

    /// Lets everything that failed be tried again.
    pub fn forget_failures(&mut self) {
        self.failures.clear();
    }

    /// Waits until one of them is decided; for ever when there is none. Then a reload takes it over, or says why not.
    pub fn decided(&self) -> impl Future<Output = ()> + Send + 'static {
        let waiting = self.candidates.values().flat_map(|candidate| {
            candidate.waiting.iter().filter_map(|name| candidate.clusters.get(name)?.workers()).map(WorkerSet::decided)
        });
        let waiting: Vec<_> = waiting.map(Box::pin).collect();
        async move {
            if waiting.is_empty() {
                return pending().await;
            }
            select_all(waiting).await;
        }
    }
}

/// What a namespace may take over: what it serves with, and what it was about to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) serving: Option<&'a Arc<NamespacePart>>,
    pub(super) candidate: Option<&'a Candidate>,
    pub(super) failures: &'a [FailedTrial],
}

impl<'a> Known<'a> {
    /// The cluster that one made from `backend` and `builder` would be the same as.
    pub(super) fn cluster(&self, backend: &config::Backend, builder: &PeerBuilder) -> Option<&'a Arc<Cluster>> {
        let serving = self.serving.and_then(|part| part.clusters.get(&backend.name));
        let candidate = self.candidate.and_then(|candidate| candidate.clusters.get(&backend.name));
        serving.into_iter().chain(candidate).find(|cluster| cluster.is_same(backend, builder))
    }

    /// Why a worker made from `backend` failed already.
    pub(super) fn failure(&self, backend: &config::Backend) -> Option<&'a FailedTrial> {
        self.failures.iter().find(|failed| failed.backend == *backend)
    }

    /// The plugins of this name.
    pub(super) fn plugins(&self, name: &str) -> impl Iterator<Item = &'a Arc<LocalPlugin>> {
        let serving = self.serving.and_then(|part| part.plugins.get(name));
        serving.into_iter().chain(self.candidate.and_then(|candidate| candidate.plugins.get(name)))
    }
}
