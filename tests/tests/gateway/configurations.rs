//! Configurations that more than one file of tests uses.

use framex_tests::{Conf, repository};

/// The path of the plugin that misbehaves on request.
pub(crate) fn rogue() -> String {
    repository("plugin-host/tests/guests/rogue.wasm").display().to_string()
}

/// The namespace `demo` with the example plugin at `/api/v1/demo/stats` and the rogue one below `/api/v1/demo/rogue`,
/// both open. `limits` are the rogue's.
pub(crate) fn plugins(limits: &str) -> Conf {
    let stats = repository("plugins/text-stats/text-stats.wasm");
    let yaml = format!(
        "plugins:
  stats: {{ component: \"{stats}\" }}
  rogue: {{ component: \"{rogue}\", limits: {{ {limits} }} }}
routes:
  - {{ name: stats, match: {{ path: /api/v1/demo/stats }}, to: stats, public: true }}
  - {{ name: rogue, match: {{ path: /api/v1/demo/rogue/** }}, to: rogue, public: true, rewrite: {{ strip_prefix: /api/v1/demo/rogue }} }}
  - {{ name: closed, match: {{ path: /api/v1/demo/closed/** }}, to: rogue, rewrite: {{ strip_prefix: /api/v1/demo/closed }} }}",
        stats = stats.display(),
        rogue = rogue(),
    );
    Conf::new().namespace("demo", &yaml)
}

/// The namespace `demo` with one backend at `url` and one open route to it; `backend` and `route` add settings to each.
pub(crate) fn one_backend(url: &str, backend: &str, route: &str) -> Conf {
    Conf::new().namespace("demo", &one_backend_yaml(&[url], backend, route))
}

/// The file of [`one_backend`], with any number of endpoints.
pub(crate) fn one_backend_yaml(urls: &[&str], backend: &str, route: &str) -> String {
    format!(
        "backends:
  service: {{ http: {{ endpoints: [{}], {backend} }} }}
routes:
  - {{ name: all, match: {{ path: \"/api/v1/demo/**\" }}, to: service, {} {route} }}",
        urls.iter().map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", "),
        if route.contains("public:") { "" } else { "public: true," },
    )
}
