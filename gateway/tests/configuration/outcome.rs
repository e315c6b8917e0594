//! Reads and compiles a configuration, and writes down what came of it.

use framex_gateway::config::{self, Gateway, Problem};
use framex_gateway::snapshot::{Compiled, Compiler, Route, RouteCache, Snapshot, Target, Trials};
use framex_gateway::telemetry::Metrics;
use framex_plugin_host::component::{ComponentHost, HostSettings};
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// One for all tests: starting it is slow, and it is meant to be shared.
pub(crate) fn compiler() -> &'static Compiler {
    static COMPILER: OnceLock<Compiler> = OnceLock::new();
    COMPILER.get_or_init(|| {
        let host = ComponentHost::start(HostSettings::default()).expect("the component host starts");
        Compiler::new(host, Metrics::new())
    })
}

pub(crate) fn compile(case: &Path) -> Compiled {
    compiler().compile(config::load(&case.join("gateway.yaml")), None, Trials::default())
}

/// The problems, one per line, with paths below the folder of the case.
pub(crate) fn describe_problems(case: &Path, problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{}\n", without_folder(case, &problem.to_string()))).collect()
}

/// What an operator sees after the problems: what is served all the same.
pub(crate) fn describe_service(snapshot: Option<&Snapshot>) -> String {
    let Some(snapshot) = snapshot else { return "=> refused as a whole\n".to_owned() };
    let list = |names: Vec<&String>| if names.is_empty() { "nothing".to_owned() } else { join(names) };
    let served = list(snapshot.namespaces.keys().collect());
    format!("=> serves {served}; broken: {}\n", list(snapshot.broken.iter().collect()))
}

fn join(names: Vec<&String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn without_folder(case: &Path, text: &str) -> String {
    let folder = format!("{}/", case.display());
    text.replace(&folder, "")
}

/// Everything that a configuration says, defaults and all.
pub(crate) fn describe_snapshot(case: &Path, snapshot: &Snapshot) -> String {
    let namespaces: Map<String, Value> = snapshot
        .namespaces
        .iter()
        .map(|(name, part)| {
            let backends: Map<String, Value> =
                part.config.backends.iter().map(|backend| (backend.name.clone(), shown(backend))).collect();
            let plugins: Map<String, Value> =
                part.config.plugins.iter().map(|plugin| (plugin.name.clone(), shown(plugin))).collect();
            let mut described = json!({
                "invoke": shown(&part.config.invoke),
                "preflight": part.config.preflight,
                "limits": shown(&part.config.limits),
                "plugins": plugins,
                "backends": backends,
                "learning": part.config.learning.iter().map(|(name, learning)| (name.clone(), shown(learning))).collect::<Map<_, _>>(),
            });
            let sharing: Map<String, Value> = part.config.routes.iter().filter_map(describe_sharing).collect();
            if !sharing.is_empty() {
                described["sharing"] = sharing.into();
            }
            (name.clone(), described)
        })
        .collect();
    let routes: Vec<Value> = snapshot
        .routes_in_order()
        .map(|(matches, route)| {
            let mut described = describe_route(route);
            described.insert("match".to_owned(), matches.to_string().into());
            described.shift_remove("match").map(|matches| described.shift_insert(0, "match".to_owned(), matches));
            Value::Object(described)
        })
        .collect();
    let described = json!({
        "gateway": describe_gateway(&snapshot.gateway),
        "namespaces": namespaces,
        "routes_in_order": routes,
    });
    let text = serde_json::to_string_pretty(&described).expect("text and lists only");
    without_folder(case, &text) + "\n"
}

fn describe_gateway(gateway: &Gateway) -> Value {
    // Named one by one, so that the compiler points here when there is a new one.
    let Gateway {
        listeners,
        admin,
        threads,
        connections,
        trusted_proxies,
        issuers,
        keys,
        namespace_directory,
        grants,
        components,
        remote,
        dialect,
        learnt_directory,
        documentation,
        cache,
        dns,
        redis,
        shedding,
        access_log,
        level,
        shutdown_grace,
        shutdown_delay,
    } = gateway;
    json!({
        "listeners": listeners.iter().map(shown).collect::<Vec<_>>(),
        "admin": shown(admin),
        "threads": shown(threads),
        "connections": shown(connections),
        "trusted_proxies": shown(trusted_proxies),
        "issuers": issuers.iter().map(shown).collect::<Vec<_>>(),
        "keys": keys.iter().map(shown).collect::<Vec<_>>(),
        "namespace_directory": shown(namespace_directory),
        "grants": grants.iter().map(|(name, grant)| (name.to_owned(), shown(grant))).collect::<Map<_, _>>(),
        "components": shown(components),
        "remote": shown(remote),
        "dialect": shown(dialect),
        "learnt_directory": shown(learnt_directory),
        "documentation": shown(documentation),
        "cache": shown(cache),
        "dns": shown(dns),
        "redis": shown(redis),
        "shedding": shown(shedding),
        "access_log": shown(access_log),
        "level": level,
        "shutdown_grace": shown(shutdown_grace),
        "shutdown_delay": shown(shutdown_delay),
    })
}

/// What a route says of several that answer; `None` where it says nothing.
fn describe_sharing(route: &config::Route) -> Option<(String, Value)> {
    let config::Route { name, targets, sticky, canaries, shadow, .. } = route;
    let says_something = sticky.is_some() || !canaries.is_empty() || shadow.is_some();
    says_something.then(|| {
        (name.clone(), json!({ "targets": shown(targets), "sticky": shown(sticky), "canaries": shown(canaries), "shadow": shown(shadow) }))
    })
}

fn describe_route(route: &Arc<Route>) -> Map<String, Value> {
    let target = match &route.target {
        Target::Plugin(plugin) => format!("plugin {}", plugin.config.name),
        Target::Cluster(cluster) => format!("backend {}", cluster.config.name),
    };
    let mut described = Map::new();
    described.insert("name".to_owned(), route.name.clone().into());
    described.insert("namespace".to_owned(), route.namespace.to_string().into());
    described.insert("target".to_owned(), target.into());
    described.insert("rule".to_owned(), shown(&route.rule));
    described.insert("timeout".to_owned(), shown(route.timeout));
    described.insert("sizes".to_owned(), shown(route.sizes));
    described.insert("rewrite".to_owned(), shown(&route.rewrite));
    described.insert("dialect".to_owned(), shown((route.dialect, route.envelope)));
    if let Some(cache) = &route.cache {
        // The scope is a hash; it has tests of its own.
        described.insert("cache".to_owned(), shown(RouteCache { scope: 0, ..cache.clone() }));
    }
    described
}

fn shown(value: impl Debug) -> Value {
    format!("{value:?}").into()
}
