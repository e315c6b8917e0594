//! `gateway.yaml`: what belongs to the platform team.

use super::api_key::{ApiKey, RawApiKey, RawDialect, validate_keys};
use super::backend::{Backend, RawBackend};
use super::caching::{CacheRoom, RawCacheRoom};
use super::documentation::{Documentation, RawDocumentation};
use super::grant::{Grants, RawGrant, validate_grants};
use super::issuer::{Issuer, RawIssuer};
use super::listener::{ConnectionLimits, Listener, NO_ADDRESS, RawConnectionLimits, RawListener, parse_address};
use super::node::Needed;
use super::problem::{ProblemList, Spot, ValuePath};
use super::rewrite::{RawRewrite, Rewrite};
use super::shared_limits::{RawRedis, Redis};
use super::shedding::{RawShedding, Shedding};
use super::units::{ByteSize, Span};
use crate::request::Dialect;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The platform team's configuration of FrameX Gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawGateway {
    /// Where clients are served. A change needs a restart.
    listeners: Needed<Vec<RawListener>>,
    /// The second listener with metrics, health and the admin API. Keep it off the public network. A change needs a restart.
    admin: Needed<RawAdmin>,
    /// Threads that serve requests. Default: one per core; at most 1024. A change needs a restart.
    threads: Option<usize>,
    /// What one client connection may cost. A change needs a restart.
    #[serde(default)]
    connections: RawConnectionLimits,
    /// Addresses or networks of proxies in front of this gateway whose `X-Forwarded-For` and `X-Forwarded-Proto` are
    /// believed. Default: none, so that no client can choose its own address.
    #[serde(default)]
    trusted_proxies: Vec<String>,
    /// Who may sign tokens, by a name of your choice.
    #[serde(default)]
    issuers: BTreeMap<String, RawIssuer>,
    /// Static keys of callers that cannot get tokens, by a name of your choice.
    #[serde(default)]
    keys: BTreeMap<String, RawApiKey>,
    /// Where the teams' files are and what each team owns.
    #[serde(default)]
    namespaces: RawNamespaces,
    /// The runtime of WebAssembly plugins. A change needs a restart.
    #[serde(default)]
    components: RawComponents,
    /// Who answers what plugins call and no route here does: a remote FrameX instance, another gateway, any HTTP service that has
    /// the same paths. Default: nobody.
    remote: Option<RawRemote>,
    /// In which words the gateway's own answers speak where neither the caller's key nor the route says it: `http` (the true
    /// status with problem details), `framex`, or `auto`. Default: http.
    dialect: Option<RawDialect>,
    /// What is learnt of backends (`openapi:`). A change needs a restart.
    #[serde(default)]
    learning: RawKeptLearning,
    /// The gateway's own OpenAPI document.
    #[serde(default)]
    documentation: RawDocumentation,
    /// How much room kept answers have (`cache` of routes). A change needs a restart.
    #[serde(default)]
    cache: RawCacheRoom,
    /// Whom to ask for the names of backends. A change needs a restart.
    #[serde(default)]
    dns: RawDns,
    /// Where several gateways count together what has `shared: true`. Default: nowhere. A change needs a restart.
    redis: Option<RawRedis>,
    /// When the less important requests are refused, so that the process stays alive for the others. Default: never. A change
    /// needs a restart.
    #[serde(default)]
    shedding: RawShedding,
    /// Logs.
    #[serde(default)]
    telemetry: RawTelemetry,
    /// How the gateway stops.
    #[serde(default)]
    shutdown: RawShutdown,
}

/// Name servers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Dns")]
struct RawDns {
    /// IP addresses of name servers, with a port where it is not 53. Default: those of the system (`/etc/resolv.conf`), beside
    /// `/etc/hosts`. Where some are given, those of the system are not asked.
    servers: Vec<String>,
}

fn validate_servers(servers: &[String], path: &ValuePath, problems: &mut ProblemList) -> Vec<SocketAddr> {
    let mut addresses = Vec::with_capacity(servers.len());
    for (index, text) in servers.iter().enumerate() {
        match text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53))) {
            Ok(address) => addresses.push(address),
            Err(_) => problems.report(path.index(index), format!("`{text}` is no IP address of a name server")),
        }
    }
    addresses
}

/// The admin listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawAdmin {
    /// IP address and port, like `127.0.0.1:9090`. It has no access control of its own: whoever reaches it may reload.
    address: String,
}

/// The remote that answers what nothing here does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRemote {
    /// Where it is.
    to: RawBackend,
    /// What changes on the way. Another gateway wants a token:
    /// `request_headers: { set: { Authorization: "Bearer ${REMOTE_TOKEN}" } }`.
    #[serde(default)]
    rewrite: RawRewrite,
}

