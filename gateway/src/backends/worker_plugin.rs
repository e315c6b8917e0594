//! A plugin that is processes of its own.

use super::calling_plugin::CallingPlugin;
use super::plugin_versions::{PluginStage, PluginVersion};
use super::worker_passes::WorkerPass;
use super::worker_runtime::PrivateFolder;
use framex_plugin_worker::WorkerSet;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// A plugin that is processes of its own. They end when it is dropped.
#[derive(Debug)]
pub struct WorkerPlugin {
    /// Who it is when it calls others.
    pub calling: Arc<CallingPlugin>,
    /// Taken when it is dropped.
    parts: Option<Parts>,
    /// Where its end is waited for.
    runtime: Handle,
    ends: TaskTracker,
}

#[derive(Debug)]
struct Parts {
    set: WorkerSet,
    stage: PluginVersion,
    /// By what it is known when it calls, if it may call anybody, and the copy of its package, if it runs from one.
    belongings: (Option<WorkerPass>, Option<PrivateFolder>),
}

impl WorkerPlugin {
    pub(super) fn new(
        set: WorkerSet,
        calling: Arc<CallingPlugin>,
        belongings: (Option<WorkerPass>, Option<PrivateFolder>),
        stage: PluginVersion,
        (runtime, ends): (Handle, TaskTracker),
    ) -> Self {
        Self { calling, parts: Some(Parts { set, stage, belongings }), runtime, ends }
    }

    /// Its processes.
    #[must_use]
    pub fn set(&self) -> Option<&WorkerSet> {
        self.parts.as_ref().map(|parts| &parts.set)
    }

    /// It, among all versions of all plugins.
    #[must_use]
    pub fn stage(&self) -> Option<&PluginVersion> {
        self.parts.as_ref().map(|parts| &parts.stage)
    }
}

impl Drop for WorkerPlugin {
    fn drop(&mut self) {
        let Some(Parts { set, stage, belongings }) = self.parts.take() else { return };
        stage.enter(PluginStage::Unloading);
        let ended = async move {
            // What it still answers in its grace may still call, and needs its files.
            set.stop().await;
            drop((belongings, stage));
        };
        self.ends.spawn_on(ended, &self.runtime);
    }
}
