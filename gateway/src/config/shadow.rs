//! Copies of requests for somebody whose answers nobody gets.

use super::invoke::is_json_pointer;
use super::problem::{ProblemList, ValuePath};
use super::route::{Share, Surroundings, Target, find_target};
use super::units::{ByteSize, Percent, Span};
use http::{HeaderName, Method, header};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

const CONCURRENCY: u32 = 16;
const MOST_CONCURRENCY: u32 = 1024;
const BODY: u64 = 256 << 10;
/// Every copy may hold a request and two answers of this size.
const MOST_BODY: u64 = 4 << 20;
const TIMEOUT: Duration = Duration::from_secs(10);
const KEEP: u32 = 50;
const MOST_KEEP: u32 = 1000;

/// Who is sent copies of the route's requests. A copy has `X-FrameX-Shadow: 1`, its answer goes nowhere, and whatever becomes of
/// it, the caller notices nothing. Only requests from outside are copied, not the calls of plugins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawShadow {
    /// The plugin or backend of this namespace that gets the copies. Requests that it answers itself, as one of several, are not
    /// copied.
    to: String,
    /// How many of the requests are copied. Default: 100%.
    sample: Option<Percent>,
    /// Methods of requests that are copied. Default: GET and HEAD. Any other may do twice what it should do once: name it only where
    /// the target does nothing real.
    methods: Option<Vec<String>>,
    /// Copies that may be under way at once. Default: 16. With too few, requests go without a copy, which is counted; each takes
    /// a connection or an instance of the target and the memory for `body` three times.
    concurrency: Option<u32>,
    /// Largest body of a request that is copied, and of an answer that is compared. Default: 256KiB.
    body: Option<ByteSize>,
    /// Longest time for a copy to be answered. Default: 10s.
    timeout: Option<Span>,
    /// Whether the answers are compared, or how. Default: false.
    compare: Option<RawCompare>,
}

/// `compare:` of a shadow, as it is written.
#[derive(Clone, Debug)]
pub(super) enum RawCompare {
    Plain(bool),
    Full(Box<RawCompareSettings>),
}

/// How the answers are compared.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawCompareSettings {
    /// Header fields that must be the same. Default: `content-type`.
    headers: Option<Vec<String>>,
    /// Places of JSON bodies, and of the data of events, that are not looked at, as JSON pointers in which `*` stands for any key
    /// or index: `/time`, `/items/*/id`.
    ignore: Vec<String>,
    /// Arrays whose order does not matter, in the same way. The empty text is the whole body.
    unordered: Vec<String>,
    /// What nobody may see of the differences that are kept, beside the usual secrets: names of header fields and keys, and places
    /// as above.
    mask: Vec<String>,
    /// Differences that are kept for `migrate report`. Default: 50. They are in memory, a megabyte for a route at most.
    keep: Option<u32>,
}

/// Who is sent copies of a route's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Who gets them.
    pub to: Target,
    /// How many requests of a million are copied.
    pub sample: u32,
    /// Methods of requests that are copied.
    pub methods: Vec<Method>,
    /// Copies that may be under way at once.
    pub concurrency: u32,
    /// Largest body in bytes.
    pub body: u64,
    /// Longest time for a copy to be answered.
    pub timeout: Duration,
    /// How the answers are compared, if they are.
    pub compare: Option<Compare>,
}

/// How answers are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// Header fields that must be the same.
    pub headers: Vec<HeaderName>,
    /// Places that are not looked at.
    pub ignore: Vec<String>,
    /// Arrays whose order does not matter.
    pub unordered: Vec<String>,
    /// Names, in lower case, and places that nobody may see.
    pub mask: Vec<String>,
    /// Differences that are kept.
    pub keep: u32,
}

