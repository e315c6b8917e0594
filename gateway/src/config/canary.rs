//! Requests that go to one of a route's targets whatever the shares say.

use super::invoke::validate_claims;
use super::problem::{ProblemList, ValuePath};
use super::route::{RawTest, Surroundings, Target, Test, find_target};
use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// `canary:` of a route, as it is written.
#[derive(Clone, Debug)]
pub(super) enum RawCanaries {
    One(RawCanary),
    Many(Vec<RawCanary>),
}

/// Requests that go to one target whatever the shares say. Every given condition must hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawCanary {
    /// The plugin or backend of this namespace that answers them. It needs no share of its own.
    to: String,
    /// Header fields: the exact value, or `{ present: true }`.
    #[serde(default)]
    headers: BTreeMap<String, RawTest>,
    /// Claims of the caller's token: a claim name or a JSON pointer (`/realm/roles`), and the value or one of the values that it
    /// must be or contain. In a call of a plugin, those of whoever it acts for.
    #[serde(default)]
    claims: BTreeMap<String, serde_json::Value>,
}

/// Requests that go to one target whatever the shares say.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// Who answers them.
    pub to: Target,
    /// Tests of header fields.
    pub headers: Vec<(HeaderName, Test)>,
    /// JSON pointer of a claim, and the values of which it must be or contain one.
    pub claims: Vec<(String, Vec<serde_json::Value>)>,
}

impl RawCanaries {
    pub(super) fn validate(
        self,
        path: &ValuePath,
        is_public: bool,
        around: &Surroundings<'_>,
        problems: &mut ProblemList,
    ) -> Vec<Canary> {
        match self {
            Self::One(canary) => vec![canary.validate(path, is_public, around, problems)],
            Self::Many(canaries) => {
                let validate = |(index, canary): (usize, RawCanary)| {
                    canary.validate(&path.index(index), is_public, around, problems)
                };
                canaries.into_iter().enumerate().map(validate).collect()
            }
        }
    }
}

impl RawCanary {
    fn validate(
        self,
        path: &ValuePath,
        is_public: bool,
        around: &Surroundings<'_>,
        problems: &mut ProblemList,
    ) -> Canary {
        let Self { to, headers, claims } = self;
        if headers.is_empty() && claims.is_empty() && !problems.is_lost(path) {
            problems
                .report(path.clone(), "asks for nothing, so every request would go there; give `headers` or `claims`");
        }
        if is_public && !claims.is_empty() {
            problems.report(path.key("claims"), "a public route asks for no token, so nobody has claims");
        }
        let mut tests = Vec::with_capacity(headers.len());
        for (name, test) in headers {
            match name.parse() {
                Ok(field) => tests.push((field, test.into())),
                Err(_) => {
                    problems.report(path.key("headers").key(name.clone()), format!("`{name}` is no header field name"));
                }
            }
        }
        Canary {
            to: find_target(to, &path.key("to"), around, problems),
            headers: tests,
            claims: validate_claims(claims, &path.key("claims"), problems),
        }
    }
}

impl<'de> Deserialize<'de> for RawCanaries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CanariesVisitor)
    }
}

struct CanariesVisitor;

impl<'de> Visitor<'de> for CanariesVisitor {
    type Value = RawCanaries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping like `{ to: next, headers: { X-Canary: \"1\" } }`, or a list of such")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawCanaries, A::Error> {
        RawCanary::deserialize(MapAccessDeserializer::new(map)).map(RawCanaries::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<RawCanaries, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(RawCanaries::Many)
    }
}

impl JsonSchema for RawCanaries {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Canaries")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<RawCanary>();
        json_schema!({
            "description": "Requests that go to one target whatever the shares say: one kind of them, or a list, of which the first that fits counts.",
            "oneOf": [one.clone(), { "type": "array", "items": one }]
        })
    }
}
