//! What the gateway's worker processes are started on, and where their sockets are.

use crate::config;
use framex_plugin_worker::{Listen, Ready, ReplicaState, StartError, WorkerLimits, WorkerSet, WorkerSpec};
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The thread that starts and watches worker processes; it lives as long as the process, because the system ends a worker with
/// the thread that started it.
#[derive(Debug)]
pub struct WorkerRuntime {
    runtime: Runtime,
    sockets: PathBuf,
}

impl WorkerRuntime {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there are no more threads.
    pub fn start() -> std::io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("framex-worker").enable_all().build()?;
        let sockets = worker_folder().join("sockets");
        Ok(Self { runtime, sockets })
    }

    /// Starts the processes of a worker, without waiting for them.
    ///
    /// # Errors
    /// When there is no place for their sockets.
    pub fn start_set(&self, namespace: &str, name: &str, worker: &config::Worker) -> Result<WorkerSet, StartError> {
        let config::Worker {
            command,
            directory,
            environment,
            on_port,
            ready_path,
            ready_timeout,
            replicas,
            stop_grace,
            memory,
            cpu_millis,
            silence: _,
        } = worker.clone();
        let spec = WorkerSpec {
            name: format!("{namespace}/{name}"),
            command,
            directory,
            environment,
            listen: if on_port { Listen::Port } else { Listen::UnixSocket(self.sockets.clone()) },
            ready: Ready { path: ready_path, timeout: ready_timeout },
            replicas,
            stop_grace,
            limits: WorkerLimits { memory, cpu_millis },
        };
        WorkerSet::start(spec, self.runtime.handle())
    }

    /// Waits (blocking) until one process of a new set is ready.
    ///
    /// # Errors
    /// Why none is, after the time that the worker may take.
    pub fn wait_until_ready(&self, set: &WorkerSet) -> Result<(), String> {
        let patience = set.spec().ready.timeout + Duration::from_millis(100);
        if self.runtime.block_on(set.becomes_ready(patience)) {
            return Ok(());
        }
        let reason = set.states().into_iter().find_map(|state| match state {
            ReplicaState::Waiting { reason, .. } => Some(reason),
            ReplicaState::Starting | ReplicaState::Ready { .. } | ReplicaState::Stopped => None,
        });
        Err(reason.unwrap_or_else(|| "it does not become ready".to_owned()))
    }
}

/// Where this process keeps what its workers need: sockets, and packages that were unpacked.
#[must_use]
pub fn worker_folder() -> PathBuf {
    std::env::temp_dir().join(format!("framex-gateway-{}", std::process::id()))
}

/// Removes [`worker_folder`] when the process is about to end and its workers have.
pub fn remove_worker_folder() {
    // It may never have been made.
    let _ = std::fs::remove_dir_all(worker_folder());
}
