//! Which hosts a route answers for.

use super::pattern_error::PatternError;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The longest host name in bytes (RFC 1035 §2.3.4); a longer one matches no pattern.
pub(super) const LONGEST_HOST: usize = 253;
/// The longest label of a host name in bytes (RFC 1035 §2.3.4).
const LONGEST_LABEL: usize = 63;

/// A host name, or `*.` and a host name. Lower case, without port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Exactly this host: a name, an IPv4 address, or an IPv6 address in brackets.
    Exact(Box<str>),
    /// Every host with one or more labels to the left of this one.
    Wildcard(Box<str>),
}

impl HostPattern {
    /// Reads `api.example.com`, `*.example.com`, `10.0.0.1` or `[::1]`. Upper case becomes lower case.
    ///
    /// # Errors
    ///
    /// When the text is no host, carries a port, or has `*` anywhere but as first label. International names must be
    /// written in their ASCII form (`xn--…`).
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::new(0, "the host is empty; leave hosts out for any host"));
        }
        if text == "*" {
            return Err(PatternError::new(0, "`*` alone is no host; leave hosts out for any host"));
        }
        if text.starts_with('[') {
            return parse_ipv6(text);
        }
        let (suffix, offset) = text.strip_prefix("*.").map_or((text, 0), |suffix| (suffix, 2));
        check_name(suffix, offset)?;
        let name = suffix.to_ascii_lowercase().into_boxed_str();
        Ok(if offset == 0 { Self::Exact(name) } else { Self::Wildcard(name) })
    }

    /// Whether the pattern matches `host`, which is in normal form: lower case, without port and final dot.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host == &**name,
            Self::Wildcard(suffix) => {
                host.len() <= LONGEST_HOST
                    && host
                        .strip_suffix(&**suffix)
                        .and_then(|labels| labels.strip_suffix('.'))
                        .is_some_and(|labels| !labels.is_empty())
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

fn parse_ipv6(text: &str) -> Result<HostPattern, PatternError> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .ok_or_else(|| PatternError::new(0, "an IPv6 address ends with `]` and has no port"))?;
    match inner.parse::<Ipv6Addr>() {
        Ok(_) => Ok(HostPattern::Exact(text.to_ascii_lowercase().into_boxed_str())),
        Err(_) => Err(PatternError::new(1, format!("`{inner}` is no IPv6 address"))),
    }
}

fn check_name(name: &str, offset: usize) -> Result<(), PatternError> {
    if name.len() > LONGEST_HOST {
        return Err(PatternError::new(offset, format!("a host name is at most {LONGEST_HOST} bytes long")));
    }
    let mut start = offset;
    for label in name.split('.') {
        check_label(label, start)?;
        start += label.len() + 1;
    }
    Ok(())
}

fn check_label(label: &str, start: usize) -> Result<(), PatternError> {
    if label.is_empty() {
        return Err(PatternError::new(start, "a label between dots is empty"));
    }
    for (index, character) in label.char_indices() {
        let offset = start + index;
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => {}
            '*' => {
                return Err(PatternError::new(offset, "`*` may only be the whole first label, as in `*.example.com`"));
            }
            ':' => return Err(PatternError::new(offset, "the host is written without port")),
            '/' => return Err(PatternError::new(offset, "the host is written without scheme and path")),
            other if !other.is_ascii() => {
                let message = format!("`{other}` is not ASCII; write the name in its `xn--` form");
                return Err(PatternError::new(offset, message));
            }
            other => return Err(PatternError::new(offset, format!("{other:?} cannot be part of a host name"))),
        }
    }
    if label.len() > LONGEST_LABEL {
        return Err(PatternError::new(start, format!("a label is at most {LONGEST_LABEL} bytes long")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_exactly_or_with_labels_to_the_left() {
        for (pattern, host, expected) in [
            ("example.com", "example.com", true),
            ("Example.COM", "example.com", true),
            ("example.com", "a.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "notexample.com", false),
            ("[::1]", "[::1]", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("example.com", "", false),
        ] {
            let parsed = HostPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(host), expected, "{pattern} against {host}");
        }
    }

    #[test]
    fn a_wrong_host_is_refused_at_the_place_that_is_wrong() {
        for (pattern, offset, word) in [
            ("", 0, "empty"),
            ("*", 0, "any host"),
            ("a.*.com", 2, "first label"),
            ("a*.com", 1, "first label"),
            ("*.", 2, "empty"),
            ("a..b", 2, "empty"),
            ("example.com.", 12, "empty"),
            ("example.com:80", 11, "port"),
            ("https://example.com", 5, "port"),
            ("a/b", 1, "path"),
            ("grüße.de", 2, "xn--"),
            ("a b", 1, "' '"),
            ("[::1", 0, "]"),
            ("[::1]:80", 0, "port"),
            ("[nonsense]", 1, "IPv6"),
        ] {
            let error = HostPattern::parse(pattern).unwrap_err();
            assert_eq!(error.offset, offset, "{pattern}: {error}");
            assert!(error.message.contains(word), "{pattern}: {error}");
        }
        assert!(HostPattern::parse(&"a".repeat(64)).is_err());
        assert!(HostPattern::parse(&"a.".repeat(127)).is_err());
    }
}
