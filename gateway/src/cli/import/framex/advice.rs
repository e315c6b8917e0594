//! What becomes of FrameX's settings that have no equal.

use framex_wire::config::{Meaning, Setting};

/// Where in the file a setting is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Beside the upstreams.
    Upstreams,
    /// Beside the instance.
    Instance,
    /// At the end.
    Rest,
}

const TAKEN_OVER: [&str; 8] = [
    "server.host",
    "server.port",
    "auth.rules.",
    "plugins.proxy.timeout",
    "plugins.proxy.proxy_urls",
    "plugins.proxy.proxy_functions",
    "plugins.proxy.auth.rules.",
    "load_builtin_plugins",
];

/// By the beginning of the key: where it belongs, and what to do instead.
const BY_KEY: [(&str, Place, &str); 23] = [
    (
        "load_plugins",
        Place::Instance,
        "Its plugins stay where they are. One that shall run beside the gateway becomes a worker: `plugins: { NAME: { worker: { command: [framex, run, --load-plugins, NAME, --port, \"$PORT\"] } } }`, or a component.",
    ),
    ("server.use_ray", Place::Instance, "Nothing: how the instance runs its plugins is its own business."),
    (
        "server.enable_proxy",
        Place::Instance,
        "Its plugins may call others at the gateway: point its proxy plugin there, with a key of `keys:` in gateway.yaml.",
    ),
    (
        "server.legal_proxy_code",
        Place::Instance,
        "The gateway passes the status in an envelope on as it is; metrics and access log show it as outcome.",
    ),
    (
        "server.excluded_log_paths",
        Place::Instance,
        "Answers without an envelope pass as they are; nothing has to be said.",
    ),
    (
        "server.reversion",
        Place::Instance,
        "The gateway's own document has a version of its own: `documentation:` in gateway.yaml.",
    ),
    (
        "server.ingress_config",
        Place::Instance,
        "Ray Serve's limits stay with the instance; in front of it `limits: { concurrency: 64 }` bounds what it is sent.",
    ),
    (
        "base_ingress_config",
        Place::Instance,
        "Ray Serve's limits stay with the instance; in front of it `limits: { concurrency: 64 }` bounds what it is sent.",
    ),
    ("server.", Place::Instance, "It stays with the instance."),
    (
        "cache.",
        Place::Instance,
        "Which routes have a cache is said by FrameX's plugins, so the instance goes on keeping its answers, and X-FrameX-Cache goes through. The gateway keeps answers, too, in memory, where `openapi:` or a route says `cache: { ttl: 60s }`; by default those of one caller are not given to another.",
    ),
    (
        "plugins.proxy.force_stream_apis",
        Place::Upstreams,
        "Nothing: every answer is passed on as it comes, event streams too.",
    ),
    (
        "plugins.proxy.ingress_config",
        Place::Upstreams,
        "Ray Serve's limits of the proxy plugin; here `limits: { concurrency: 64 }`.",
    ),
    ("plugins.proxy.auth.oauth", Place::Upstreams, "Nothing: FrameX's proxy plugin does not use it."),
    ("plugins.proxy.", Place::Upstreams, "It has no meaning to the gateway."),
    (
        "auth.oauth",
        Place::Rest,
        "People show tokens of an issuer in gateway.yaml; the login of the instance itself goes on working through the gateway.",
    ),
    (
        "log.",
        Place::Rest,
        "The gateway writes one line of JSON per request: `telemetry: { access_log: stdout }` in gateway.yaml. Lines are left out by whoever reads them.",
    ),
    (
        "sentry.",
        Place::Rest,
        "The gateway reports no errors to Sentry; rejections_total and the access log count them. The instance goes on reporting its own.",
    ),
    ("test.", Place::Rest, "Only for FrameX's own tests."),
    (
        "docs.",
        Place::Rest,
        "The gateway's page shows operations, not buttons or files; the instance's own page stays at the instance.",
    ),
    (
        "repository.",
        Place::Rest,
        "The gateway shows no releases of repositories; packages say their versions (`framex-gateway plugin inspect`).",
    ),
    ("auth.", Place::Rest, "It has no meaning to the gateway."),
    (
        "plugins.",
        Place::Rest,
        "It belongs to the plugin and stays with it; a plugin that the gateway runs is given such settings by `config:`.",
    ),
    ("", Place::Rest, "It has no equal."),
];

/// Where a setting is spoken of, and what to do instead. `None` when it was taken over.
pub(super) fn advice(setting: &Setting) -> Option<(Place, &'static str)> {
    let key = setting.key.as_str();
    if setting.meaning == Meaning::Unknown {
        return Some((Place::Rest, "FrameX does not know it either and would not start with it."));
    }
    // An empty table says nothing.
    let is_silent = setting.meaning == Meaning::Typed && setting.text.ends_with("= {}");
    if is_silent || TAKEN_OVER.iter().any(|known| key.starts_with(known)) {
        return None;
    }
    BY_KEY.iter().find(|(start, ..)| key.starts_with(start)).map(|(_, place, instead)| (*place, *instead))
}
