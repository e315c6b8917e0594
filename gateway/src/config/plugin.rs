//! Plugins that run inside the gateway's process.

use super::backend::Backend;
use super::breaker::{Breaker, RawBreaker};
use super::learning::{Learning, LearningPlatform};
use super::problem::{ProblemList, ValuePath};
use super::units::{ByteSize, Span};
use super::worker::RawWorker;
use framex_plugin_package::{NoHost, OutboundHost};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A plugin of the namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{ "required": ["component"] }, { "required": ["package"] }, { "required": ["worker"] }])
)]
pub(super) struct RawPlugin {
    /// A WebAssembly component that exports `wasi:http/incoming-handler` 0.2, or `wasi:http/handler` 0.3 where
    /// `components.wasi_03` allows it; relative to this file. Either this, `package` or `worker` is needed.
    component: Option<PathBuf>,
    /// A plugin's package: a folder with `plugin.yaml`, or a file made by `plugin pack`; relative to this file. Limits that
    /// stand here come before those that the package asks for.
    package: Option<PathBuf>,
    /// What the package is told, checked against its own schema. An unknown key is an error.
    configuration: Option<serde_json::Value>,
    /// Variables of the plugin's environment; only those that the package's `permissions` name.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Whether the gateway may do without it: when it is not there or does not start, the `fallback` of its routes answers, with a
    /// warning in the log. Default: false, which makes it a problem of the configuration.
    #[serde(default)]
    optional: bool,
    /// A process of its own, for native Python and everything that cannot be a component. But for `requires`, the other settings
    /// of a plugin are for components; a worker has its own.
    worker: Option<RawWorker>,
    /// Lets an instance serve more than one call. Default: every call gets a fresh instance, so nothing that one call leaves
    /// in memory is seen by the next.
    reuse: Option<RawReuse>,
    /// What it may call, with the paths that callers outside use: a component at `http://<namespace>.framex.internal/<path>`, a
    /// worker at `$FRAMEX_GATEWAY_URL/<path>` or over the Unix socket `$FRAMEX_GATEWAY_SOCKET`, with the bearer token
    /// `$FRAMEX_GATEWAY_TOKEN`; `sdk/python` does it for Python and FrameX. Default: nothing.
    #[serde(default)]
    requires: Vec<RawRequirement>,
    /// Hosts outside that it may call. A package names its own, and what stands here is for a `component`. Default: none.
    #[serde(default)]
    permissions: RawOutbound,
    /// When it is left alone for a while because it fails. `{}` for the defaults. Default: never.
    breaker: Option<RawBreaker>,
    /// What one call may cost.
    #[serde(default)]
    limits: RawPluginLimits,
}

/// Hosts outside that a component may call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
struct RawOutbound {
    /// Each with its scheme and, where it is not the usual one, its port: `https://api.example.com`.
    outbound: Vec<String>,
    /// Whether they may be in private networks: loopback, link-local, 10.0.0.0/8 and the like. The platform team has to grant it
    /// (`namespaces.grants`). Default: false; a name that leads there is refused.
    private_networks: bool,
}

/// An API that a plugin calls.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawRequirement {
    /// Path, in the words of routes: `/api/v1/research/ask`, `/api/v1/research/{id}`, `/api/v1/research/**`.
    path: String,
    /// Methods. Default: every method.
    #[serde(default)]
    methods: Vec<String>,
}

/// How often an instance is used. It saves the start of an instance, which is most of the work of a small call and nearly all
/// where an interpreter has to start; the component must be made for it: with one that is not, the second call hangs
/// or sees what the first left behind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawReuse {
    /// Calls that one instance serves, one after the other. More hide a leak of memory for longer.
    calls: u32,
    /// How long an instance waits for its next call; it keeps its memory. Default: 30s.
    idle: Option<Span>,
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
    /// Most calls at once. Default: 64. Further calls wait.
    concurrency: Option<u32>,
    /// Most calls that wait, within their `timeout`. Default: 64; 0 for none. Further calls get 503 `busy`. Too large: a burst
    /// becomes a time of slow answers.
    queue: Option<u32>,
    /// Largest body of an answer. Default: 256MiB. A larger one is 502 `plugin_response` where its length is known, else it is
    /// cut.
    response_body: Option<ByteSize>,
    /// Most requests that one call sends to others. Default: 64; 0 for none. Further requests are denied.
    outgoing_calls: Option<u32>,
    /// Most elements of each table of the component (of functions, mostly). Default: 200000, which is also the most. A call
    /// that needs more ends with 502 `plugin_table`.
    table_elements: Option<u32>,
    /// Most output of one call that goes to the log. Default: 64KiB; at most 16MiB. The rest is dropped with one notice.
    log: Option<ByteSize>,
}

