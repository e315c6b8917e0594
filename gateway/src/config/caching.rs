//! Answers that are kept: on which routes, by which rules, and how much room there is.

use super::problem::{ProblemList, ValuePath};
use super::units::{ByteSize, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Which answers of a route are kept and given again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawCaching {
    /// How long an answer is kept. By `http` rules: where the answer does not say it itself; default: such answers are not kept. By
    /// `framex` rules: always; default: 60s.
    ttl: Option<Span>,
    /// `GET` (HEAD with it, by `http` rules) and, by `framex` rules, `POST`, whose body is then part of what is asked; a body
    /// above 60 KiB is not looked up. Default: GET, and POST too where a FrameX instance answers.
    methods: Option<Vec<RawCachedMethod>>,
    /// Whether all callers share the answers. Default: false: an answer is given again only to the caller it was made for: the
    /// same subject, issuer, namespaces, and what else of `Authorization` and `Cookie` the backend sees. `true` gives everyone who
    /// may call the route what another was answered.
    shared: bool,
    /// Header fields of the request on which answers depend, beside those that the answer's `Vary` names. A service that reads a key
    /// of its own from a header (`x-api-key`) needs it here, or a `Vary` that says so. Default: none.
    vary: Vec<String>,
    /// `http` (RFC 9111: `Cache-Control`, `Vary`, validators) or `framex` (FrameX's own: everything that was a success, for
    /// `ttl`). Default: `framex` for FrameX instances and where POST is among the methods, else `http`.
    rules: Option<RawCacheRules>,
}

/// A method whose answers may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum RawCachedMethod {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// By which rules answers are kept.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawCacheRules {
    /// RFC 9111.
    Http,
    /// FrameX's own.
    Framex,
}

/// How much room kept answers have. A change needs a restart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawCacheRoom {
    /// Memory for the kept answers of all routes. Default: 64MiB. 0 keeps nothing; too little makes the answers push each other
    /// out.
    memory: Option<ByteSize>,
    /// The largest answer that is kept. Default: 1MiB; at most an eighth of `memory`.
    largest_entry: Option<ByteSize>,
}

/// Which answers of a route are kept and given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caching {
    /// How long, where the rules do not say otherwise.
    pub ttl: Option<Duration>,
    /// Whether answers to GET are kept.
    pub gets: bool,
    /// Whether answers to POST are kept; `None` for what the rules say.
    pub posts: Option<bool>,
    /// Whether all callers share the answers.
    pub shared: bool,
    /// Header fields on which answers depend.
    pub vary: Vec<http::HeaderName>,
    /// By which rules; `None` for those of the backend.
    pub rules: Option<CacheRules>,
}

/// By which rules answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheRules {
    /// RFC 9111.
    Http,
    /// FrameX's own.
    Framex,
}

/// How much room kept answers have, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheRoom {
    /// For all of them; 0 keeps nothing.
    pub memory: u64,
    /// For one.
    pub largest_entry: u64,
}

impl RawCaching {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Caching {
        let Self { ttl, methods, shared, vary, rules } = self;
        let ttl = ttl.map(|span| span.0);
        if ttl.is_some_and(|ttl| ttl < Duration::from_secs(1)) {
            problems.report(path.key("ttl"), "at least 1s; leave `cache` out to keep nothing");
        }
        let has = |method| methods.as_ref().map(|methods| methods.contains(&method));
        let (gets, posts) = (has(RawCachedMethod::Get).unwrap_or(true), has(RawCachedMethod::Post));
        if methods.as_ref().is_some_and(Vec::is_empty) {
            problems.report_absence(&path.key("methods"), "no method is cached; leave `cache` out to keep nothing");
        }
        let rules = rules.map(|rules| match rules {
            RawCacheRules::Http => CacheRules::Http,
            RawCacheRules::Framex => CacheRules::Framex,
        });
        if rules == Some(CacheRules::Http) && posts == Some(true) {
            problems.report(path.key("methods"), "POST is cached by FrameX's rules alone; write `rules: framex`");
        }
        let mut names = Vec::with_capacity(vary.len());
        for (index, name) in vary.iter().enumerate() {
            match name.parse() {
                Ok(name) => names.push(name),
                Err(_) => {
                    problems.report(path.key("vary").index(index), format!("`{name}` is no header field name"));
                }
            }
        }
        Caching { ttl, gets, posts, shared, vary: names, rules }
    }
}

impl RawCacheRoom {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> CacheRoom {
        let Self { memory, largest_entry } = self;
        let memory = memory.map_or(64 << 20, |size| size.0);
        if memory != 0 && !(1 << 20..=1 << 40).contains(&memory) {
            problems.report(path.key("memory"), "must be 0 or between 1MiB and 1TiB");
        }
        let most = memory / 8;
        if largest_entry.is_some_and(|size| size.0 > most && memory != 0) {
            problems.report(
                path.key("largest_entry"),
                "at most an eighth of `memory`, so that one answer does not push out all others",
            );
        }
        CacheRoom { memory, largest_entry: largest_entry.map_or(1 << 20, |size| size.0).min(most) }
    }
}
