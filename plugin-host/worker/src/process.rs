//! One process with all its descendants: how it is started and how it is ended.

use crate::confinement::Confinement;
use crate::output::log_lines;
use crate::spec::{WorkerAddress, WorkerSpec};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// What every program may expect to find in its environment.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// How often an ending group is looked at.
const GROUP_INTERVAL: Duration = Duration::from_millis(10);

/// A running process. Dropping it kills its group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
    confinement: Confinement,
}

impl Process {
    /// Starts one replica that is to listen at `address`.
    pub(crate) fn start(spec: &WorkerSpec, number: usize, address: &WorkerAddress) -> io::Result<Self> {
        let mut variables = spec.environment.clone();
        match address {
            WorkerAddress::Unix(socket) => variables.push(("GW_SOCKET".to_owned(), socket.display().to_string())),
            WorkerAddress::Tcp(address) => variables.push(("PORT".to_owned(), address.port().to_string())),
        }
        let arguments = spec.expanded_command(&variables);
        let [program, arguments @ ..] = &arguments[..] else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"));
        };
        let confinement = Confinement::new(&spec.name, number, spec.limits);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&spec.directory)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))))
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: what it starts is ended with it.
            .process_group(0);
        prepare(&mut command, &confinement);
        let mut child = command.spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = Pid::from_raw(id.ok_or_else(|| io::Error::other("the process ended at once"))?);
        if let Some(output) = child.stdout.take() {
            tokio::spawn(log_lines(spec.name.clone(), "stdout", output));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(log_lines(spec.name.clone(), "stderr", output));
        }
        confinement.take_in(group);
        Ok(Self { child, group, confinement })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> i32 {
        self.group.as_raw()
    }

    /// Waits for its end. Descendants may still run.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the group to end, and kills what is left of it after `grace`.
    pub(crate) async fn stop(mut self, grace: Duration) {
        // The group may have ended by itself.
        let _ = killpg(self.group, Signal::SIGTERM);
        let _ = timeout(grace, async {
            let _ = self.child.wait().await;
            // A launcher may end before the processes that still answer.
            while killpg(self.group, None).is_ok() {
                sleep(GROUP_INTERVAL).await;
            }
        })
        .await;
        self.kill_group();
        let _ = self.child.wait().await;
    }

    fn kill_group(&self) {
        let _ = killpg(self.group, Signal::SIGKILL);
        self.confinement.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process id belongs to the group until it was waited for, and the group to nobody else while a member lives.
        self.kill_group();
    }
}

/// Whatever becomes of the gateway, even by SIGKILL, the process ends with it.
#[expect(unsafe_code, reason = "what runs between fork and exec is outside of Rust's guarantees")]
fn prepare(command: &mut Command, confinement: &Confinement) {
    let memory = confinement.memory_by_rlimit();
    // SAFETY: only system calls that are safe after fork (async-signal-safe), no allocation, no lock.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            if let Some(bytes) = memory {
                nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_DATA, bytes, bytes)?;
            }
            Ok(())
        });
    }
}