/// A plugin of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Its name in the namespace.
    pub name: String,
    /// The component file; empty for a package.
    pub component: PathBuf,
    /// Its package, instead of a component file.
    pub package: Option<PackageSource>,
    /// Whether the gateway may do without it.
    pub optional: bool,
    /// How often an instance is used.
    pub reuse: PluginReuse,
    /// Whether that was said, or is only the default.
    pub reuse_is_given: bool,
    /// The limits that were said.
    pub given: GivenLimits,
    /// What it may call.
    pub requires: Vec<Requirement>,
    /// Hosts outside that it may call.
    pub outbound: Outbound,
    /// When it is left alone for a while.
    pub breaker: Option<Breaker>,
    /// What one call may cost.
    pub limits: PluginLimits,
}

/// An API that a plugin calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The namespace whose it has to be; `None` for whose it is.
    pub namespace: Option<String>,
    /// Path pattern, as written.
    pub path: String,
    /// Method names, as written; none for every method.
    pub methods: Vec<String>,
}

/// Hosts outside that a component may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// The hosts.
    pub hosts: Vec<OutboundHost>,
    /// Whether they may be in private networks.
    pub private_networks: bool,
}

/// A plugin's package, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageSource {
    /// Folder or file.
    pub path: PathBuf,
    /// Its configuration, not checked yet.
    pub configuration: serde_json::Value,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
}

/// The limits that an operator said; what is missing is the package's to say, or the default.
pub type GivenLimits = framex_plugin_package::Limits;

/// How often an instance of a plugin is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginReuse {
    /// Calls that one instance serves; 1 for a fresh one each.
    pub calls: u32,
    /// How long it waits for the next.
    pub idle: Duration,
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
    /// Calls that may wait.
    pub queue: u32,
    /// Bytes of the body of an answer.
    pub response_body: u64,
    /// Requests that one call may send.
    pub outgoing_calls: u32,
    /// Elements of each table.
    pub table_elements: u32,
    /// Bytes of output of one call that go to the log.
    pub log: u64,
}

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST_CPU: Duration = Duration::from_secs(3_600);
const LONGEST_CALL: Duration = Duration::from_secs(86_400);
const DEFAULT_IDLE: Duration = Duration::from_secs(30);
const MOST_TABLE_ELEMENTS: u32 = 200_000;

/// What a plugin of the configuration is.
pub(super) enum PluginKind {
    /// A component in the process.
    Component(Plugin),
    /// A process of its own, reached like a network backend.
    Worker(Backend),
}

impl RawPlugin {
    /// Whether it is a process of its own.
    pub(super) fn is_worker(&self) -> bool {
        self.worker.is_some()
    }

    /// Takes out what is learnt of a worker, if anything; `path` is the plugin's.
    pub(super) fn validate_learning(
        &mut self,
        name: &str,
        path: &ValuePath,
        platform: LearningPlatform<'_>,
        problems: &mut ProblemList,
    ) -> Option<Learning> {
        self.worker.as_mut()?.validate_learning(name, &path.key("worker"), platform, problems)
    }

