//! Plugins that run inside the gateway's process.

use super::problem::{ProblemList, ValuePath};
use super::units::{ByteSize, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A plugin of the namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawPlugin {
    /// A WebAssembly component that exports `wasi:http/incoming-handler` 0.2; relative to this file.
    component: PathBuf,
    /// What one call may cost.
    #[serde(default)]
    limits: RawPluginLimits,
}

/// What one call of a plugin may cost.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawPluginLimits {
    /// Most memory of one instance. Default: 64MiB. A call that wants more ends with 502 `plugin_memory`.
    memory: Option<ByteSize>,
    /// Most CPU time of one call. Default: 1s; measured in steps of 10 ms. A call that uses more ends with 504 `plugin_cpu`.
    cpu: Option<Span>,
    /// Longest time of one call until the end of its answer. Default: 30s. Later: 504 `plugin_timeout`.
    timeout: Option<Span>,
    /// Most calls at once. Default: 64. Further calls get 503 `busy`.
    concurrency: Option<u32>,
}

/// A plugin of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Its name in the namespace.
    pub name: String,
    /// The component file.
    pub component: PathBuf,
    /// What one call may cost.
    pub limits: PluginLimits,
}

/// What one call of a plugin may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// Bytes of linear memory of one instance.
    pub memory: u64,
    /// CPU time of one call.
    pub cpu: Duration,
    /// Time of one call until the end of its answer.
    pub timeout: Duration,
    /// Calls at once.
    pub concurrency: u32,
}

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST_CPU: Duration = Duration::from_secs(3_600);
const LONGEST_CALL: Duration = Duration::from_secs(86_400);

impl RawPlugin {
    pub(super) fn validate(self, name: &str, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Plugin {
        let Self { component, limits } = self;
        Plugin {
            name: name.to_owned(),
            component: base.join(component),
            limits: limits.validate(&path.key("limits"), problems),
        }
    }
}

impl RawPluginLimits {
    fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> PluginLimits {
        let Self { memory, cpu, timeout, concurrency } = self;
        let limits = PluginLimits {
            memory: memory.map_or(64 << 20, |size| size.0),
            cpu: cpu.map_or(Duration::from_secs(1), |span| span.0),
            timeout: timeout.map_or(Duration::from_secs(30), |span| span.0),
            concurrency: concurrency.unwrap_or(64),
        };
        if !(1 << 20..=4 << 30).contains(&limits.memory) {
            problems
                .report(path.key("memory"), "must be between 1MiB and 4GiB, the most a 32-bit component can address");
        }
        let times = [("cpu", limits.cpu, LONGEST_CPU, "1h"), ("timeout", limits.timeout, LONGEST_CALL, "24h")];
        for (key, time, longest, longest_text) in times {
            if !(SHORTEST..=longest).contains(&time) {
                let message = format!("must be between 10ms, the step in which time is measured, and {longest_text}");
                problems.report(path.key(key), message);
            }
        }
        if !(1..=65_536).contains(&limits.concurrency) {
            problems.report(path.key("concurrency"), "must be between 1 and 65536");
        }
        limits
    }
}
