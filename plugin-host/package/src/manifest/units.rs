//! Values with a unit, as they are written: durations and byte sizes, like everywhere in the gateway's configuration.

use crate::problem::{ProblemList, ValuePath};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A span of time as it is written: a number and `ms`, `s`, `m`, `h` or `d`, like `250ms` or `1.5s`.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Span(String);

/// A number of bytes as it is written: a plain number or one with `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct ByteSize(Value);

const TIME_UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
const BYTE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
/// Longer than any timeout a person can mean; keeps every sum of deadlines far from overflow.
const LONGEST: f64 = 366.0 * 86_400.0;

/// Values that make sense, and how the bound is said.
pub(super) struct Sense<T> {
    pub(super) range: RangeInclusive<T>,
    pub(super) words: &'static str,
}

impl Span {
    /// The duration, reported when it is none or makes no sense.
    pub(super) fn validate(
        self,
        path: &ValuePath,
        sense: &Sense<Duration>,
        problems: &mut ProblemList,
    ) -> Option<Duration> {
        check(parse_span(&self.0), path, sense, problems)
    }
}

impl ByteSize {
    /// The size in bytes, reported when it is none or makes no sense.
    pub(super) fn validate(self, path: &ValuePath, sense: &Sense<u64>, problems: &mut ProblemList) -> Option<u64> {
        let parsed = match self.0 {
            Value::String(text) => parse_bytes(&text),
            // The shape lets only numbers and texts through.
            number => number.as_u64().ok_or_else(|| "is too large or negative".to_owned()),
        };
        check(parsed, path, sense, problems)
    }
}

fn check<T: PartialOrd>(
    parsed: Result<T, String>,
    path: &ValuePath,
    sense: &Sense<T>,
    problems: &mut ProblemList,
) -> Option<T> {
    let problem = match parsed {
        Ok(value) if sense.range.contains(&value) => return Some(value),
        Ok(_) => format!("must be {}", sense.words),
        Err(message) => message,
    };
    problems.report(path.clone(), problem);
    None
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is no duration; write a number and a unit (ms, s, m, h, d), like `250ms` or `30s`");
    let (number, unit) = split_number(text.trim());
    let number: f64 = number.parse().map_err(|_parse_error| wrong())?;
    let (_, factor) = TIME_UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let seconds = number * factor;
    if seconds > LONGEST {
        return Err(format!("`{text}` is longer than a year"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("`{text}` is no size; write a number of bytes or one with KiB, MiB, GiB, kB, MB or GB, like `64MiB`")
    };
    let (number, unit) = split_number(text.trim());
    let unit = if unit.is_empty() { "B" } else { unit };
    let number: u64 = number.parse().map_err(|_parse_error| wrong())?;
    let (_, factor) = BYTE_UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    number.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large"))
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Span")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)$",
            "description": "A duration: a number and `ms`, `s`, `m`, `h` or `d`.",
            "examples": ["30s"]
        })
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("ByteSize")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": r"^[0-9]+ ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$",
            "description": "A size: a number of bytes, or one with `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`.",
            "examples": ["64MiB"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_with_their_units() {
        assert_eq!(parse_span("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_span("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("10 MB"), Ok(10_000_000));
    }

    #[test]
    fn numbers_without_a_unit_nonsense_and_overflows_are_refused() {
        for text in ["", "30", "s", "1..2s", "-1s", "5 parsecs", "999999d"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5MiB", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
