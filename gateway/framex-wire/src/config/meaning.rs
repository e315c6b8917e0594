//! What the settings without a typed part mean.

/// What a setting means to a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is in a typed part of the configuration.
    Typed,
    /// FrameX knows it, and this is what it does there.
    OnlyInFrameX(&'static str),
    /// It is a plugin's own, with the plugin's name.
    OfPlugin(String),
    /// FrameX does not know it, and does not start with it.
    Unknown,
}

const SERVE_OPTIONS: &str = "options of Ray Serve";
const SENTRY: &str = "reports of errors to Sentry";
const TESTS: &str = "how FrameX's own tests run";
const TOKENS: &str = "tokens for the repositories of plugins, whose releases its documentation shows";

/// The settings by section. Below a name with `.*` anything may stand.
const ONLY_IN_FRAMEX: [(&str, &[&str], &str); 14] = [
    ("base_ingress_config", &["", ".*"], SERVE_OPTIONS),
    ("server", &[".ingress_config", ".ingress_config.*"], SERVE_OPTIONS),
    ("server", &[".dashboard_host", ".dashboard_port"], "the address of Ray's dashboard"),
    ("server", &[".num_cpus"], "how many processors Ray uses"),
    ("log", &[".simple_log"], "the form of its log"),
    ("log", &[".ignored_prefixes", ".ignored_contains"], "lines that its log leaves out"),
    ("sentry", &[".enable", ".dsn", ".env", ".debug", ".ignore_errors", ".lifecycle", ".enable_logs"], SENTRY),
    ("test", &[".disable_record_request", ".silent"], TESTS),
    ("docs", &[".embedded_config_file_whitelist"], "files that its documentation shows"),
    ("docs", &[".action_buttons", ".action_buttons.*"], "buttons of its documentation"),
    ("repository.auth.github", &[".token", ".token_header", ".token_scheme"], TOKENS),
    ("repository.auth.gitlab", &[".token", ".token_header", ".token_scheme", ".endpoints", ".endpoints.*"], TOKENS),
    ("plugins.proxy.ingress_config", &["", ".*"], SERVE_OPTIONS),
    ("plugins.proxy.auth.oauth", &["", ".*"], "nothing: the proxy plugin does not use it"),
];

/// Tables that may stand there with nothing in them.
const SECTIONS: [&str; 17] = [
    "server",
    "log",
    "plugins",
    "test",
    "docs",
    "sentry",
    "auth",
    "auth.oauth",
    "auth.rules",
    "repository",
    "repository.auth",
    "repository.auth.github",
    "repository.auth.gitlab",
    "cache",
    "plugins.proxy",
    "plugins.proxy.auth",
    "plugins.proxy.auth.rules",
];

impl Meaning {
    /// What a setting means that has no typed part.
    pub(super) fn of(key: &[&str], is_empty_table: bool) -> Result<Self, String> {
        let dotted = key.join(".");
        let is_one = |section: &str, names: &[&str]| {
            let Some(name) = dotted.strip_prefix(section) else { return false };
            names.iter().any(|known| match known.strip_suffix('*') {
                Some(known) => name.starts_with(known),
                None => name == *known,
            })
        };
        if let Some((.., what)) = ONLY_IN_FRAMEX.iter().find(|(section, names, _)| is_one(section, names)) {
            return Ok(Self::OnlyInFrameX(what));
        }
        if SECTIONS.contains(&dotted.as_str()) {
            return if is_empty_table { Ok(Self::Typed) } else { Err("must be a table".to_owned()) };
        }
        Ok(match key {
            ["plugins", name, ..] if *name != "proxy" => Self::OfPlugin((*name).to_owned()),
            _ => Self::Unknown,
        })
    }
}
