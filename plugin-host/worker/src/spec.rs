//! What a worker is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the replicas of a worker are started with. Equal specifications make equal workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSpec {
    /// The name in logs, `namespace/plugin`.
    pub name: String,
    /// Program and arguments; at least the program. `$PORT` and `$GW_SOCKET` in an argument are replaced by the place to
    /// listen on, and so are the other variables of [`Self::environment`].
    pub command: Vec<String>,
    /// The working directory.
    pub directory: PathBuf,
    /// Variables beside those every program needs (`PATH`, `HOME`, `LANG`, `TZ`, `TMPDIR`); nothing else of the gateway's own
    /// environment is passed on.
    pub environment: Vec<(String, String)>,
    /// Where a replica listens.
    pub listen: Listen,
    /// When a replica counts as ready.
    pub ready: Ready,
    /// How many replicas run; 1 to 256.
    pub replicas: usize,
    /// How long a replica may take to end after SIGTERM before its process group is killed.
    pub stop_grace: Duration,
    /// What one replica may use.
    pub limits: WorkerLimits,
}

/// Where a replica listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On a Unix socket in this directory, named in `$GW_SOCKET`. File permissions are the access control.
    UnixSocket(PathBuf),
    /// On a loopback port chosen by the system, named in `$PORT`. Any process of the machine can connect.
    Port,
}

/// When a replica counts as ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The path that must answer a GET with a status below 400; `None` when taking connections is enough.
    pub path: Option<String>,
    /// How long it may take from its start; later it is killed and started again.
    pub timeout: Duration,
}

/// What one replica, with the processes it starts, may use. Enforced by cgroup v2 where the gateway may make groups, else memory
/// by `RLIMIT_DATA` for each process, and CPU not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Thousandths of a core.
    pub cpu_millis: Option<u32>,
}

/// Where a ready replica can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WorkerAddress {
    /// A Unix socket.
    Unix(PathBuf),
    /// A loopback port.
    Tcp(SocketAddr),
}

/// A specification that cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is nothing to start.
    #[error("the command is empty")]
    NoCommand,
    /// The number of replicas is out of bounds.
    #[error("{0} replicas are not between 1 and 256")]
    Replicas(usize),
}

impl WorkerSpec {
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err(SpecError::NoCommand);
        }
        if !(1..=256).contains(&self.replicas) {
            return Err(SpecError::Replicas(self.replicas));
        }
        Ok(())
    }

    /// The command with `$NAME` and `${NAME}` replaced, where `variables` has the name; anything else stays as it is.
    pub(crate) fn expanded_command(&self, variables: &[(String, String)]) -> Vec<String> {
        self.command.iter().map(|argument| expand(argument, variables)).collect()
    }
}

fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = match after.strip_prefix('{') {
            Some(braced) => braced.find('}').map_or(("", 0), |end| (&braced[..end], end + 2)),
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match variables.iter().find(|(known, _)| !name.is_empty() && known == name) {
            Some((_, value)) => {
                expanded.push_str(value);
                rest = &after[length..];
            }
            None => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_variables_are_replaced_and_everything_else_stays() {
        let variables = [("PORT".to_owned(), "8123".to_owned()), ("DIR".to_owned(), "/p".to_owned())];
        for (text, expected) in [
            ("--port=$PORT", "--port=8123"),
            ("${DIR}/app:$PORT", "/p/app:8123"),
            ("$PORTAL $HOME $ ${", "$PORTAL $HOME $ ${"),
            ("a$$PORT", "a$8123"),
        ] {
            assert_eq!(expand(text, &variables), expected);
        }
    }
}
