//! New versions of workers that are tried while the old ones serve.
//!
//! A worker may take long to become ready, or never do. Its namespace goes on as it is until then; the others are not held up.

use super::NamespacePart;
use crate::backends::{Cluster, LocalPlugin, PeerBuilder};
use crate::config;
use framex_plugin_worker::WorkerSet;
use futures_util::future::select_all;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

/// What is being tried, by namespace.
#[derive(Debug, Default)]
pub struct Trials(pub(super) BTreeMap<String, Candidate>);

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
        self.0.iter().flat_map(names).collect()
    }

    /// Waits until one of them is decided; for ever when there is none. Then a reload takes it over, or says why not.
    pub fn decided(&self) -> impl Future<Output = ()> + Send + 'static {
        let waiting = self.0.values().flat_map(|candidate| {
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
}

impl<'a> Known<'a> {
    /// The cluster that one made from `backend` and `builder` would be the same as.
    pub(super) fn cluster(&self, backend: &config::Backend, builder: &PeerBuilder) -> Option<&'a Arc<Cluster>> {
        let serving = self.serving.and_then(|part| part.clusters.get(&backend.name));
        let candidate = self.candidate.and_then(|candidate| candidate.clusters.get(&backend.name));
        serving.into_iter().chain(candidate).find(|cluster| cluster.is_same(backend, builder))
    }

    /// The plugins of this name.
    pub(super) fn plugins(&self, name: &str) -> impl Iterator<Item = &'a Arc<LocalPlugin>> {
        let serving = self.serving.and_then(|part| part.plugins.get(name));
        serving.into_iter().chain(self.candidate.and_then(|candidate| candidate.plugins.get(name)))
    }
}
