//! Plugins that are processes of their own, started and watched by the gateway.

use super::learning::{Learning, LearningPlatform, RawLearning};
use super::plugin::Requirement;
use super::problem::{ProblemList, ValuePath};
use super::units::{ByteSize, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A command that the gateway keeps running: a FrameX plugin module, an ASGI application, any server that speaks HTTP/1.1.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawWorker {
    /// Program and arguments. `$GW_SOCKET` or `$PORT` in them, without braces, is where the worker has to listen; both are in its
    /// environment, too.
    command: Vec<String>,
    /// Working directory, relative to this file. Default: the folder of this file.
    directory: Option<PathBuf>,
    /// Variables of its environment. Beside them it has only `PATH`, `HOME`, `LANG`, `TZ` and `TMPDIR` of the gateway's own.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Where it listens: `socket`, a Unix socket that only the gateway's user can connect to, or `port`, a loopback port that any
    /// process of the machine can. Default: socket.
    listen: Option<RawListen>,
    /// When it counts as ready. Default: as soon as it takes connections.
    #[serde(default)]
    ready: RawReady,
    /// How many processes run. Default: 1; at most 256.
    replicas: Option<usize>,
    /// How long a process may take to end after SIGTERM before it is killed with everything it has started. Default: 10s.
    stop_grace: Option<Span>,
    /// Most memory of one process and those it starts. Default: no limit. Enforced by cgroup v2 where the gateway may make groups,
    /// else for each process by RLIMIT_DATA.
    memory: Option<ByteSize>,
    /// Most CPU of one process and those it starts, in cores. Default: no limit. Needs cgroup v2.
    cpus: Option<f64>,
    /// Longest silence, of a whole answer or within it. Default: 60s. A route's `timeout` takes precedence.
    silence: Option<Span>,
    /// Where its OpenAPI document is: its endpoints are learnt from there, as of a backend. Those of a FrameX plugin module are at
    /// `{ path: /api/v1/openapi.json, at: / }`.
    openapi: Option<RawLearning>,
}

/// Where a worker listens.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RawListen {
    /// On a Unix socket.
    Socket,
    /// On a loopback port.
    Port,
}

/// When a worker counts as ready.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
struct RawReady {
    /// Path that must answer a GET with a status of 200 to 399.
    path: Option<String>,
    /// How long it may take from its start; later it is started again. Default: 30s.
    timeout: Option<Span>,
}

/// A command that the gateway keeps running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Working directory.
    pub directory: PathBuf,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Whether it listens on a loopback port instead of a Unix socket.
    pub on_port: bool,
    /// Path that must answer before it gets requests.
    pub ready_path: Option<String>,
    /// How long it may take to get ready.
    pub ready_timeout: Duration,
    /// How many processes run.
    pub replicas: usize,
    /// How long a process may take to end.
    pub stop_grace: Duration,
    /// Bytes of memory of one process.
    pub memory: Option<u64>,
    /// Thousandths of a core of one process.
    pub cpu_millis: Option<u32>,
    /// Longest silence.
    pub silence: Duration,
    /// What it may call.
    pub requires: Vec<Requirement>,
}

impl Worker {
    /// How long a process may take to end when nothing is said.
    pub const STOP_GRACE: Duration = Duration::from_secs(10);
    /// The longest silence when nothing is said.
    pub const SILENCE: Duration = Duration::from_secs(60);
}

impl RawWorker {
    /// Takes out what is learnt of the worker, if anything; `path` is the worker's.
    pub(super) fn validate_learning(
        &mut self,
        name: &str,
        path: &ValuePath,
        platform: LearningPlatform<'_>,
        problems: &mut ProblemList,
    ) -> Option<Learning> {
        let raw = self.openapi.take()?;
        Some(raw.validate(name, false, &path.key("openapi"), platform, problems))
    }

    pub(super) fn validate(self, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Worker {
        let Self {
            command,
            directory,
            environment,
            listen,
            ready,
            replicas,
            stop_grace,
            memory,
            cpus,
            silence,
            openapi: _,
        } = self;
        if command.first().is_none_or(String::is_empty) {
            problems.report(path.key("command"), "names no program; write `[program, argument, …]`");
        }
        let on_port = matches!(listen, Some(RawListen::Port));
        let place = if on_port { "$PORT" } else { "$GW_SOCKET" };
        let other = if on_port { "$GW_SOCKET" } else { "$PORT" };
        if command.iter().any(|argument| argument.contains(other)) {
            let message = format!("`{other}` is not given to this worker; it listens at `{place}`, see `listen`");
            problems.report(path.key("command"), message);
        }
        for name in environment.keys() {
            if name.is_empty() || name.contains(['=', '\0']) {
                problems.report(path.key("environment").key(name.clone()), "is no name of a variable");
            }
        }
        let RawReady { path: ready_path, timeout } = ready;
        if ready_path.as_ref().is_some_and(|text| !text.starts_with('/') || text.contains([' ', '\r', '\n'])) {
            problems.report(path.key("ready").key("path"), "must be a path that starts with `/`");
        }
        let replicas = replicas.unwrap_or(1);
        if !(1..=256).contains(&replicas) {
            problems.report(path.key("replicas"), "must be between 1 and 256");
        }
        if cpus.is_some_and(|cpus| !(0.01..=1024.0).contains(&cpus)) {
            problems.report(path.key("cpus"), "must be between 0.01 and 1024 cores");
        }
        if memory.is_some_and(|memory| memory.0 < 1 << 20) {
            problems.report(path.key("memory"), "must be at least 1MiB");
        }
        let silence = silence.map_or(Worker::SILENCE, |span| span.0);
        if silence.is_zero() {
            problems.report(path.key("silence"), "0 would end every answer; the least is 1ms");
        }
        Worker {
            command,
            directory: directory.map_or_else(|| base.to_owned(), |directory| base.join(directory)),
            environment: environment.into_iter().collect(),
            on_port,
            ready_path,
            ready_timeout: timeout.map_or(Duration::from_secs(30), |span| span.0),
            replicas,
            stop_grace: stop_grace.map_or(Worker::STOP_GRACE, |span| span.0),
            memory: memory.map(|memory| memory.0),
            cpu_millis: cpus.map(|cpus| (cpus * 1000.0) as u32),
            silence,
            // Said beside it.
            requires: Vec::new(),
        }
    }
}
