//! Who answers when a route's target cannot.

use super::problem::{ProblemList, ValuePath};
use super::rewrite::check_field_name;
use super::route::{Share, Surroundings, Target, find_target};
use http::{HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The longest chain.
const MOST_STEPS: usize = 8;

/// Who answers when a route's target cannot, one after the other.
#[derive(Clone, Debug)]
pub(super) struct RawFallback(Vec<RawStep>);

#[derive(Clone, Debug)]
enum RawStep {
    Backend(String),
    Answer(RawAnswer),
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FallbackAnswer")]
struct RawAnswerStep {
    /// The answer.
    answer: RawAnswer,
}

/// An answer that is written in the configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WrittenAnswer")]
pub(super) struct RawAnswer {
    /// Its status. Default: 200.
    status: Option<u16>,
    /// Its header fields.
    headers: BTreeMap<String, String>,
    /// Its body as text.
    text: Option<String>,
    /// Its body as JSON.
    json: Option<serde_json::Value>,
}

/// An answer that is written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenAnswer {
    /// Its status.
    pub status: u16,
    /// Its header fields, the type of its content included.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    pub body: String,
}

struct FallbackVisitor;

impl<'de> Visitor<'de> for FallbackVisitor {
    type Value = RawFallback;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a backend or worker, `{ answer: { … } }`, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawFallback, E> {
        Ok(RawFallback(vec![RawStep::Backend(text.to_owned())]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawFallback, A::Error> {
        let RawAnswerStep { answer } = RawAnswerStep::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RawFallback(vec![RawStep::Answer(answer)]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<RawFallback, A::Error> {
        let steps: Vec<RawFallback> = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(RawFallback(steps.into_iter().flat_map(|step| step.0).collect()))
    }
}

impl<'de> Deserialize<'de> for RawFallback {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FallbackVisitor)
    }
}

impl JsonSchema for RawFallback {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Fallback")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let answer = generator.subschema_for::<RawAnswerStep>();
        json_schema!({
            "description": "The name of a backend or worker, or several of them one after the other; at the end perhaps an answer.",
            "oneOf": [
                { "type": "string" },
                answer,
                { "type": "array", "minItems": 1, "maxItems": MOST_STEPS, "items": { "oneOf": [{ "type": "string" }, answer] } }
            ]
        })
    }
}

impl RawFallback {
    pub(super) fn validate(
        self,
        targets: &[Share],
        path: &ValuePath,
        around: &Surroundings<'_>,
        problems: &mut ProblemList,
    ) -> (Vec<String>, Option<WrittenAnswer>) {
        let count = self.0.len();
        if count == 0 || count > MOST_STEPS {
            problems.report(path.clone(), format!("a chain has 1 to {MOST_STEPS} steps"));
        }
        let mut names: Vec<String> = Vec::new();
        let mut answer = None;
        for (index, step) in self.0.into_iter().enumerate() {
            let path = if count == 1 { path.clone() } else { path.index(index) };
            match step {
                RawStep::Answer(raw) => {
                    if index + 1 < count {
                        problems.report(path.clone(), "the written answer never fails, so it is the last step");
                    }
                    answer = Some(raw.validate(&path.key("answer"), problems));
                }
                RawStep::Backend(name) => {
                    let Target::Backend(name) = find_target(name, &path, around, problems) else {
                        problems.report(path, "is a plugin in the process; what steps in is a backend or a worker");
                        continue;
                    };
                    let is_it = |share: &Share| matches!(&share.target, Target::Backend(other) if *other == name);
                    if targets.iter().all(is_it) {
                        problems.report(path, format!("`{name}` is what the route goes `to` already"));
                    } else if names.contains(&name) {
                        problems.report(path, format!("`{name}` is in the chain already"));
                    }
                    names.push(name);
                }
            }
        }
        (names, answer)
    }
}

impl RawAnswer {
    fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> WrittenAnswer {
        let Self { status, headers, text, json } = self;
        let status = status.unwrap_or(200);
        if !(200..600).contains(&status) || [204, 205, 304].contains(&status) {
            problems.report(path.key("status"), "must be a status with a body, between 200 and 599");
        }
        if text.is_some() && json.is_some() {
            problems.report(path.clone(), "the body is `text` or `json`, not both");
        }
        let content_type = if json.is_some() { "application/json" } else { "text/plain; charset=utf-8" };
        let mut fields = vec![(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        for (name, value) in headers {
            let place = path.key("headers").key(name.clone());
            let Some(name) = check_field_name(&name, &place, problems) else { continue };
            match HeaderValue::from_str(&value) {
                Ok(value) => {
                    fields.retain(|(other, _)| *other != name);
                    fields.push((name, value));
                }
                Err(_) => problems.report(place, "is no header value: control characters are not allowed"),
            }
        }
        let body = text.or_else(|| json.map(|json| json.to_string())).unwrap_or_default();
        WrittenAnswer { status, headers: fields, body }
    }
}
