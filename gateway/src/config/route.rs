//! Routes: which requests, and who answers them.

use super::api_key::RawDialect;
use super::caching::{Caching, RawCaching};
use super::canary::{Canary, RawCanaries};
use super::fallback::{RawFallback, WrittenAnswer};
use super::invoke::{Invoke, RawInvoke};
use super::limits::{RawTrafficLimits, TrafficLimits};
use super::problem::{ProblemList, ValuePath, suggest};
use super::retry::{RawRetry, RawRouteTimeouts, Retry, RouteTimeouts};
use super::rewrite::{RawRewrite, Rewrite};
use super::shadow::{RawShadow, Shadow};
use super::sticky::{RawSticky, Sticky};
use super::units::Span;
use crate::request::Dialect;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The largest share of one target.
const MOST_SHARE: u32 = 1_000_000;

/// A route: which requests, and who answers them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRoute {
    /// Name in logs and metrics, unique in the namespace. Default: the methods and the path pattern.
    name: Option<String>,
    /// Which requests.
    #[serde(rename = "match")]
    matches: RawMatch,
    /// The plugin or backend of this namespace that answers; or several, each with its share of the requests:
    /// `{ resize: 95, resize-next: 5 }`.
    to: RawTo,
    /// What keeps a caller with the same share, where `to` has several: `{ header: X-Session }`, `{ cookie: session }` or
    /// `{ subject: true }`. Default: chance decides for each request.
    sticky: Option<RawSticky>,
    /// Requests that go to one target whatever the shares say, by header fields and claims:
    /// `{ to: resize-next, headers: { X-Canary: "1" } }`.
    canary: Option<RawCanaries>,
    /// Who is sent copies of the route's requests, whose answers nobody gets: `{ to: resize-next, sample: 5%, compare: true }`.
    shadow: Option<RawShadow>,
    /// Who answers when `to` cannot, one after the other: backends and workers of this namespace, and at the end perhaps an answer
    /// that is written here, like `[cloud, { answer: { json: { items: [] } } }]`. `to` cannot when a plugin is absent
    /// (`optional`), busy or does not start, when no endpoint or process can be reached, and while a circuit is open. Only requests
    /// of which nothing was passed on yet go to another backend; the written answer stands in for any failure before an answer has
    /// begun, after what the route's `cache` has of old ones.
    fallback: Option<RawFallback>,
    /// Whether answers say in `X-FrameX-Answered-By` who gave them: the plugin or backend, `cache`, or `answer` for the one that is
    /// written in `fallback`. Default: false.
    #[serde(default)]
    answered_by: bool,
    /// Whether anyone may call without a token. Default: false.
    #[serde(default)]
    public: bool,
    /// What a token must show beside the namespace's own rules.
    #[serde(default)]
    access: RawInvoke,
    /// Longest silence of the backend, in place of its own `timeouts.silence`; for a plugin, the longest call.
    timeout: Option<Span>,
    /// How long the parts of an exchange may take.
    #[serde(default)]
    timeouts: RawRouteTimeouts,
    /// When a request is sent a second time.
    #[serde(default)]
    retry: RawRetry,
    /// What is done for its streams of events.
    #[serde(default)]
    events: RawEvents,
    /// How much traffic the route takes, beside the namespace's own limits.
    #[serde(default)]
    limits: RawTrafficLimits,
    /// What changes on the way to the backend and back.
    #[serde(default)]
    rewrite: RawRewrite,
    /// In which words the gateway's own answers speak, where the caller's key does not say it: `http` (the true status with
    /// problem details), `framex` (200 and the status in the body, an error event in a stream) or `auto`. Default: what
    /// gateway.yaml says.
    dialect: Option<RawDialect>,
    /// Whether plain answers are put into FrameX's envelope, so that FrameX plugins can call a service that knows nothing of it.
    /// Default: false.
    #[serde(default)]
    envelope: bool,
    /// Which answers are kept and given again. `{}` for what the rules say. Only those of backends and workers. Default: none.
    cache: Option<RawCaching>,
}

