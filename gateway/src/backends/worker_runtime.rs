//! What the gateway's worker processes are started on, and where their sockets are.

use super::calling_plugin::{CallingPlugin, Requirements};
use super::plugin_versions::{PluginStage, PluginVersion};
use super::worker_passes::WorkerPasses;
use super::worker_plugin::WorkerPlugin;
use crate::config::{self, Outbound};
use framex_plugin_package::Package;
use framex_plugin_worker::{Listen, Ready, StartError, WorkerLimits, WorkerSet, WorkerSpec};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::TaskTracker;

/// The processes of a worker cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartWorkerError {
    /// Its package cannot be unpacked.
    #[error("its package cannot be unpacked: {0}")]
    Unpack(#[source] std::io::Error),
    /// The supervisor refuses it.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The threads that start and watch worker processes; they live as long as the process, because the system ends a worker with
/// the thread that started it.
#[derive(Debug)]
pub struct WorkerRuntime {
    runtime: Runtime,
    /// Sockets, and packages that were unpacked; this process alone uses it.
    folder: PathBuf,
    passes: WorkerPasses,
    /// How many copies of packages were made.
    copies: AtomicUsize,
    /// The ends of workers that are not needed any more.
    ends: TaskTracker,
    door: Mutex<Option<DoorListeners>>,
    /// Where workers find the gateway, as variables of their environment.
    address: [(String, String); 2],
}

/// Where workers call the gateway: nobody else can reach the socket, and both ask for a pass.
#[derive(Debug)]
pub struct DoorListeners {
    /// The Unix socket.
    pub unix: UnixListener,
    /// The loopback port, for what knows no Unix sockets.
    pub tcp: TcpListener,
}

impl WorkerRuntime {
    /// Starts the threads, makes a folder and opens the door for calls of workers.
    ///
    /// # Errors
    /// When there are no more threads or sockets, or the folder for temporary files cannot be written.
    pub fn start() -> std::io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("framex-worker").enable_all().build()?;
        let folder = make_own_folder()?;
        let socket = folder.join("gateway.sock");
        let unix = UnixListener::bind(&socket).map_err(|error| {
            let advice = "the path of a socket may have about 100 bytes, and a shorter TMPDIR makes it shorter";
            std::io::Error::new(error.kind(), format!("cannot listen at {}: {error}; {advice}", socket.display()))
        })?;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = [
            ("FRAMEX_GATEWAY_SOCKET".to_owned(), socket.display().to_string()),
            ("FRAMEX_GATEWAY_URL".to_owned(), format!("http://{}", tcp.local_addr()?)),
        ];
        let door = Mutex::new(Some(DoorListeners { unix, tcp }));
        Ok(Self {
            runtime,
            folder,
            passes: WorkerPasses::default(),
            copies: AtomicUsize::new(0),
            ends: TaskTracker::new(),
            door,
            address,
        })
    }

    /// The passes of its workers.
    #[must_use]
    pub fn passes(&self) -> &WorkerPasses {
        &self.passes
    }

    /// Where workers call the gateway, once; calls wait until somebody answers.
    #[must_use]
    pub fn take_door(&self) -> Option<DoorListeners> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Where work for the workers runs.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Starts the processes of a worker that may call what `requires` finds, without waiting for them: from a private copy of
    /// `package` if there is one, so that what runs, now and after a crash, is what was verified.
    ///
    /// # Errors
    /// When there is no place for their sockets or for the package.
    pub fn start_set(
        &self,
        namespace: &str,
        name: &str,
        worker: &config::Worker,
        package: Option<&Package>,
        requires: Requirements,
        stage: PluginVersion,
    ) -> Result<WorkerPlugin, StartWorkerError> {
        let config::Worker {
            command,
            directory,
            mut environment,
            on_port,
            ready_path,
            ready_timeout,
            replicas,
            stop_grace,
            memory,
            cpu_millis,
            silence: _,
            requires: _,
        } = worker.clone();
        let copy = package.map(|package| self.unpack(package)).transpose().map_err(StartWorkerError::Unpack)?;
        let directory = copy.as_ref().map_or(directory, |copy| copy.0.clone());
        let calling = Arc::new(CallingPlugin::new(namespace, name, requires, Outbound::default()));
        let pass = (!calling.calls_nobody()).then(|| self.passes.issue(calling.clone()));
        if let Some(pass) = &pass {
            environment.extend(self.address.iter().cloned());
            environment.push(("FRAMEX_GATEWAY_TOKEN".to_owned(), pass.token().to_owned()));
            environment.push(("FRAMEX_GATEWAY_REQUIRES".to_owned(), describe(&worker.requires)));
        }
        let spec = WorkerSpec {
            name: format!("{namespace}/{name}"),
            command,
            directory,
            environment,
            listen: if on_port { Listen::Port } else { Listen::UnixSocket(self.folder.join("sockets")) },
            ready: Ready { path: ready_path, timeout: ready_timeout },
            replicas,
            stop_grace,
            limits: WorkerLimits { memory, cpu_millis },
        };
        let set = WorkerSet::start(spec, self.runtime.handle())?;
        stage.enter(PluginStage::Trying);
        let place = (self.runtime.handle().clone(), self.ends.clone());
        Ok(WorkerPlugin::new(set, calling, (pass, copy), stage, place))
    }

    /// A copy of a package's files for one worker alone, which goes with it: what another does to its own copy is not seen here.
    fn unpack(&self, package: &Package) -> std::io::Result<PrivateFolder> {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let folder = PrivateFolder(self.folder.join("packages").join(format!("{}-{number}", &package.digest()[..12])));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder.join("packages"))?;
        package.unpack(&folder.0)?;
        Ok(folder)
    }

    /// Waits until every worker that was let go of has ended: each has its own grace, and then is killed.
    pub async fn all_ended(&self) {
        self.ends.close();
        self.ends.wait().await;
        self.ends.reopen();
    }

    /// Removes the folder when the process is about to end and its workers have.
    pub fn remove_folder(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "cannot remove the folder of the workers");
        }
    }
}

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct PrivateFolder(PathBuf);

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %self.0.display(), %error, "cannot remove a copy of a package");
        }
    }
}

/// What a worker may call, as JSON for itself.
fn describe(requires: &[config::Requirement]) -> String {
    let one =
        |required: &config::Requirement| serde_json::json!({ "path": required.path, "methods": required.methods });
    serde_json::Value::from_iter(requires.iter().map(one)).to_string()
}

/// Makes a folder that nobody else has made, so that what lies in it is ours: a name that exists is never taken.
fn make_own_folder() -> std::io::Result<PathBuf> {
    loop {
        let name = format!("framex-gateway-{}-{:016x}", std::process::id(), rand::random::<u64>());
        let folder = std::env::temp_dir().join(name);
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
