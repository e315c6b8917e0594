//! Endpoints that a backend says itself that it has, in its OpenAPI document.

use super::api_key::RawDialect;
use super::caching::{Caching, RawCaching};
use super::grant::Grants;
use super::invoke::{Invoke, RawInvoke};
use super::limits::{RawTrafficLimits, TrafficLimits};
use super::problem::{ProblemList, ValuePath};
use super::rewrite::check_prefix;
use super::route::{Surroundings, Target, find_target};
use super::units::Span;
use crate::request::Dialect;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Where FrameX 0.4 has its document.
const FRAMEX_PATH: &str = "/api/v1/openapi.json";
/// Where FastAPI has its document.
const FASTAPI_PATH: &str = "/openapi.json";
/// How often a document is asked for.
const INTERVAL: Duration = Duration::from_secs(15);

/// `openapi:` of a backend, as it is written.
#[derive(Clone, Debug)]
pub(super) enum RawLearning {
    /// `openapi: /openapi.json`
    Path(String),
    /// With more to say.
    Full(Box<RawLearningSettings>),
}

/// What is learnt of a backend's OpenAPI document, and how it is routed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawLearningSettings {
    /// Where the backend has its document. Default: `/openapi.json`, and `/api/v1/openapi.json` for `framex`.
    path: Option<String>,
    /// How often it is asked for. Default: 15s. An unchanged document costs the backend next to nothing if it knows ETags.
    interval: Option<Span>,
    /// What stands before each of the backend's paths at the gateway; the backend does not see it. Default: for `http`, the
    /// namespace's first granted path; for `framex`, nothing: a plugin is called by the same path as at the instance.
    at: Option<String>,
    /// Paths of the backend that are taken, as patterns in which `*` stands for any text and `?` for one character. Default:
    /// all. An empty list routes nothing: the document is only shown.
    enable: Option<Vec<String>>,
    /// Paths of the backend that are not taken, in the same way.
    #[serde(default)]
    disable: Vec<String>,
    /// Paths of the backend (as patterns) whose last parameter takes the rest of the path, slashes and all. A document cannot
    /// say so: FastAPI's `{file:path}` is `{file}` there.
    #[serde(default)]
    rest: Vec<String>,
    /// Whether anyone may call these endpoints without a token. Default: false.
    #[serde(default)]
    public: bool,
    /// What a token must show beside the namespace's own rules.
    #[serde(default)]
    access: RawInvoke,
    /// Longest silence of the backend, in place of its own `timeouts.silence`.
    timeout: Option<Span>,
    /// How much traffic each endpoint takes.
    #[serde(default)]
    limits: RawTrafficLimits,
    /// The backend or worker that answers when this one cannot.
    fallback: Option<String>,
    /// In which words the gateway's own answers speak, as of a route.
    dialect: Option<RawDialect>,
    /// Whether plain answers are put into FrameX's envelope. Default: false.
    #[serde(default)]
    envelope: bool,
    /// Which answers are kept and given again, as of a route. Default: none.
    cache: Option<RawCaching>,
}

/// What is learnt of a backend's OpenAPI document, and how it is routed.
#[derive(Clone, Debug, PartialEq)]
pub struct Learning {
    /// Where the backend has its document.
    pub path: String,
    /// How often it is asked for.
    pub interval: Duration,
    /// What stands before each path at the gateway: empty, or starts with `/` and does not end with one.
    pub at: String,
    /// Patterns of paths that are taken; `None` for all.
    pub enable: Option<Vec<String>>,
    /// Patterns of paths that are not.
    pub disable: Vec<String>,
    /// Patterns of paths whose last parameter takes the rest.
    pub rest: Vec<String>,
    /// Whether anyone may call.
    pub public: bool,
    /// What a token must show beside the namespace's own rules.
    pub invoke: Invoke,
    /// Longest silence of the backend.
    pub timeout: Option<Duration>,
    /// How much traffic each endpoint takes.
    pub limits: TrafficLimits,
    /// Who answers when the backend cannot.
    pub fallback: Option<String>,
    /// In which words the gateway's own answers speak.
    pub dialect: Option<Dialect>,
    /// Whether plain answers are put into FrameX's envelope.
    pub envelope: bool,
    /// Which answers are kept.
    pub cache: Option<Caching>,
}

/// What learning is validated against.
#[derive(Clone, Copy)]
pub(super) struct LearningPlatform<'a> {
    pub(super) namespace: &'a str,
    pub(super) around: &'a Surroundings<'a>,
    pub(super) grants: Option<&'a Grants>,
}