/// What is done for streams of events (`text/event-stream`). Whatever this says, one that cannot go on ends with an event `error`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Events")]
struct RawEvents {
    /// How long one may be silent before the client is sent a comment, which it passes over and which keeps proxies and the client
    /// from giving up. At least 100ms. Default: none. The backend is then asked for the whole body of a request before its answer is
    /// read, `retry` applies to connections alone, and there is no `cache`.
    heartbeat: Option<Span>,
}

/// Which requests a route takes. Every given condition must hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawMatch {
    /// Host names (`app.example.com`) or wildcards (`*.example.com`) granted to the namespace. Default: any host.
    #[serde(default)]
    hosts: Vec<String>,
    /// Path pattern: plain text, `{name}` for one segment, `{name...}` or `/**` at the end for the rest.
    path: String,
    /// Methods. Default: all. GET includes HEAD.
    #[serde(default)]
    methods: Vec<String>,
    /// Header fields: the exact value, or `{ present: true }`.
    #[serde(default)]
    headers: BTreeMap<String, RawTest>,
    /// Query parameters: the exact (decoded) value, or `{ present: true }`.
    #[serde(default)]
    query: BTreeMap<String, RawTest>,
}

/// Who answers a route.
#[derive(Clone, Debug)]
enum RawTo {
    One(String),
    Shares(BTreeMap<String, u32>),
}

impl<'de> Deserialize<'de> for RawTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ToVisitor)
    }
}

struct ToVisitor;

impl<'de> Visitor<'de> for ToVisitor {
    type Value = RawTo;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a plugin or backend, or several with their shares, `{ name: 95, other: 5 }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawTo, E> {
        Ok(RawTo::One(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawTo, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(RawTo::Shares)
    }
}

impl JsonSchema for RawTo {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("To")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of a plugin or backend, or several, each with its share of the requests.",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": MOST_SHARE,
                        "description": "Its share, out of the sum of all."
                    }
                }
            ]
        })
    }
}

/// A test of a header field or query parameter.
#[derive(Clone, Debug)]
pub(super) enum RawTest {
    Exact(String),
    Present(bool),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPresence {
    present: bool,
}

impl<'de> Deserialize<'de> for RawTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TestVisitor)
    }
}

struct TestVisitor;

impl<'de> Visitor<'de> for TestVisitor {
    type Value = RawTest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exact text, or `{ present: true }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawTest, E> {
        Ok(RawTest::Exact(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<RawTest, E> {
        Err(E::custom(format!("`{value}` is ambiguous; write \"{value}\" for the text or {{ present: {value} }}")))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawTest, A::Error> {
        RawPresence::deserialize(MapAccessDeserializer::new(map))
            .map(|RawPresence { present }| RawTest::Present(present))
    }
}

impl JsonSchema for RawTest {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Test")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The exact text, or whether the field is present.",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "present": { "type": "boolean", "description": "Whether it must be there or must not be." }
                    },
                    "required": ["present"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// A route of a namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Name in logs and metrics, unique in the namespace.
    pub name: String,
    /// Which requests.
    pub matches: Match,
    /// Who answers: one, or several with their shares.
    pub targets: Vec<Share>,
    /// What keeps a caller with the same share; chance if nothing does.
    pub sticky: Option<Sticky>,
    /// Requests that go to one of the targets whatever the shares say; the first that fits counts.
    pub canaries: Vec<Canary>,
    /// Who is sent copies of the requests.
    pub shadow: Option<Shadow>,
    /// The backends that answer when the target cannot, one after the other.
    pub fallbacks: Vec<String>,
    /// The answer when none of them can.
    pub last_answer: Option<WrittenAnswer>,
    /// Whether anyone may call without a token.
    pub public: bool,
    /// What a token must show beside the namespace's own rules.
    pub invoke: Invoke,
    /// Longest silence of a backend, or longest call of a plugin.
    pub timeout: Option<Duration>,
    /// How long the parts of an exchange may take.
    pub timeouts: RouteTimeouts,
    /// When a request is sent a second time.
    pub retry: Retry,
    /// Whether answers say who gave them.
    pub answered_by: bool,
    /// How long a stream of events may be silent before the gateway sends a comment.
    pub heartbeat: Option<Duration>,
    /// How much traffic the route takes.
    pub limits: TrafficLimits,
    /// What changes on the way.
    pub rewrite: Rewrite,
    /// In which words the gateway's own answers speak.
    pub dialect: Option<Dialect>,
    /// Whether plain answers are put into FrameX's envelope.
    pub envelope: bool,
    /// Which answers are kept.
    pub cache: Option<Caching>,
}

/// Which requests a route takes; the patterns are parsed when the routing table is compiled.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Match {
    /// Host patterns, lower case; empty for any host.
    pub hosts: Vec<String>,
    /// Path pattern.
    pub path: String,
    /// Method names; empty for all.
    pub methods: Vec<String>,
    /// Tests of header fields.
    pub headers: Vec<(String, Test)>,
    /// Tests of query parameters.
    pub query: Vec<(String, Test)>,
}

/// A test of a header field or query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Its first value is exactly this.
    Exact(String),
    /// It is there, or it is not.
    Present(bool),
}

impl From<RawTest> for Test {
    fn from(raw: RawTest) -> Self {
        match raw {
            RawTest::Exact(text) => Self::Exact(text),
            RawTest::Present(present) => Self::Present(present),
        }
    }
}

/// Who answers a route, by name in the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A plugin in the gateway's process.
    Plugin(String),
    /// A network backend.
    Backend(String),
}

impl Target {
    /// Its name in the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Plugin(name) | Self::Backend(name) => name,
        }
    }
}