/// The teams' files and what each team owns.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawNamespaces {
    /// Folder with one `<namespace>.yaml` per team; relative to this file. Default: `namespaces`.
    directory: Option<PathBuf>,
    /// What a namespace owns, where it differs from the default `/api/v1/<namespace>/` on any host.
    grants: BTreeMap<String, RawGrant>,
}

/// The runtime of WebAssembly plugins.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawComponents {
    /// Threads that run plugins. Default: one per core; at most 1024.
    threads: Option<usize>,
    /// Low-priority threads to which a call is moved once it has used 30 ms of CPU. Default: one per core; at most 1024.
    heavy_threads: Option<usize>,
    /// Most plugin instances alive at once. Default: 1000.
    instances: Option<u32>,
    /// Largest memory limit any namespace may give a plugin. Default: 512MiB.
    largest_memory: Option<ByteSize>,
    /// Whether plugins of `wasi:http` 0.3 are accepted besides 0.2. Default: false. wasmtime calls its support experimental
    /// and may not mend flaws in it within a release.
    wasi_03: Option<bool>,
    /// Folder, relative to this file, where compiled plugins are kept, so that they are not compiled at every start. It is made
    /// with mode 0700; whoever can write to it can run code in the gateway. Default: none.
    cache_directory: Option<PathBuf>,
}

/// What is learnt of backends.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawKeptLearning {
    /// Folder, relative to this file, where the last good OpenAPI documents of backends are kept, so that a gateway that starts while
    /// one is away knows its endpoints. Default: none: they are kept in memory only.
    directory: Option<PathBuf>,
}

/// Logs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawTelemetry {
    /// Where the access log goes. Default: stdout.
    access_log: Option<RawAccessLog>,
    /// Level of the gateway's own log on stderr: error, warn, info, debug or trace. Default: info.
    level: Option<RawLevel>,
}

/// Where the access log goes: one JSON object per request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAccessLog {
    /// To standard output.
    Stdout,
    /// Nowhere.
    Off,
    /// Appended to this file; relative to this configuration file. SIGHUP opens it anew (log rotation).
    File(PathBuf),
}

/// A log level.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawLevel {
    /// Someone should act.
    Error,
    /// The gateway coped.
    Warn,
    /// Reloads, starts, stops.
    Info,
    /// For finding a fault.
    Debug,
    /// Everything.
    Trace,
}

/// How the gateway stops on SIGTERM or SIGINT.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawShutdown {
    /// Longest time that running requests get to finish; an idle gateway stops at once. Default: 30s.
    grace: Option<Span>,
    /// How long `/readyz` says "not ready" before the listeners close, for load balancers to notice. Default: 0s.
    delay: Option<Span>,
}

/// The platform team's part of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// Where clients are served; at least one.
    pub listeners: Vec<Listener>,
    /// Address of the admin listener.
    pub admin: SocketAddr,
    /// Threads that serve requests; `None` for one per core.
    pub threads: Option<usize>,
    /// What one client connection may cost.
    pub connections: ConnectionLimits,
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Who may sign tokens.
    pub issuers: Vec<Issuer>,
    /// Static keys of callers.
    pub keys: Vec<ApiKey>,
    /// Folder with the teams' files.
    pub namespace_directory: PathBuf,
    /// What each namespace owns, where the platform team said so.
    pub grants: Grants,
    /// The runtime of WebAssembly plugins.
    pub components: Components,
    /// Who answers what plugins call and no route here does.
    pub remote: Option<Remote>,
    /// In which words the gateway's own answers speak where nothing else says it.
    pub dialect: Dialect,
    /// Where the last good OpenAPI documents of backends are kept.
    pub learnt_directory: Option<PathBuf>,
    /// The gateway's own OpenAPI document.
    pub documentation: Documentation,
    /// How much room kept answers have.
    pub cache: CacheRoom,
    /// Name servers to ask; empty for those of the system.
    pub dns: Vec<SocketAddr>,
    /// Where gateways count together.
    pub redis: Option<Redis>,
    /// When the less important requests are refused.
    pub shedding: Shedding,
    /// Where the access log goes.
    pub access_log: AccessLog,
    /// Level of the gateway's own log.
    pub level: &'static str,
    /// Longest time that running requests get to finish.
    pub shutdown_grace: Duration,
    /// How long `/readyz` says "not ready" before the listeners close.
    pub shutdown_delay: Duration,
}

