//! A plugin that is a program of its own.

use super::units::{Sense, Span};
use crate::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A program that the gateway starts and supervises, and that serves HTTP/1.1.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorker {
    /// The program and its arguments; no shell reads them. It starts in the folder of the package.
    #[schemars(length(min = 1, max = 256))]
    command: Vec<String>,
    /// How it shows that it can serve.
    #[serde(default)]
    ready: RawReady,
    /// Where it listens: `socket`, a Unix socket whose path the gateway gives it, or `port`, a loopback port in `$PORT`.
    /// Default: `socket`, which nobody else can reach and which is faster.
    listen: Option<RawListen>,
    /// Processes that share the calls. Default: 1. Each has its own memory.
    #[schemars(range(min = 1, max = 64))]
    replicas: Option<u32>,
}

/// How a worker shows that it can serve.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RawReady {
    /// The path that answers 2xx to GET once the worker can serve. Default: `/health`.
    path: Option<String>,
    /// How long that may take after the start, 1s to 1h. Default: 30s. A worker that is not ready by then is ended.
    timeout: Option<Span>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RawListen {
    Socket,
    Port,
}

/// A program that the gateway starts and supervises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// The program and its arguments; at least the program.
    pub command: Vec<String>,
    /// How it shows that it can serve.
    pub ready: Ready,
    /// Where it listens.
    pub listen: Listen,
    /// Processes, 1 to 64.
    pub replicas: u32,
}

/// How a worker shows that it can serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// The path that answers 2xx to GET; begins with `/`.
    pub path: String,
    /// How long that may take after the start.
    #[serde(rename = "timeout_ms", serialize_with = "super::limits::as_milliseconds")]
    pub timeout: Duration,
}

/// Where a worker listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// On a Unix socket whose path the gateway gives it.
    Socket,
    /// On a loopback port that the gateway gives it in `$PORT`.
    Port,
}

const READY_TIMES: Sense<Duration> =
    Sense { range: Duration::from_secs(1)..=Duration::from_secs(3_600), words: "between 1s and 1h" };

impl RawWorker {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Worker {
        let Self { command, ready, listen, replicas } = self;
        for (index, word) in command.iter().enumerate() {
            if word.contains('\0') {
                problems.report(path.key("command").index(index), "a word of a command has no zero byte");
            } else if index == 0 && word.is_empty() {
                problems.report(path.key("command").index(index), "must name a program");
            }
        }
        Worker {
            command,
            ready: ready.validate(&path.key("ready"), problems),
            listen: match listen {
                Some(RawListen::Port) => Listen::Port,
                Some(RawListen::Socket) | None => Listen::Socket,
            },
            replicas: replicas.unwrap_or(1),
        }
    }
}

impl RawReady {
    fn validate(self, at: &ValuePath, problems: &mut ProblemList) -> Ready {
        let Self { path, timeout } = self;
        let path = path.unwrap_or_else(|| "/health".to_owned());
        if !path.starts_with('/') || path.bytes().any(|byte| !byte.is_ascii_graphic()) {
            problems.report(at.key("path"), format!("`{path}` is no path; it begins with `/` and has no spaces"));
        }
        let timeout = timeout.and_then(|timeout| timeout.validate(&at.key("timeout"), &READY_TIMES, problems));
        Ready { path, timeout: timeout.unwrap_or(Duration::from_secs(30)) }
    }
}
