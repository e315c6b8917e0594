//! The replicas of one worker.

use crate::replica::{self, ReplicaState};
use crate::spec::{Listen, SpecError, WorkerAddress, WorkerSpec};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How much longer than a replica may take its set is waited for, so that the reason of a failure is there.
const MARGIN: Duration = Duration::from_millis(100);

/// How the first start of a set went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// A replica is ready.
    Ready,
    /// None is, and the time for it is not over.
    Undecided,
    /// None became ready in time, for this reason.
    Failed(String),
}

/// The replicas of one worker, kept running until the set is dropped or stopped.
#[derive(Debug)]
pub struct WorkerSet {
    spec: Arc<WorkerSpec>,
    started: Instant,
    replicas: Vec<watch::Receiver<ReplicaState>>,
    addresses: watch::Receiver<Vec<WorkerAddress>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// A worker cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its specification is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The folder for sockets cannot be used.
    #[error("the folder {} for sockets cannot be used: {source}", path.display())]
    Sockets {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl WorkerSet {
    /// Starts all replicas on `runtime`, whose threads must live as long as the set: the system ends a replica with the thread
    /// that started it. Returns at once.
    ///
    /// # Errors
    /// When the specification is wrong or there is no place for sockets. A command that cannot be started is no error here: it is
    /// tried again and again, and [`Self::states`] says why it fails.
    pub fn start(spec: WorkerSpec, runtime: &Handle) -> Result<Self, StartError> {
        spec.check()?;
        if let Listen::UnixSocket(directory) = &spec.listen {
            prepare(directory).map_err(|source| StartError::Sockets { path: directory.clone(), source })?;
        }
        let spec = Arc::new(spec);
        let (stop, stopping) = watch::channel(false);
        let mut replicas = Vec::with_capacity(spec.replicas);
        let mut tasks = Vec::with_capacity(spec.replicas + 1);
        for number in 0..spec.replicas {
            let (state, seen) = watch::channel(ReplicaState::Starting);
            tasks.push(runtime.spawn(replica::run(spec.clone(), number, state, stopping.clone())));
            replicas.push(seen);
        }
        let (told, addresses) = watch::channel(Vec::new());
        tasks.push(runtime.spawn(gather(replicas.clone(), told)));
        Ok(Self { spec, started: Instant::now(), replicas, addresses, stop, tasks })
    }

    /// What it was started with.
    #[must_use]
    pub fn spec(&self) -> &WorkerSpec {
        &self.spec
    }

    /// The addresses of the ready replicas, now and from now on.
    #[must_use]
    pub fn addresses(&self) -> watch::Receiver<Vec<WorkerAddress>> {
        self.addresses.clone()
    }

    /// What each replica is doing.
    #[must_use]
    pub fn states(&self) -> Vec<ReplicaState> {
        self.replicas.iter().map(|state| state.borrow().clone()).collect()
    }

    /// Whether the set has proven that it can be used.
    #[must_use]
    pub fn trial(&self) -> Trial {
        if !self.addresses.borrow().is_empty() {
            return Trial::Ready;
        }
        if Instant::now() < self.trial_end() {
            return Trial::Undecided;
        }
        let reason = self.states().into_iter().find_map(|state| match state {
            ReplicaState::Waiting { reason, .. } => Some(reason),
            ReplicaState::Starting | ReplicaState::Ready { .. } | ReplicaState::Stopped => None,
        });
        Trial::Failed(reason.unwrap_or_else(|| "it does not become ready".to_owned()))
    }

    /// Waits until [`Self::trial`] is decided: for as long as a replica may take to become ready, at most. It waits for what the
    /// set was when this was called; the set itself may go.
    pub fn decided(&self) -> impl Future<Output = ()> + Send + 'static {
        let (mut addresses, end) = (self.addresses.clone(), self.trial_end());
        async move {
            let ready = addresses.wait_for(|addresses| !addresses.is_empty());
            if matches!(timeout_at(end, ready).await, Ok(Err(_stopped))) {
                sleep_until(end).await;
            }
        }
    }

    fn trial_end(&self) -> Instant {
        self.started + self.spec.ready.timeout + MARGIN
    }

    /// Ends all replicas and waits until they are gone: SIGTERM, then SIGKILL for each process group.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has dropped its process, which killed it.
            let _ = task.await;
        }
    }

    /// Tells all replicas to end, without waiting.
    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether every replica has ended after it was told to.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.replicas.iter().all(|state| *state.borrow() == ReplicaState::Stopped)
    }
}

impl Drop for WorkerSet {
    fn drop(&mut self) {
        // The tasks go on until their processes have ended.
        self.begin_stop();
    }
}

/// Keeps the list of ready addresses true until every replica has stopped.
async fn gather(mut replicas: Vec<watch::Receiver<ReplicaState>>, told: watch::Sender<Vec<WorkerAddress>>) {
    loop {
        let mut ready = Vec::with_capacity(replicas.len());
        replicas.retain_mut(|state| {
            match &*state.borrow_and_update() {
                ReplicaState::Ready { address, .. } => ready.push(address.clone()),
                ReplicaState::Stopped => return false,
                ReplicaState::Starting | ReplicaState::Waiting { .. } => {}
            }
            true
        });
        told.send_if_modified(|known| {
            let changed = *known != ready;
            *known = ready;
            changed
        });
        if replicas.is_empty() {
            return;
        }
        let mut changes: Vec<_> = replicas.iter_mut().map(|state| Box::pin(state.changed())).collect();
        std::future::poll_fn(|context| {
            let any = changes.iter_mut().any(|change| change.as_mut().poll(context).is_ready());
            if any { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

/// Only this user may look for sockets in the folder.
fn prepare(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let metadata = std::fs::symlink_metadata(directory)?;
    if metadata.uid() != nix::unistd::geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may use it; it must be this user's own, with mode 0700"));
    }
    Ok(())
}