    pub(super) fn validate(self, name: &str, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> PluginKind {
        let Self {
            component,
            package,
            configuration,
            environment,
            optional,
            worker,
            reuse,
            requires,
            permissions,
            breaker,
            limits,
        } = self;
        let breaker = breaker.map(|breaker| breaker.validate(&path.key("breaker"), problems));
        if let Some(worker) = worker {
            let for_components = [
                ("component", component.is_some()),
                ("package", package.is_some()),
                ("configuration", configuration.is_some()),
                ("environment", !environment.is_empty()),
                ("optional", optional),
                ("reuse", reuse.is_some()),
                ("permissions", permissions != RawOutbound::default()),
                ("limits", !limits.is_empty()),
            ];
            for (key, is_there) in for_components {
                if is_there {
                    problems.report(path.key(key), "is for components, and this plugin is a `worker`");
                }
            }
            let mut worker = worker.validate(&path.key("worker"), base, problems);
            worker.requires = validate_requires(requires);
            return PluginKind::Worker(Backend { breaker, ..Backend::of_worker(name, worker) });
        }
        match (&component, &package) {
            (None, None) => {
                problems.report_absence(&path.key("component"), "a `component`, a `package` or a `worker` is needed");
            }
            (Some(_), Some(_)) => {
                problems.report(path.key("component"), "stands beside a `package`; leave out one of the two")
            }
            (Some(_), None) => {
                for (key, is_there) in
                    [("configuration", configuration.is_some()), ("environment", !environment.is_empty())]
                {
                    if is_there {
                        problems.report(path.key(key), "is for a `package`, which says what it takes");
                    }
                }
            }
            (None, Some(_)) if permissions != RawOutbound::default() => {
                problems.report(path.key("permissions"), "is said by the package itself");
            }
            (None, Some(_)) if !requires.is_empty() => {
                problems.report(path.key("requires"), "is said by the package itself");
            }
            (None, Some(_)) => {}
        }
        let package = package.map(|path| PackageSource {
            path: base.join(path),
            configuration: configuration.unwrap_or(serde_json::Value::Null),
            environment: environment.into_iter().collect(),
        });
        PluginKind::Component(Plugin {
            name: name.to_owned(),
            component: component.map(|file| base.join(file)).unwrap_or_default(),
            package,
            optional,
            reuse_is_given: reuse.is_some(),
            given: limits.given(),
            reuse: validate_reuse(reuse.as_ref(), &path.key("reuse"), problems),
            requires: validate_requires(requires),
            breaker,
            outbound: permissions.validate(&path.key("permissions"), problems),
            limits: limits.validate(&path.key("limits"), problems),
        })
    }
}

impl RawOutbound {
    fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Outbound {
        let mut hosts = Vec::with_capacity(self.outbound.len());
        for (index, text) in self.outbound.iter().enumerate() {
            match text.parse() {
                Ok(host) => hosts.push(host),
                Err(error) => problems.report(path.key("outbound").index(index), NoHost::to_string(&error)),
            }
        }
        Outbound { hosts, private_networks: self.private_networks }
    }
}

fn validate_requires(requires: Vec<RawRequirement>) -> Vec<Requirement> {
    requires
        .into_iter()
        .map(|RawRequirement { path, methods }| Requirement { namespace: None, path, methods })
        .collect()
}

fn validate_reuse(reuse: Option<&RawReuse>, path: &ValuePath, problems: &mut ProblemList) -> PluginReuse {
    let Some(&RawReuse { calls, idle }) = reuse else { return PluginReuse { calls: 1, idle: DEFAULT_IDLE } };
    if calls == 0 {
        problems.report(path.key("calls"), "an instance serves at least 1 call");
    }
    let idle = idle.map_or(DEFAULT_IDLE, |idle| idle.0);
    if !(Duration::from_secs(1)..=LONGEST_CALL).contains(&idle) {
        problems.report(path.key("idle"), "must be between 1s and 24h");
    }
    PluginReuse { calls, idle }
}

impl PluginLimits {
    /// The limits where an operator said `given` and a package asks for `asked`.
    #[must_use]
    pub fn of(given: &GivenLimits, asked: &GivenLimits) -> Self {
        Self {
            memory: given.memory.or(asked.memory).unwrap_or(64 << 20),
            cpu: given.cpu.or(asked.cpu).unwrap_or(Duration::from_secs(1)),
            timeout: given.timeout.or(asked.timeout).unwrap_or(Duration::from_secs(30)),
            concurrency: given.concurrency.or(asked.concurrency).unwrap_or(64),
            queue: given.queue.or(asked.queue).unwrap_or(64),
            response_body: given.response_body.or(asked.response_body).unwrap_or(256 << 20),
            outgoing_calls: given.outgoing_calls.or(asked.outgoing_calls).unwrap_or(64),
            table_elements: given.table_elements.or(asked.table_elements).unwrap_or(MOST_TABLE_ELEMENTS),
            log: given.log.or(asked.log).unwrap_or(64 << 10),
        }
    }
}

impl RawPluginLimits {
    fn given(&self) -> GivenLimits {
        let Self { memory, cpu, timeout, concurrency, queue, response_body, outgoing_calls, table_elements, log } =
            self;
        GivenLimits {
            memory: memory.map(|size| size.0),
            cpu: cpu.map(|span| span.0),
            timeout: timeout.map(|span| span.0),
            concurrency: *concurrency,
            queue: *queue,
            response_body: response_body.map(|size| size.0),
            table_elements: *table_elements,
            outgoing_calls: *outgoing_calls,
            log: log.map(|size| size.0),
        }
    }

    fn is_empty(&self) -> bool {
        self.given() == GivenLimits::default()
    }

    fn validate(&self, path: &ValuePath, problems: &mut ProblemList) -> PluginLimits {
        let limits = PluginLimits::of(&self.given(), &GivenLimits::default());
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
        if limits.queue > 65_536 {
            problems.report(path.key("queue"), "must be between 0 and 65536");
        }
        if limits.response_body == 0 {
            problems.report(path.key("response_body"), "must be at least 1 byte");
        }
        if !(1..=MOST_TABLE_ELEMENTS).contains(&limits.table_elements) {
            problems.report(path.key("table_elements"), "must be between 1 and 200000");
        }
        if limits.log > 16 << 20 {
            problems.report(path.key("log"), "must be between 0 and 16MiB");
        }
        limits
    }
}
