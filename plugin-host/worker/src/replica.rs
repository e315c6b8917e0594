//! One replica: started, asked, watched, started again.

use crate::backoff::Backoff;
use crate::process::Process;
use crate::readiness::becomes_ready;
use crate::spec::{Listen, WorkerAddress, WorkerSpec};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// What a replica is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReplicaState {
    /// It was started and does not answer yet.
    #[default]
    Starting,
    /// It answers, at this address.
    Ready {
        /// Where.
        address: WorkerAddress,
        /// Its process id.
        process: i32,
    },
    /// It ended and is started again after a while.
    Waiting {
        /// Why it ended.
        reason: String,
        /// Whether it fails again and again.
        crash_loop: bool,
    },
    /// It was told to stop and has ended.
    Stopped,
}

/// Makes the name of each socket another one, so that a new replica never meets the socket of an old one.
static SOCKETS: AtomicU64 = AtomicU64::new(0);

/// Keeps one replica running until `stop` says otherwise; then it has ended when this returns.
pub(crate) async fn run(
    spec: Arc<WorkerSpec>,
    number: usize,
    state: watch::Sender<ReplicaState>,
    mut stop: watch::Receiver<bool>,
) {
    let mut backoff = Backoff::default();
    loop {
        state.send_replace(ReplicaState::Starting);
        let mut ready_since = None;
        let reason = match live(&spec, number, &state, &mut stop, &mut ready_since).await {
            End::Stopped => break,
            End::Failed(reason) => reason,
        };
        let wait = backoff.failed(ready_since, Instant::now());
        let crash_loop = backoff.is_crash_loop();
        if crash_loop {
            tracing::error!(worker = spec.name, replica = number, reason, ?wait, "worker keeps failing");
        } else {
            tracing::warn!(worker = spec.name, replica = number, reason, ?wait, "worker ended; starting it again");
        }
        state.send_replace(ReplicaState::Waiting { reason, crash_loop });
        tokio::select! {
            () = sleep(wait) => {}
            () = is_stopping(&mut stop) => break,
        }
    }
    state.send_replace(ReplicaState::Stopped);
}

enum End {
    Stopped,
    Failed(String),
}

/// One life of a replica, from its start to its end.
async fn live(
    spec: &WorkerSpec,
    number: usize,
    state: &watch::Sender<ReplicaState>,
    stop: &mut watch::Receiver<bool>,
    ready_since: &mut Option<Instant>,
) -> End {
    let place = match Place::choose(&spec.listen, &spec.name, number) {
        Ok(place) => place,
        Err(error) => return End::Failed(format!("there is no place to listen: {error}")),
    };
    let mut process = match Process::start(spec, number, &place.address) {
        Ok(process) => process,
        Err(error) => return End::Failed(format!("`{}` cannot be started: {error}", spec.command.join(" "))),
    };
    let started = tokio::select! {
        ended = process.ended() => return End::Failed(describe(ended)),
        () = is_stopping(stop) => Err(()),
        ready = timeout(spec.ready.timeout, becomes_ready(&place.address, spec.ready.path.as_deref())) => Ok(ready),
    };
    match started {
        Ok(Ok(())) => {}
        Ok(Err(_elapsed)) => {
            process.stop(spec.stop_grace).await;
            return End::Failed(format!("it did not become ready within {:?}", spec.ready.timeout));
        }
        Err(()) => {
            process.stop(spec.stop_grace).await;
            return End::Stopped;
        }
    }
    *ready_since = Some(Instant::now());
    tracing::info!(worker = spec.name, replica = number, process = process.id(), "worker is ready");
    state.send_replace(ReplicaState::Ready { address: place.address.clone(), process: process.id() });
    tokio::select! {
        ended = process.ended() => End::Failed(describe(ended)),
        () = is_stopping(stop) => {
            process.stop(spec.stop_grace).await;
            End::Stopped
        }
    }
}

async fn is_stopping(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop it is gone, which is a stop, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn describe(ended: io::Result<std::process::ExitStatus>) -> String {
    match ended {
        Ok(status) => format!("it ended with {status}"),
        Err(error) => format!("its end cannot be seen: {error}"),
    }
}

/// Where a replica listens. The socket file goes with it.
struct Place {
    address: WorkerAddress,
}

impl Place {
    fn choose(listen: &Listen, name: &str, number: usize) -> io::Result<Self> {
        let address = match listen {
            Listen::Port => {
                // The port is free now; if somebody else is faster, the worker fails and gets another one.
                let probe = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
                WorkerAddress::Tcp(probe.local_addr()?)
            }
            Listen::UnixSocket(directory) => {
                let unique = SOCKETS.fetch_add(1, Ordering::Relaxed);
                let name = name.replace('/', ".");
                // The path of a socket may have about 100 bytes.
                let name: String = name.chars().take(40).collect();
                WorkerAddress::Unix(directory.join(format!("{name}-{number}-{unique}.sock")))
            }
        };
        Ok(Self { address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let WorkerAddress::Unix(socket) = &self.address {
            // It may never have been made.
            let _ = std::fs::remove_file(socket);
        }
    }
}
