//! Values with a unit: durations, byte sizes, rates.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A span of time as it is written: a number and `ms`, `s`, `m`, `h` or `d`, like `250ms` or `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// A number of bytes as it is written: a plain number or one with `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

/// So many requests in a time, written `100/s`, `6000/m` or `10/500ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least 1.
    pub requests: u32,
    /// In which time.
    pub per: Duration,
}

/// A part of a whole, written `5%` or `0.1%`, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Percent(pub(super) u32);

/// A number of bytes, or a part of what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryBound {
    Bytes(u64),
    /// In millionths.
    Part(u32),
}

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

fn parse_rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is no rate; write requests and a time, like `100/s`, `6000/m` or `10/500ms`");
    let (requests, per) = text.split_once('/').ok_or_else(wrong)?;
    let requests: u32 = requests.trim().parse().map_err(|_parse_error| wrong())?;
    let per = per.trim();
    let per =
        if per.starts_with(|c: char| c.is_ascii_digit()) { parse_span(per) } else { parse_span(&format!("1{per}")) };
    let per = per.map_err(|_parse_error| wrong())?;
    if requests == 0 || per.is_zero() {
        return Err(format!("`{text}` lets nothing through; both numbers must be at least 1"));
    }
    Ok(Rate { requests, per })
}

fn parse_percent(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no part of a whole; write a number from 0 to 100 and `%`, like `5%` or `0.1%`");
    let number: f64 = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end().parse().map_err(|_error| wrong())?;
    if !(0.0..=100.0).contains(&number) {
        return Err(wrong());
    }
    // At most a million.
    Ok((number * 10_000.0).round() as u32)
}

fn parse_memory_bound(text: &str) -> Result<MemoryBound, String> {
    if text.trim_end().ends_with('%') {
        parse_percent(text).map(MemoryBound::Part)
    } else {
        parse_bytes(text).map(MemoryBound::Bytes)
    }
}

/// Text (or a plain number where that is allowed) parsed by a function.
struct Parsed<T> {
    parse: fn(&str) -> Result<T, String>,
    whole_number: Option<fn(u64) -> T>,
    expecting: &'static str,
}

impl<T> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        match self.whole_number {
            Some(make) => Ok(make(number)),
            None => Err(E::custom(format!("{number} has no unit; expected {}", self.expecting))),
        }
    }
}

macro_rules! parsed_text {
    ($name:ident, $parse:expr, $whole_number:expr, $expecting:literal, $pattern:literal, $description:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let visitor = Parsed { parse: $parse, whole_number: $whole_number, expecting: $expecting };
                deserializer.deserialize_any(visitor)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let whole_number: Option<fn(u64) -> $name> = $whole_number;
                let types = if whole_number.is_some() { json_schema!({ "type": ["string", "integer"] }) } else { json_schema!({ "type": "string" }) };
                let mut schema = types;
                schema.insert("pattern".to_owned(), $pattern.into());
                schema.insert("description".to_owned(), $description.into());
                schema
            }
        }
    };
}

parsed_text!(
    Span,
    |text| parse_span(text).map(Span),
    None,
    "a duration like `250ms` or `30s`",
    r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)$|\$\{",
    "A duration: a number and `ms`, `s`, `m`, `h` or `d`."
);
parsed_text!(
    ByteSize,
    |text| parse_bytes(text).map(ByteSize),
    Some(ByteSize),
    "a size like `64MiB` or a number of bytes",
    r"^[0-9]+ ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$|\$\{",
    "A size: a number of bytes, or one with `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`."
);
parsed_text!(
    Rate,
    parse_rate,
    None,
    "a rate like `100/s`",
    r"^[0-9]+ ?/ ?([0-9.]*)(ms|s|m|h|d)$|\$\{",
    "A rate: requests and a time, like `100/s` or `10/500ms`."
);

parsed_text!(
    Percent,
    |text| parse_percent(text).map(Percent),
    None,
    "a part of a whole like `5%`",
    r"^[0-9]+(\.[0-9]+)? ?%$|\$\{",
    "A part of a whole: a number from 0 to 100 and `%`."
);

parsed_text!(
    MemoryBound,
    parse_memory_bound,
    Some(MemoryBound::Bytes),
    "a size like `2GiB` or a part like `80%`",
    r"^[0-9]+ ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$|^[0-9]+(\.[0-9]+)? ?%$|\$\{",
    "A size, or a part of what there is: a number from 0 to 100 and `%`."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_sizes_and_rates_are_read_with_their_units() {
        assert_eq!(parse_span("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_span("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("10 MB"), Ok(10_000_000));
        assert_eq!(parse_memory_bound("80%"), Ok(MemoryBound::Part(800_000)));
        assert_eq!(parse_memory_bound("2GiB"), Ok(MemoryBound::Bytes(2 << 30)));
        assert_eq!((parse_percent("0.1%"), parse_percent("100 %")), (Ok(1000), Ok(1_000_000)));
        assert_eq!(parse_rate("100/s"), Ok(Rate { requests: 100, per: Duration::from_secs(1) }));
        assert_eq!(parse_rate("10/500ms"), Ok(Rate { requests: 10, per: Duration::from_millis(500) }));
    }

    #[test]
    fn numbers_without_a_unit_nonsense_and_overflows_are_refused() {
        for text in ["", "30", "s", "1..2s", "-1s", "5 parsecs", "999999d"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5MiB", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        for text in ["", "5", "%", "101%", "-1%", "NaN%"] {
            assert!(parse_percent(text).is_err(), "{text}");
        }
        for text in ["", "100", "0/s", "1/0s", "/s", "1/x"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