/// One who answers, and how many of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Who.
    pub target: Target,
    /// Its share, out of the sum of all.
    pub weight: u32,
}

/// What a route may refer to.
pub(super) struct Surroundings<'a> {
    pub(super) plugins: &'a [String],
    pub(super) backends: &'a [String],
    pub(super) issuers: Option<&'a [String]>,
}

impl RawRoute {
    pub(super) fn validate(self, path: &ValuePath, around: &Surroundings<'_>, problems: &mut ProblemList) -> Route {
        let Self {
            name,
            matches,
            to,
            sticky,
            canary,
            shadow,
            fallback,
            public,
            access,
            timeout,
            timeouts,
            retry,
            answered_by,
            events: RawEvents { heartbeat },
            limits,
            rewrite,
            dialect,
            envelope,
            cache,
        } = self;
        let heartbeat = heartbeat.map(|span| span.0);
        if heartbeat.is_some_and(|span| span < Duration::from_millis(100)) {
            problems.report(path.key("events").key("heartbeat"), "at least 100ms");
        }
        if heartbeat.is_some() && cache.is_some() {
            problems.report(
                path.key("cache"),
                "a route whose streams are kept alive (`events.heartbeat`) keeps no answers",
            );
        }
        let timeouts = timeouts.validate(&path.key("timeouts"), problems);
        let retry = retry.validate(&path.key("retry"), problems);
        let dialect = dialect.map(RawDialect::validate);
        let matches = matches.validate();
        let name = match name {
            Some(name) => check_route_name(name, &path.key("name"), problems),
            None if matches.methods.is_empty() => matches.path.clone(),
            None => format!("{} {}", matches.methods.join(","), matches.path),
        };
        let timeout = timeout.map(|span| span.0);
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            problems.report(path.key("timeout"), "0 would end every answer; the least is 1ms");
        }
        let invoke = access.validate(&path.key("access"), around.issuers, problems);
        if public && invoke != Invoke::default() {
            problems.report(path.key("access"), "a public route asks for no token, so it can have no access rules");
        }
        let limits = limits.validate(&path.key("limits"), problems);
        let rewrite = rewrite.validate(&path.key("rewrite"), &matches.path, problems);
        if sticky.is_some() && matches!(to, RawTo::One(_)) {
            problems.report(path.key("sticky"), "the route goes to one alone; write `to: { name: 95, other: 5 }`");
        }
        let sticky = sticky.and_then(|sticky| sticky.validate(&path.key("sticky"), public, problems));
        let canaries = canary.map(|canary| canary.validate(&path.key("canary"), public, around, problems));
        let canaries = canaries.unwrap_or_default();
        let mut targets = find_targets(to, &path.key("to"), around, problems);
        for Canary { to, .. } in &canaries {
            if !targets.iter().any(|share| share.target == *to) {
                targets.push(Share { target: to.clone(), weight: 0 });
            }
        }
        let shadow = shadow.map(|shadow| shadow.validate(&path.key("shadow"), &targets, around, problems));
        let cache = cache.map(|cache| cache.validate(&path.key("cache"), problems));
        if cache.is_some() && targets.iter().any(|share| matches!(share.target, Target::Plugin(_))) {
            problems.report(
                path.key("cache"),
                "a plugin in the process answers itself; what is kept are answers of backends and workers",
            );
        }
        let (fallbacks, last_answer) = match fallback {
            Some(fallback) => fallback.validate(&targets, &path.key("fallback"), around, problems),
            None => (Vec::new(), None),
        };
        Route {
            name,
            matches,
            targets,
            sticky,
            canaries,
            shadow,
            fallbacks,
            last_answer,
            public,
            invoke,
            timeout,
            timeouts,
            retry,
            answered_by,
            heartbeat,
            limits,
            rewrite,
            dialect,
            envelope,
            cache,
        }
    }
}

