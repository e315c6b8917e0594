//! How many requests at once, who waits for room, and who goes first.

use super::problem::{ProblemList, ValuePath};
use super::units::Span;
use crate::request::Priority;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Requests that may wait for room under one limit.
const MOST_QUEUED: u32 = 100_000;

/// Most requests at once.
#[derive(Clone, Debug)]
pub(super) enum RawConcurrency {
    Most(u32),
    Full(RawConcurrencySettings),
}

/// Most requests at once, and who waits for room.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawConcurrencySettings {
    /// A number, or `adaptive`: as many as the backend answers without queueing, learnt from its latencies.
    limit: RawMost,
    /// With `adaptive`: never fewer than this. Default: 4. Too small a number starves callers while the backend recovers.
    least: Option<u32>,
    /// With `adaptive`: never more than this. Default: 512.
    most: Option<u32>,
    /// Requests that may wait for room, by priority and then in the order in which they came. Default: 0: what finds no room is
    /// refused at once. Each one that waits holds its connection.
    queue: Option<u32>,
    /// Longest time that a request waits for room. Default: 1s.
    queue_timeout: Option<Span>,
}

/// A number, or `adaptive`.
#[derive(Clone, Copy, Debug)]
enum RawMost {
    Fixed(u32),
    Adaptive,
}

/// Who goes first when there is not room for all.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawPriority {
    /// First out of the queue, and served as long as anything is.
    High,
    /// In between.
    Normal,
    /// Refused first: gives up its place in a full queue, and is shed first.
    Low,
}

/// Most requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// How many.
    pub limit: MostAtOnce,
    /// Requests that may wait for room.
    pub queue: u32,
    /// Longest time that one waits.
    pub queue_timeout: Duration,
}

/// How many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MostAtOnce {
    /// This many, at least 1.
    Fixed(u32),
    /// As many as are answered without queueing.
    Adaptive {
        /// Never fewer; at least 1.
        least: u32,
        /// Never more.
        most: u32,
    },
}

impl RawPriority {
    pub(super) fn validate(self) -> Priority {
        match self {
            Self::High => Priority::High,
            Self::Normal => Priority::Normal,
            Self::Low => Priority::Low,
        }
    }
}

impl RawConcurrency {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Concurrency {
        let settings = match self {
            Self::Most(most) => {
                check_most(most, path, problems);
                return Concurrency { limit: MostAtOnce::Fixed(most.max(1)), queue: 0, queue_timeout: Duration::ZERO };
            }
            Self::Full(settings) => settings,
        };
        let RawConcurrencySettings { limit, least, most, queue, queue_timeout } = settings;
        let limit = match limit {
            RawMost::Fixed(limit) => {
                check_most(limit, &path.key("limit"), problems);
                for (key, value) in [("least", least), ("most", most)] {
                    if value.is_some() {
                        problems.report(path.key(key), "only `limit: adaptive` moves between two bounds");
                    }
                }
                MostAtOnce::Fixed(limit.max(1))
            }
            RawMost::Adaptive => {
                let (least, most) = (least.unwrap_or(4), most.unwrap_or(512));
                check_most(least, &path.key("least"), problems);
                if most < least {
                    problems.report(path.key("most"), format!("must be at least {least}, like `least`"));
                }
                MostAtOnce::Adaptive { least: least.max(1), most: most.max(least).max(1) }
            }
        };
        let queue = queue.unwrap_or(0);
        if queue > MOST_QUEUED {
            problems.report(path.key("queue"), format!("must be between 0 and {MOST_QUEUED}"));
        }
        let timeout = queue_timeout.map_or(Duration::from_secs(1), |span| span.0);
        if timeout.is_zero() {
            problems.report(path.key("queue_timeout"), "0 would let nobody wait; leave `queue` out for that");
        }
        if queue == 0 && queue_timeout.is_some() {
            problems.report(path.key("queue_timeout"), "nobody waits without a `queue`");
        }
        Concurrency { limit, queue, queue_timeout: timeout }
    }
}

fn check_most(most: u32, path: &ValuePath, problems: &mut ProblemList) {
    if most == 0 {
        problems.report(path.clone(), "0 would refuse every request; the least is 1");
    }
}

impl<'de> Deserialize<'de> for RawConcurrency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ConcurrencyVisitor)
    }
}

struct ConcurrencyVisitor;

impl<'de> Visitor<'de> for ConcurrencyVisitor {
    type Value = RawConcurrency;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a mapping like `{ limit: adaptive, queue: 100 }`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<RawConcurrency, E> {
        whole(number).map(RawConcurrency::Most)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawConcurrency, A::Error> {
        RawConcurrencySettings::deserialize(MapAccessDeserializer::new(map)).map(RawConcurrency::Full)
    }
}

fn whole<E: Error>(number: u64) -> Result<u32, E> {
    u32::try_from(number).map_err(|_too_large| E::custom(format!("{number} is more than {}", u32::MAX)))
}

impl<'de> Deserialize<'de> for RawMost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MostVisitor)
    }
}

struct MostVisitor;

impl Visitor<'_> for MostVisitor {
    type Value = RawMost;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or `adaptive`")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<RawMost, E> {
        whole(number).map(RawMost::Fixed)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawMost, E> {
        match text {
            "adaptive" => Ok(RawMost::Adaptive),
            other => Err(E::custom(format!("`{other}` is neither a number nor `adaptive`"))),
        }
    }
}

impl JsonSchema for RawConcurrency {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Concurrency")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<RawConcurrencySettings>();
        json_schema!({
            "description": "Most requests at once: a number, or how they are limited and who waits for room.",
            "oneOf": [{ "type": "integer", "minimum": 1, "maximum": u32::MAX }, full]
        })
    }
}

impl JsonSchema for RawMost {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("MostAtOnce")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "integer", "minimum": 1, "maximum": u32::MAX }, { "const": "adaptive" }] })
    }
}