/// The runtime of WebAssembly plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    /// Threads that run plugins; `None` for one per core.
    pub threads: Option<usize>,
    /// Low-priority threads for long calls; `None` for one per core.
    pub heavy_threads: Option<usize>,
    /// Most plugin instances alive at once.
    pub instances: u32,
    /// Largest memory limit of one plugin, in bytes.
    pub largest_memory: u64,
    /// Whether plugins of `wasi:http` 0.3 are accepted.
    pub wasi_03: bool,
    /// Where compiled plugins are kept.
    pub cache_directory: Option<PathBuf>,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// Nowhere.
    Off,
    /// Appended to a file.
    File(PathBuf),
}

/// The remote that answers what nothing here does.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    /// Where it is.
    pub backend: Backend,
    /// What changes on the way.
    pub rewrite: Rewrite,
}

impl Gateway {
    /// Puts what only a restart changes back to what `running` was started with, and says which settings differed.
    pub fn hold_back(&mut self, running: &Self) -> Vec<&'static str> {
        let mut waiting = Vec::new();
        let mut note = |differs: bool, what: &'static str| {
            if differs && !waiting.contains(&what) {
                waiting.push(what);
            }
        };
        note(take_over(&mut self.listeners, &running.listeners), "listeners");
        note(take_over(&mut self.admin, &running.admin), "admin");
        note(take_over(&mut self.threads, &running.threads), "threads");
        note(take_over(&mut self.connections, &running.connections), "connections");
        note(take_over(&mut self.components, &running.components), "components");
        note(take_over(&mut self.cache, &running.cache), "cache");
        note(take_over(&mut self.dns, &running.dns), "dns");
        note(take_over(&mut self.redis, &running.redis), "redis");
        note(take_over(&mut self.shedding, &running.shedding), "shedding");
        note(take_over(&mut self.learnt_directory, &running.learnt_directory), "learning");
        note(take_over(&mut self.access_log, &running.access_log), "telemetry");
        note(take_over(&mut self.level, &running.level), "telemetry");
        waiting
    }
}

/// Whether the setting was another one.
fn take_over<T: Clone + PartialEq>(setting: &mut T, running: &T) -> bool {
    let differs = setting != running;
    if differs {
        setting.clone_from(running);
    }
    differs
}

impl RawGateway {
    /// Checks everything that can be checked without touching the world. `base` is the folder of the file.
    ///
    /// Returns what could be understood even when problems were reported, so that the teams' files can be checked
    /// against it. Nothing is started from it then.
    pub(super) fn validate(self, base: &Path, problems: &mut ProblemList) -> Gateway {
        let Self {
            listeners: Needed(listeners),
            admin: Needed(admin),
            threads,
            connections,
            trusted_proxies,
            issuers,
            keys,
            namespaces: RawNamespaces { directory, grants },
            components,
            remote,
            dialect,
            learning: RawKeptLearning { directory: learnt_directory },
            documentation,
            cache,
            dns: RawDns { servers },
            redis,
            shedding,
            telemetry: RawTelemetry { access_log, level },
            shutdown: RawShutdown { grace, delay },
        } = self;
        let root = ValuePath::default();
        match &listeners {
            None => problems.report_missing(&root, "listeners"),
            Some(listeners) if listeners.is_empty() => {
                problems.report_absence(&root.key("listeners"), "name at least one listener");
            }
            Some(_) => {}
        }
        let threads = check_threads(threads, &root.key("threads"), problems);
        let admin = match admin {
            Some(RawAdmin { address }) => parse_address(&address, &root.key("admin").key("address"), problems),
            None => {
                problems.report_missing(&root, "admin");
                None
            }
        };
        let listeners =
            validate_listeners(listeners.unwrap_or_default(), admin, base, &root.key("listeners"), problems);
        let connections = connections.validate(&root.key("connections"), problems);
        if !keys.is_empty() && issuers.contains_key("keys") {
            let message = "access rules call the issuer of static keys `keys`; give this issuer another name";
            problems.report_at(root.key("issuers").key("keys"), Spot::Key, message);
        }
        let trusted_proxies = validate_networks(&trusted_proxies, &root.key("trusted_proxies"), problems);
        let issuers: Vec<Issuer> = issuers
            .into_iter()
            .map(|(name, raw)| raw.validate(&name, &root.key("issuers").key(name.clone()), base, problems))
            .collect();
        let grants = validate_grants(grants, &root.key("namespaces").key("grants"), problems);
        let components = components.validate(&root.key("components"), base, problems);
        Gateway {
            listeners,
            admin: admin.unwrap_or(NO_ADDRESS),
            threads,
            connections,
            trusted_proxies,
            issuers,
            keys: validate_keys(keys, &root.key("keys"), problems),
            namespace_directory: base.join(directory.unwrap_or_else(|| PathBuf::from("namespaces"))),
            grants,
            components,
            remote: remote.map(|raw| raw.validate(&root.key("remote"), base, problems)),
            dialect: dialect.map(RawDialect::validate).unwrap_or_default(),
            learnt_directory: learnt_directory.map(|directory| base.join(directory)),
            documentation: documentation.validate(),
            cache: cache.validate(&root.key("cache"), problems),
            dns: validate_servers(&servers, &root.key("dns").key("servers"), problems),
            shedding: shedding.validate(&root.key("shedding"), problems),
            redis: redis.map(|redis| redis.validate(&root.key("redis"), base, problems)),
            access_log: match access_log {
                None | Some(RawAccessLog::Stdout) => AccessLog::Stdout,
                Some(RawAccessLog::Off) => AccessLog::Off,
                Some(RawAccessLog::File(file)) => AccessLog::File(base.join(file)),
            },
            level: match level.unwrap_or(RawLevel::Info) {
                RawLevel::Error => "error",
                RawLevel::Warn => "warn",
                RawLevel::Info => "info",
                RawLevel::Debug => "debug",
                RawLevel::Trace => "trace",
            },
            shutdown_grace: grace.map_or(Duration::from_secs(30), |span| span.0),
            shutdown_delay: delay.map_or(Duration::ZERO, |span| span.0),
        }
    }
}

