//! What a plugin may do beyond answering calls.

use crate::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What the plugin asks to be allowed. Whatever is not named here is refused.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawPermissions {
    /// Hosts that it may call, each with its scheme and, where it is not the usual one, its port: `https://api.example.com`.
    outbound: Vec<String>,
    /// Environment variables that it sees. What the operator has not set it does not see.
    environment: Vec<String>,
    /// Whether the hosts may be in private networks: loopback, link-local, 10.0.0.0/8 and the like. Default: `false`; a name that
    /// leads there is refused.
    private_networks: bool,
}

/// What a plugin asks to be allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// Hosts that it may call.
    pub outbound: Vec<OutboundHost>,
    /// Names of environment variables that it sees.
    pub environment: Vec<String>,
    /// Whether the hosts may be in private networks.
    pub private_networks: bool,
}

/// A host that a plugin may call. It is written, and serialised, `https://api.example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboundHost {
    /// How it is called.
    pub scheme: Scheme,
    /// Its name in lower case, or its address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How a host is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The port where nothing is said.
    #[must_use]
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl fmt::Display for OutboundHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]")?
        } else {
            write!(f, "{scheme}://{host}")?
        }
        if *port != scheme.usual_port() { write!(f, ":{port}") } else { Ok(()) }
    }
}

/// A text names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host; write scheme, host and where needed port, like `https://api.example.com`")]
pub struct NoHost(String);

impl FromStr for OutboundHost {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        parse_host(text).ok_or_else(|| NoHost(text.to_owned()))
    }
}

impl Serialize for OutboundHost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl RawPermissions {
    pub(super) fn validate(self, problems: &mut ProblemList) -> Permissions {
        let Self { outbound, environment, private_networks } = self;
        let path = ValuePath::default().key("permissions");
        let mut hosts = Vec::new();
        for (index, text) in outbound.iter().enumerate() {
            match parse_host(text) {
                Some(host) if hosts.contains(&host) => {
                    problems.report(path.key("outbound").index(index), format!("`{host}` stands here twice"));
                }
                Some(host) => hosts.push(host),
                None => problems.report(path.key("outbound").index(index), NoHost(text.clone()).to_string()),
            }
        }
        for (index, name) in environment.iter().enumerate() {
            let is_variable = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && !name.is_empty();
            if !is_variable {
                let message = format!("`{name}` is no name of an environment variable; use letters, digits and `_`");
                problems.report(path.key("environment").index(index), message);
            }
        }
        Permissions { outbound: hosts, environment, private_networks }
    }
}

fn parse_host(text: &str) -> Option<OutboundHost> {
    let (scheme, authority) = text.split_once("://")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            (address.to_string(), if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
            None => (authority.to_ascii_lowercase(), None),
        },
    };
    let port = match port {
        None => scheme.usual_port(),
        // A sign is part of a number for Rust, not for a URL.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok().filter(|port| *port != 0)?,
        Some(_) => return None,
    };
    (host.contains(':') || is_host(&host)).then_some(OutboundHost { scheme, host, port })
}

/// A DNS name (RFC 1123) or an IPv4 address in its usual form. Others, like `127.1` or `0x7f.1`, mean different hosts to
/// different readers.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let looks_like_a_number = last.starts_with(|first: char| first.is_ascii_digit());
    host.len() <= 253 && host.split('.').all(is_label) && (!looks_like_a_number || host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_with_its_scheme_and_the_usual_port() {
        for (text, port, written) in [
            ("https://api.Example.com", 443, "https://api.example.com"),
            ("http://a:80", 80, "http://a"),
            ("https://a-b.c:8443", 8443, "https://a-b.c:8443"),
            ("http://10.0.0.1:8080", 8080, "http://10.0.0.1:8080"),
            ("https://[2001:DB8::1]:444", 444, "https://[2001:db8::1]:444"),
            ("https://xn--bcher-kva.example", 443, "https://xn--bcher-kva.example"),
        ] {
            let host = parse_host(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((host.port, host.to_string()), (port, written.to_owned()));
        }
    }

    #[test]
    fn what_could_mean_another_host_is_refused() {
        for text in [
            "api.example.com",
            "ftp://a",
            "HTTPS://a",
            "https://",
            "https://a/path",
            "https://a?",
            "https://user@a",
            "https://a:",
            "https://a:0",
            "https://a:+80",
            "https://a:65536",
            "https://a:1:2",
            "https://a..b",
            "https://a.",
            "https://-a",
            "https://*.example.com",
            "https://bücher.example",
            "http://127.1",
            "http://0x7f.0.0.1",
            "http://2130706433",
            "http://010.0.0.1",
            "http://[::1",
            "http://[::1]x",
            "http://::1",
            "http://[fe80::1%eth0]",
        ] {
            assert_eq!(parse_host(text), None, "{text}");
        }
    }
}
