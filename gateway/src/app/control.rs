//! The background service: reloads, the file watcher, SIGHUP, certificates, and the end of the process.

use super::certificates::Certificate;
use crate::backends::WorkerRuntime;
use crate::learning::Documents;
use crate::lifecycle::Lifecycle;
use crate::limits::Shedder;
use crate::reload::{self, Reloader, Trigger, Worker};
use crate::snapshot::Snapshot;
use crate::telemetry::AccessLog;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch, ShutdownWatch};
use pingora_core::services::background::BackgroundService;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::TaskTracker;

/// How often certificate files are compared with what is in use.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(10);

/// How long the gateway is not ready because a backend has not said yet what it has.
const LONGEST_LEARNING: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LEARNING_INTERVAL: Duration = Duration::from_millis(20);

/// How long the end waits for versions of workers that were replaced shortly before it.
const OLD_WORKERS_GRACE: Duration = Duration::from_secs(10);
/// How often ending workers are looked at.
const WORKERS_INTERVAL: Duration = Duration::from_millis(5);

/// Everything that runs beside the requests.
pub(super) struct Control {
    /// Taken by the service when it starts.
    pub(super) worker: Mutex<Option<Worker>>,
    pub(super) reloader: Reloader,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) config: PathBuf,
    pub(super) access_log: Arc<AccessLog>,
    pub(super) lifecycle: Lifecycle,
    /// What the backends say that they have.
    pub(super) documents: Documents,
    pub(super) tasks: TaskTracker,
    pub(super) certificates: Vec<Arc<Certificate>>,
    /// What the worker processes run on.
    pub(super) worker_runtime: Arc<WorkerRuntime>,
    /// Looks at the process and decides who is refused for the sake of others.
    pub(super) shedder: Arc<Shedder>,
}

#[async_trait]
impl BackgroundService for Control {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            self.tasks.spawn(worker.run());
        }
        // Changes and signals are noticed from here on, before anyone can see that the gateway is ready; a SIGHUP before
        // would end the process.
        self.tasks.spawn(reload::watch_files(self.config.clone(), self.snapshot.clone(), self.reloader.clone()));
        match signal(SignalKind::hangup()) {
            Ok(hangups) => drop(self.tasks.spawn(on_hangup(hangups, self.reloader.clone(), self.access_log.clone()))),
            Err(error) => tracing::warn!(%error, "SIGHUP cannot be received; reload by file or the admin API"),
        }
        if !self.certificates.is_empty() {
            self.tasks.spawn(renew(self.certificates.clone()));
        }
        let running = self.lifecycle.clone();
        self.tasks.spawn(self.shedder.clone().watch(move || running.running()));
        wait_for_documents(&self.snapshot, &self.documents).await;
        self.lifecycle.set_listening();
        tracing::info!(revision = self.snapshot.load().revision, "ready");

        // An error means that the server is gone, which is a stop, too.
        let _ = shutdown.changed().await;
        let grace = self.snapshot.load().gateway.shutdown_grace;
        let left = self.lifecycle.drained(grace).await;
        if left > 0 {
            tracing::warn!(
                requests = left,
                ?grace,
                "requests were cut: they were still running at the end of the grace period"
            );
        }
        stop_workers(&self.snapshot.load()).await;
        if tokio::time::timeout(OLD_WORKERS_GRACE, self.worker_runtime.all_ended()).await.is_err() {
            tracing::warn!("older versions of workers were killed: they were still ending");
        }
        self.worker_runtime.remove_folder();
        tracing::info!("stopped");
        self.access_log.finish();
        // Pingora would sleep its whole grace period even when nothing is left to wait for.
        std::process::exit(0);
    }
}

/// Waits until every backend was asked for its document and what it said is in force. Traffic that a new gateway is given before
/// would find nothing there.
async fn wait_for_documents(snapshot: &ArcSwap<Snapshot>, documents: &Documents) {
    let is_known = || {
        snapshot.load().namespaces.iter().all(|(name, part)| {
            part.config.learning.keys().all(|backend| {
                let is_in_force = || {
                    let snapshot = snapshot.load();
                    snapshot
                        .learnt
                        .get(name)
                        .is_some_and(|learnt| learnt.documents().any(|(known, _)| known == backend))
                };
                documents.of(name, backend).problem.is_some() || is_in_force()
            })
        })
    };
    let give_up = tokio::time::Instant::now() + LONGEST_LEARNING;
    while !is_known() && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(LEARNING_INTERVAL).await;
    }
}

/// Ends the worker processes, now that no request needs them: all at once, each within its own grace.
async fn stop_workers(snapshot: &Snapshot) {
    let clusters = snapshot.namespaces.values().flat_map(|part| part.clusters.values());
    let sets: Vec<_> = clusters.filter_map(|cluster| cluster.workers()).collect();
    for set in &sets {
        set.begin_stop();
    }
    let longest = sets.iter().map(|set| set.spec().stop_grace).max().unwrap_or_default();
    let give_up = tokio::time::Instant::now() + longest + Duration::from_secs(1);
    while !sets.iter().all(|set| set.is_stopped()) && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(WORKERS_INTERVAL).await;
    }
}

/// SIGHUP reloads and opens the access log anew.
async fn on_hangup(mut hangups: Signal, reloader: Reloader, access_log: Arc<AccessLog>) {
    while hangups.recv().await.is_some() {
        access_log.reopen();
        reloader.request(Trigger::Signal);
    }
}

async fn renew(certificates: Vec<Arc<Certificate>>) {
    let mut ticks = tokio::time::interval(CERTIFICATE_INTERVAL);
    loop {
        ticks.tick().await;
        for certificate in &certificates {
            certificate.refresh();
        }
    }
}

/// Turns SIGTERM and SIGINT into a graceful stop; a second one ends the process at once.
pub(super) struct StopSignal {
    pub(super) lifecycle: Lifecycle,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
}

#[async_trait]
impl ShutdownSignalWatch for StopSignal {
    async fn recv(&self) -> ShutdownSignal {
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            tracing::error!("SIGTERM and SIGINT cannot be received; stop with SIGKILL");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let running = self.lifecycle.running();
        tracing::info!(running, "stopping");
        self.lifecycle.set_stopping();
        let again = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("stopped at once by a second signal");
            std::process::exit(1);
        };
        let delay = self.snapshot.load().gateway.shutdown_delay;
        // The task lives as long as the process, which it may end.
        let again = tokio::spawn(again);
        tokio::time::sleep(delay).await;
        drop(again);
        ShutdownSignal::GracefulTerminate
    }
}