fn validate_listeners(
    raw: Vec<RawListener>,
    admin: Option<SocketAddr>,
    base: &Path,
    path: &ValuePath,
    problems: &mut ProblemList,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let path = path.index(index);
        let listener = raw.validate(&path, base, problems);
        // Port 0 is another port each time.
        let is_taken_by = |address: SocketAddr| address == listener.address && address.port() != 0;
        if admin.is_some_and(is_taken_by) {
            problems.report(path.key("address"), "the admin listener has this address already");
        }
        if listeners.iter().any(|other| is_taken_by(other.address)) {
            problems.report(path.key("address"), "another listener has this address already");
        }
        listeners.push(listener);
    }
    listeners
}

/// More threads than any machine has cores; far more cannot be started at all.
const MOST_THREADS: usize = 1_024;

fn check_threads(threads: Option<usize>, path: &ValuePath, problems: &mut ProblemList) -> Option<usize> {
    let is_right = threads.is_none_or(|threads| (1..=MOST_THREADS).contains(&threads));
    if !is_right {
        problems.report(path.clone(), format!("must be between 1 and {MOST_THREADS}; leave it out for one per core"));
    }
    threads.filter(|_| is_right)
}

/// The most a 32-bit component can address.
const LARGEST_MEMORY: u64 = 4 << 30;

impl RawRemote {
    fn validate(self, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Remote {
        let Self { mut to, rewrite } = self;
        Remote {
            backend: {
                to.refuse_learning(&path.key("to"), problems);
                to.validate("remote", &path.key("to"), base, problems)
            },
            rewrite: rewrite.validate(&path.key("rewrite"), "/", problems),
        }
    }
}

impl RawComponents {
    fn validate(self, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Components {
        let Self { threads, heavy_threads, instances, largest_memory, wasi_03, cache_directory } = self;
        let threads = check_threads(threads, &path.key("threads"), problems);
        let heavy_threads = check_threads(heavy_threads, &path.key("heavy_threads"), problems);
        let instances = instances.unwrap_or(1_000);
        if !(1..=10_000).contains(&instances) {
            problems.report(path.key("instances"), "must be between 1 and 10000: each reserves address space");
        }
        let largest_memory = match largest_memory {
            Some(size) => size.0,
            // A limit that could not be read refuses no plugin.
            None if problems.is_lost(&path.key("largest_memory")) => LARGEST_MEMORY,
            None => 512 << 20,
        };
        if !(1 << 20..=LARGEST_MEMORY).contains(&largest_memory) {
            problems.report(
                path.key("largest_memory"),
                "must be between 1MiB and 4GiB, the most a 32-bit component can address",
            );
        }
        Components {
            threads,
            heavy_threads,
            instances,
            largest_memory: largest_memory.min(LARGEST_MEMORY),
            wasi_03: wasi_03.unwrap_or(false),
            cache_directory: cache_directory.map(|directory| base.join(directory)),
        }
    }
}

fn validate_networks(texts: &[String], path: &ValuePath, problems: &mut ProblemList) -> Vec<ipnet::IpNet> {
    let mut networks = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let network = text.parse::<ipnet::IpNet>().or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from));
        match network {
            Ok(network) => networks.push(network),
            Err(_) => problems.report(
                path.index(index),
                format!("`{text}` is neither an IP address nor a network like `10.0.0.0/8`"),
            ),
        }
    }
    networks
}