impl RawLearning {
    /// `path` is where it stands; `backend` whose it is.
    pub(super) fn validate(
        self,
        backend: &str,
        is_framex: bool,
        path: &ValuePath,
        platform: LearningPlatform<'_>,
        problems: &mut ProblemList,
    ) -> Learning {
        let settings = match self {
            Self::Path(path) => RawLearningSettings { path: Some(path), ..RawLearningSettings::default() },
            Self::Full(settings) => *settings,
        };
        let RawLearningSettings {
            path: document,
            interval,
            at,
            enable,
            disable,
            rest,
            public,
            access,
            timeout,
            limits,
            fallback,
            dialect,
            envelope,
            cache,
        } = settings;
        let document = document.unwrap_or_else(|| if is_framex { FRAMEX_PATH } else { FASTAPI_PATH }.to_owned());
        if !document.starts_with('/') || document.parse::<http::uri::PathAndQuery>().is_err() {
            problems.report(path.key("path"), format!("`{document}` must be a path that starts with `/`"));
        }
        let interval = interval.map_or(INTERVAL, |span| span.0);
        if interval < Duration::from_secs(1) {
            problems.report(path.key("interval"), "at least 1s: every time costs the backend a request");
        }
        let timeout = timeout.map(|span| span.0);
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            problems.report(path.key("timeout"), "0 would end every answer; the least is 1ms");
        }
        let invoke = access.validate(&path.key("access"), platform.around.issuers, problems);
        if public && invoke != Invoke::default() {
            problems.report(path.key("access"), "public endpoints ask for no token, so they can have no access rules");
        }
        let fallback = fallback.and_then(|name| {
            let path = path.key("fallback");
            match find_target(name, &path, platform.around, problems) {
                Target::Backend(name) if name == backend => {
                    problems.report(path, format!("`{name}` is the backend itself"));
                    None
                }
                Target::Backend(name) => Some(name),
                Target::Plugin(_) => {
                    problems.report(path, "is a plugin in the process; what steps in is a backend or a worker");
                    None
                }
            }
        });
        Learning {
            path: document,
            interval,
            at: validate_place(at, is_framex, &path.key("at"), platform, problems),
            enable,
            disable,
            rest,
            public,
            invoke,
            timeout,
            limits: limits.validate(&path.key("limits"), problems),
            fallback,
            dialect: dialect.map(RawDialect::validate),
            envelope,
            cache: cache.map(|cache| cache.validate(&path.key("cache"), problems)),
        }
    }
}

fn validate_place(
    at: Option<String>,
    is_framex: bool,
    path: &ValuePath,
    platform: LearningPlatform<'_>,
    problems: &mut ProblemList,
) -> String {
    let own =
        |place: &str| platform.grants.is_none_or(|grants| grants.owner_of_path(place) == Some(platform.namespace));
    match at {
        Some(at) if at.is_empty() || at == "/" => String::new(),
        Some(at) => {
            let at = check_prefix(&at, path, problems);
            if at.starts_with('/') && !own(&at) {
                let message = format!("`{at}` is not granted to the namespace `{}`", platform.namespace);
                problems.report(path.clone(), message);
            }
            at
        }
        None if is_framex => String::new(),
        None => {
            let granted = platform.grants.map(|grants| grants.of(platform.namespace));
            let first = granted.and_then(|grant| grant.paths.into_iter().next());
            first.map(|prefix| prefix.trim_end_matches('/').to_owned()).unwrap_or_default()
        }
    }
}

impl<'de> Deserialize<'de> for RawLearning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LearningVisitor)
    }
}

struct LearningVisitor;

impl<'de> Visitor<'de> for LearningVisitor {
    type Value = RawLearning;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path of the backend's OpenAPI document, or a mapping like `{ path: /openapi.json, disable: [/admin/*] }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawLearning, E> {
        Ok(RawLearning::Path(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawLearning, A::Error> {
        RawLearningSettings::deserialize(MapAccessDeserializer::new(map)).map(|full| RawLearning::Full(Box::new(full)))
    }
}

impl JsonSchema for RawLearning {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Learning")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<RawLearningSettings>();
        json_schema!({
            "description": "The path of the backend's OpenAPI document, or what is learnt of it and how it is routed.",
            "oneOf": [{ "type": "string" }, full]
        })
    }
}
