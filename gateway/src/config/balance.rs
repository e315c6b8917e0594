//! How the requests of a backend are spread over its endpoints.

use super::problem::{ProblemList, ValuePath};
use super::sticky::is_cookie_name;
use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// How requests are spread: a word, or a mapping with what decides.
#[derive(Clone, Debug)]
pub(super) enum RawBalance {
    Word(String),
    By(RawBalanceBy),
}

/// What decides which endpoint answers; exactly one of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BalanceBy")]
pub(super) struct RawBalanceBy {
    /// The same value of this header field goes to the same endpoint.
    header: Option<String>,
    /// The same value of this cookie goes to the same endpoint.
    cookie: Option<String>,
    /// The same subject of a token goes to the same endpoint.
    subject: bool,
    /// The same value of this parameter of the route's path (`{name}`) goes to the same endpoint.
    path: Option<String>,
    /// The gateway gives each caller a cookie of this name that says which endpoint has answered; that one answers again for as
    /// long as it can.
    sticky: Option<String>,
}

impl<'de> Deserialize<'de> for RawBalance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BalanceVisitor)
    }
}

struct BalanceVisitor;

impl<'de> Visitor<'de> for BalanceVisitor {
    type Value = RawBalance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`round_robin`, `least_outstanding`, or what decides, like `{ header: X-Tenant }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawBalance, E> {
        Ok(RawBalance::Word(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawBalance, A::Error> {
        RawBalanceBy::deserialize(MapAccessDeserializer::new(map)).map(RawBalance::By)
    }
}

impl JsonSchema for RawBalance {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Balance")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let by = generator.subschema_for::<RawBalanceBy>();
        json_schema!({
            "description": "`round_robin` (in turn, by weight), `least_outstanding` (of two at random the one with fewer requests under way), or what decides.",
            "oneOf": [{ "enum": ["round_robin", "least_outstanding"] }, by]
        })
    }
}

/// How the requests of a backend are spread over its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Of two at random the one with fewer requests under way for its weight.
    LeastOutstanding,
    /// The same value goes to the same endpoint, and few move when there are more or fewer of them.
    Hash(Affinity),
    /// A cookie of this name says which endpoint answers again.
    Sticky(String),
}

/// The value that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Of a header field.
    Header(HeaderName),
    /// Of a cookie.
    Cookie(String),
    /// The subject of the caller's token.
    Subject,
    /// Of a parameter of the path.
    Path(String),
}

impl RawBalance {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Balance {
        let RawBalanceBy { header, cookie, subject, path: parameter, sticky } = match self {
            Self::By(by) => by,
            Self::Word(word) => {
                return match word.as_str() {
                    "round_robin" => Balance::RoundRobin,
                    "least_outstanding" => Balance::LeastOutstanding,
                    _ => {
                        let message = format!(
                            "`{word}` is no way to spread requests; write `round_robin`, `least_outstanding` or what decides, like `{{ header: X-Tenant }}`"
                        );
                        problems.report(path.clone(), message);
                        Balance::default()
                    }
                };
            }
        };
        let header = header.and_then(|name| match name.parse() {
            Ok(name) => Some(Balance::Hash(Affinity::Header(name))),
            Err(_) => {
                problems.report(path.key("header"), format!("`{name}` is no header field name"));
                None
            }
        });
        for (key, name) in [("cookie", &cookie), ("sticky", &sticky)] {
            if let Some(name) = name.as_ref().filter(|name| !is_cookie_name(name)) {
                problems.report(path.key(key), format!("`{name}` is no cookie name"));
            }
        }
        let mut given = [
            header,
            cookie.map(|name| Balance::Hash(Affinity::Cookie(name))),
            subject.then_some(Balance::Hash(Affinity::Subject)),
            parameter.map(|name| Balance::Hash(Affinity::Path(name))),
            sticky.map(Balance::Sticky),
        ]
        .into_iter()
        .flatten();
        let first = given.next();
        if given.next().is_some() {
            problems
                .report(path.clone(), "one of `header`, `cookie`, `subject`, `path` and `sticky` decides, not several");
        }
        first.unwrap_or_else(|| {
            problems.report_absence(path, "what decides is missing; write `{ header: X-Tenant }`, `{ cookie: session }`, `{ subject: true }`, `{ path: id }` or `{ sticky: endpoint }`");
            Balance::default()
        })
    }
}