impl RawShadow {
    pub(super) fn validate(
        self,
        path: &ValuePath,
        targets: &[Share],
        around: &Surroundings<'_>,
        problems: &mut ProblemList,
    ) -> Shadow {
        let Self { to, sample, methods, concurrency, body, timeout, compare } = self;
        let to = find_target(to, &path.key("to"), around, problems);
        if targets.iter().all(|share| share.target == to) {
            problems.report(path.key("to"), format!("`{}` is what the route goes `to` already", to.name()));
        }
        let methods = match methods {
            None => vec![Method::GET, Method::HEAD],
            Some(methods) => {
                if methods.is_empty() {
                    problems.report_absence(
                        &path.key("methods"),
                        "an empty list copies nothing; leave it out for GET and HEAD",
                    );
                }
                validate_methods(&methods, &path.key("methods"), problems)
            }
        };
        let mut between = |key: &str, value: u64, most: u64| {
            if !(1..=most).contains(&value) {
                problems.report(path.key(key), format!("must be between 1 and {most}"));
            }
        };
        let concurrency = concurrency.unwrap_or(CONCURRENCY);
        between("concurrency", concurrency.into(), MOST_CONCURRENCY.into());
        let body = body.map_or(BODY, |body| body.0);
        between("body", body, MOST_BODY);
        let timeout = timeout.map_or(TIMEOUT, |span| span.0);
        if timeout.is_zero() {
            problems.report(path.key("timeout"), "0 would end every copy; the least is 1ms");
        }
        let compare = match compare {
            None | Some(RawCompare::Plain(false)) => None,
            Some(RawCompare::Plain(true)) => Some(RawCompareSettings::default()),
            Some(RawCompare::Full(settings)) => Some(*settings),
        };
        let compare = compare.map(|compare| compare.validate(&path.key("compare"), problems));
        Shadow { to, sample: sample.map_or(1_000_000, |sample| sample.0), methods, concurrency, body, timeout, compare }
    }
}

fn validate_methods(methods: &[String], path: &ValuePath, problems: &mut ProblemList) -> Vec<Method> {
    let mut validated = Vec::with_capacity(methods.len());
    for (index, name) in methods.iter().enumerate() {
        match name.parse() {
            Ok(method) if !name.bytes().any(|byte| byte.is_ascii_lowercase()) => validated.push(method),
            Ok(_) | Err(_) => {
                let message = format!("`{name}` is no method; names of methods are upper case, like `POST`");
                problems.report(path.index(index), message);
            }
        }
    }
    validated
}

impl RawCompareSettings {
    fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Compare {
        let Self { headers, ignore, unordered, mask, keep } = self;
        let mut names = Vec::new();
        for (index, name) in headers.iter().flatten().enumerate() {
            match name.parse() {
                Ok(name) => names.push(name),
                Err(_) => {
                    problems.report(path.key("headers").index(index), format!("`{name}` is no header field name"));
                }
            }
        }
        if headers.is_none() {
            names.push(header::CONTENT_TYPE);
        }
        check_places(&ignore, |_| true, &path.key("ignore"), problems);
        check_places(&unordered, |place| !place.is_empty(), &path.key("unordered"), problems);
        check_places(&mask, |listed| listed.starts_with('/'), &path.key("mask"), problems);
        let keep = keep.unwrap_or(KEEP);
        if keep > MOST_KEEP {
            problems.report(path.key("keep"), format!("must be between 0 and {MOST_KEEP}"));
        }
        let lower = |listed: String| if listed.starts_with('/') { listed } else { listed.to_lowercase() };
        Compare { headers: names, ignore, unordered, mask: mask.into_iter().map(lower).collect(), keep }
    }
}

/// Whatever of the list `is_place` must be a JSON pointer.
fn check_places(list: &[String], is_place: impl Fn(&str) -> bool, path: &ValuePath, problems: &mut ProblemList) {
    for (index, place) in list.iter().enumerate().filter(|(_, place)| is_place(place) && !is_json_pointer(place)) {
        let message = format!(
            "`{place}` is no JSON pointer: it starts with `/`, `*` stands for any key or index, and in a name `~0` stands for `~` and `~1` for `/`, like `/items/*/updated`"
        );
        problems.report(path.index(index), message);
    }
}

impl<'de> Deserialize<'de> for RawCompare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CompareVisitor)
    }
}

struct CompareVisitor;

impl<'de> Visitor<'de> for CompareVisitor {
    type Value = RawCompare;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, or a mapping like `{ ignore: [/time] }`")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<RawCompare, E> {
        Ok(RawCompare::Plain(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawCompare, A::Error> {
        let settings = RawCompareSettings::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RawCompare::Full(Box::new(settings)))
    }
}

impl JsonSchema for RawCompare {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Compare")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<RawCompareSettings>();
        json_schema!({
            "description": "Whether the answers are compared, or how.",
            "oneOf": [{ "type": "boolean" }, full]
        })
    }
}