impl RawMatch {
    fn validate(self) -> Match {
        let Self { hosts, path, methods, headers, query } = self;
        let tests =
            |tests: BTreeMap<String, RawTest>| tests.into_iter().map(|(name, test)| (name, test.into())).collect();
        Match {
            hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            path,
            methods,
            headers: tests(headers),
            query: tests(query),
        }
    }
}

fn check_route_name(name: String, path: &ValuePath, problems: &mut ProblemList) -> String {
    if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        problems.report(path.clone(), "a route name is 1 to 200 printable characters");
    }
    name
}

fn find_targets(to: RawTo, path: &ValuePath, around: &Surroundings<'_>, problems: &mut ProblemList) -> Vec<Share> {
    let shares = match to {
        RawTo::One(name) => return vec![Share { target: find_target(name, path, around, problems), weight: 1 }],
        RawTo::Shares(shares) => shares,
    };
    if shares.values().all(|weight| *weight == 0) && !problems.is_incomplete(path) {
        problems.report(path.clone(), "nobody has a share; write `{ name: 95, other: 5 }`");
    }
    let mut targets = Vec::with_capacity(shares.len());
    for (name, weight) in shares {
        let path = path.key(name.clone());
        if weight > MOST_SHARE {
            problems.report(path.clone(), format!("must be between 0 and {MOST_SHARE}"));
        }
        targets.push(Share { target: find_target(name, &path, around, problems), weight });
    }
    targets
}

/// An unknown target is reported and kept, so that the route's other problems are found too.
pub(super) fn find_target(
    to: String,
    path: &ValuePath,
    around: &Surroundings<'_>,
    problems: &mut ProblemList,
) -> Target {
    if around.plugins.contains(&to) {
        return Target::Plugin(to);
    }
    let root = ValuePath::default();
    let is_lost = ["plugins", "backends"].iter().any(|kind| problems.has_lost_key(&root.key(*kind), &to));
    if !around.backends.contains(&to) && !is_lost {
        let known: Vec<&str> = around.plugins.iter().chain(around.backends).map(String::as_str).collect();
        let hint = suggest(&to, &known);
        problems.report(path.clone(), format!("`{to}` is neither a plugin nor a backend of this namespace; {hint}"));
    }
    Target::Backend(to)
}
