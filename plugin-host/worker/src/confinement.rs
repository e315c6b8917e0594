//! Memory and CPU of one replica, as far as the system lets us limit them.

use crate::spec::WorkerLimits;
use nix::unistd::Pid;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One period of CPU time, in microseconds; the kernel's own default.
const PERIOD: u64 = 100_000;

/// A control group (cgroup v2) for one replica, or nothing where groups cannot be made.
#[derive(Debug)]
pub(crate) struct Confinement {
    group: Option<PathBuf>,
    limits: WorkerLimits,
}

impl Confinement {
    pub(crate) fn new(name: &str, number: usize, limits: WorkerLimits) -> Self {
        if limits == WorkerLimits::default() {
            return Self { group: None, limits };
        }
        let group = make_group(name, number, limits)
            .inspect_err(|error| tracing::debug!(worker = name, "no control group: {error}"))
            .ok();
        if group.is_none() && limits.cpu_millis.is_some() {
            tracing::warn!(
                worker = name,
                "the CPU of this worker is not limited: the gateway may not make control groups"
            );
        }
        Self { group, limits }
    }

    /// The limit that each process has to have for itself where there is no group.
    pub(crate) fn memory_by_rlimit(&self) -> Option<u64> {
        self.limits.memory.filter(|_| self.group.is_none())
    }

    /// Puts a process, and what it will start, into the group.
    pub(crate) fn take_in(&self, process: Pid) {
        let Some(group) = &self.group else { return };
        if let Err(error) = set(&group.join("cgroup.procs"), &process.to_string()) {
            tracing::warn!(group = %group.display(), "a worker runs without limits: {error}");
        }
    }

    /// Kills everything in the group, also what has left its process group.
    pub(crate) fn kill(&self) {
        if let Some(group) = &self.group {
            let _ = set(&group.join("cgroup.kill"), "1");
        }
    }
}

impl Drop for Confinement {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            // Fails while a killed process is still going; the next start of the replica uses the group again.
            let _ = std::fs::remove_dir(group);
        }
    }
}

fn make_group(name: &str, number: usize, limits: WorkerLimits) -> io::Result<PathBuf> {
    let own = std::fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or_else(|| io::Error::other("no cgroup v2"))?;
    let parent = PathBuf::from(format!("/sys/fs/cgroup{}", own.trim_end_matches('/')));
    // With groups of the first version, the same path is an ordinary folder.
    std::fs::metadata(parent.join("cgroup.controllers"))?;
    let group = parent.join(format!("framex-{}-{number}-{}", name.replace('/', "."), std::process::id()));
    match std::fs::create_dir(&group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let limited = (|| {
        if let Some(bytes) = limits.memory {
            set(&group.join("memory.max"), &bytes.to_string())?;
            // The file is only there where swap is accounted for.
            let _ = set(&group.join("memory.swap.max"), "0");
        }
        if let Some(millis) = limits.cpu_millis {
            set(&group.join("cpu.max"), &format!("{} {PERIOD}", u64::from(millis) * PERIOD / 1000))?;
        }
        Ok(())
    })();
    if let Err(error) = limited {
        let _ = std::fs::remove_dir(&group);
        return Err(error);
    }
    Ok(group)
}

/// Writes a file of the kernel's; one that is not there is never made.
fn set(file: &Path, value: &str) -> io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(file)?.write_all(value.as_bytes())
}
