//! What the gateway's worker processes are started on, and where their sockets are.

use crate::config;
use framex_plugin_package::Package;
use framex_plugin_worker::{Listen, Ready, StartError, WorkerLimits, WorkerSet, WorkerSpec};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use tokio::runtime::{Builder, Runtime};

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

/// The thread that starts and watches worker processes; it lives as long as the process, because the system ends a worker with
/// the thread that started it.
#[derive(Debug)]
pub struct WorkerRuntime {
    runtime: Runtime,
    /// Sockets, and packages that were unpacked; this process alone uses it.
    folder: PathBuf,
}

impl WorkerRuntime {
    /// Starts the thread and makes a folder for it.
    ///
    /// # Errors
    /// When there are no more threads, or the folder for temporary files cannot be written.
    pub fn start() -> std::io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("framex-worker").enable_all().build()?;
        Ok(Self { runtime, folder: make_own_folder()? })
    }

    /// Starts the processes of a worker, without waiting for them: from a private copy of `package` if there is one, so that
    /// what runs, now and after a crash, is what was verified.
    ///
    /// # Errors
    /// When there is no place for their sockets or for the package.
    pub fn start_set(
        &self,
        namespace: &str,
        name: &str,
        worker: &config::Worker,
        package: Option<&Package>,
    ) -> Result<WorkerSet, StartWorkerError> {
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
        let directory = match package {
            Some(package) => self.unpack(package).map_err(StartWorkerError::Unpack)?,
            None => directory,
        };
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
        Ok(WorkerSet::start(spec, self.runtime.handle())?)
    }

    /// Where the files of a package are, unpacked once for each content, whole or not at all.
    fn unpack(&self, package: &Package) -> std::io::Result<PathBuf> {
        let packages = self.folder.join("packages");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&packages)?;
        let folder = packages.join(package.digest());
        if !folder.exists() {
            let partial = folder.with_extension("partial");
            // What an attempt that failed has left.
            match std::fs::remove_dir_all(&partial) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            package.unpack(&partial)?;
            std::fs::rename(&partial, &folder)?;
        }
        Ok(folder)
    }

    /// Removes the folder when the process is about to end and its workers have.
    pub fn remove_folder(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "cannot remove the folder of the workers");
        }
    }
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
