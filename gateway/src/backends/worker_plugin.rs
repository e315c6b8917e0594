//! A plugin that is processes of its own.

use super::calling_plugin::CallingPlugin;
use super::worker_passes::WorkerPass;
use framex_plugin_worker::WorkerSet;
use std::sync::Arc;

/// A plugin that is processes of its own.
#[derive(Debug)]
pub struct WorkerPlugin {
    /// Its processes.
    pub set: WorkerSet,
    /// Who it is when it calls others.
    pub calling: Arc<CallingPlugin>,
    /// By what it is known then, if it may call anybody.
    pub(super) _pass: Option<WorkerPass>,
}
