//! Where a network backend is.

use super::problem::{ProblemList, ValuePath};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its share of the requests against the others', 1 to 1000.
    pub weight: u32,
}

/// The largest weight.
const MOST_WEIGHT: u32 = 1000;

/// Where a backend is: its base address, or a mapping with a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawEndpoint {
    url: String,
    weight: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WeightedEndpoint")]
struct RawWeighted {
    /// Its base address, like `http://10.0.0.7:8000`.
    url: String,
    /// Its share of the requests against the others', 1 to 1000. Default: 1.
    weight: Option<u32>,
}

impl<'de> Deserialize<'de> for RawEndpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EndpointVisitor)
    }
}

struct EndpointVisitor;

impl<'de> Visitor<'de> for EndpointVisitor {
    type Value = RawEndpoint;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a base address like `http://10.0.0.7:8000`, or `{ url: http://10.0.0.7:8000, weight: 3 }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawEndpoint, E> {
        Ok(RawEndpoint { url: text.to_owned(), weight: 1 })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawEndpoint, A::Error> {
        let RawWeighted { url, weight } = RawWeighted::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RawEndpoint { url, weight: weight.unwrap_or(1) })
    }
}

impl JsonSchema for RawEndpoint {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Endpoint")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let weighted = generator.subschema_for::<RawWeighted>();
        json_schema!({
            "description": "A base address like `http://10.0.0.7:8000`, alone or with its weight.",
            "oneOf": [{ "type": "string" }, weighted]
        })
    }
}

pub(super) fn validate_endpoints(
    raw: Vec<RawEndpoint>,
    is_discovered: bool,
    path: &ValuePath,
    problems: &mut ProblemList,
) -> Vec<Endpoint> {
    if raw.is_empty() && !is_discovered {
        problems.report_absence(path, "name at least one endpoint, or where they come from by `discover`");
    }
    let mut endpoints: Vec<Endpoint> = Vec::with_capacity(raw.len());
    for (index, RawEndpoint { url, weight }) in raw.into_iter().enumerate() {
        match parse_endpoint(&url) {
            Ok(endpoint) if endpoints.iter().any(|other| other.is_at(&endpoint)) => {
                problems.report(path.index(index), format!("`{url}` is listed twice"));
            }
            Ok(endpoint) => endpoints.push(Endpoint { weight, ..endpoint }),
            Err(message) => problems.report(path.index(index), message),
        }
        if !(1..=MOST_WEIGHT).contains(&weight) {
            problems.report(path.index(index).key("weight"), format!("must be between 1 and {MOST_WEIGHT}"));
        }
    }
    endpoints
}

impl Endpoint {
    /// Whether it is the same place, whatever its weight.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        (&self.host, self.port, self.tls) == (&other.host, other.port, other.tls)
    }
}

/// Reads a list of endpoints as a backend's `endpoints` are written (YAML or JSON), for a file that is discovered from.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse_endpoints(text: &str) -> Result<Vec<Endpoint>, String> {
    let raw: Vec<RawEndpoint> = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let mut endpoints: Vec<Endpoint> = Vec::with_capacity(raw.len());
    for RawEndpoint { url, weight } in raw {
        let endpoint = parse_endpoint(&url)?;
        if !(1..=MOST_WEIGHT).contains(&weight) {
            return Err(format!("the weight of `{url}` must be between 1 and {MOST_WEIGHT}"));
        }
        if endpoints.iter().any(|other| other.is_at(&endpoint)) {
            return Err(format!("`{url}` is listed twice"));
        }
        endpoints.push(Endpoint { weight, ..endpoint });
    }
    if endpoints.is_empty() { Err("it names no endpoint".to_owned()) } else { Ok(endpoints) }
}

/// Reads the base address of an endpoint.
///
/// # Errors
/// What is wrong with it.
pub fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    let wrong = |what: &str| format!("`{text}` {what}; write `http://host:port` or `https://host:port`");
    let uri: http::Uri = text.parse().map_err(|_parse_error| wrong("is no address"))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong("has no known scheme")),
    };
    let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("holds credentials, which belong elsewhere"));
    }
    if !matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("/" | "")) {
        return Err(wrong("has a path, which belongs into the route's `rewrite`"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    let port = match authority.port() {
        Some(port) => Some(port.as_u16()).filter(|port| *port != 0).ok_or_else(|| wrong("has port 0"))?,
        None if tls => 443,
        None => 80,
    };
    Ok(Endpoint { host, port, tls, weight: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_with_their_default_ports() {
        let endpoint = |text: &str| parse_endpoint(text).map(|e| (e.host, e.port, e.tls));
        assert_eq!(endpoint("http://a"), Ok(("a".to_owned(), 80, false)));
        assert_eq!(endpoint("https://a.example.com/"), Ok(("a.example.com".to_owned(), 443, true)));
        assert_eq!(endpoint("http://[::1]:8000"), Ok(("::1".to_owned(), 8000, false)));
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        for (text, reason) in [
            ("10.0.0.1:80", "scheme"),
            ("ftp://a", "scheme"),
            ("http://a/path", "path"),
            ("http://user:pass@a", "credentials"),
            ("http://a:0", "port 0"),
            ("", "no address"),
        ] {
            assert!(parse_endpoint(text).is_err_and(|message| message.contains(reason)), "{text}");
        }
    }
}
