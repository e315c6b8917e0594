//! Where a network backend is.

use super::problem::{ProblemList, ValuePath};

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

pub(super) fn validate_endpoints(texts: &[String], path: &ValuePath, problems: &mut ProblemList) -> Vec<Endpoint> {
    if texts.is_empty() {
        problems.report_absence(path, "name at least one endpoint");
    }
    let mut endpoints = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match parse_endpoint(text) {
            Ok(endpoint) if endpoints.contains(&endpoint) => {
                problems.report(path.index(index), format!("`{text}` is listed twice"));
            }
            Ok(endpoint) => endpoints.push(endpoint),
            Err(message) => problems.report(path.index(index), message),
        }
    }
    endpoints
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
    Ok(Endpoint { host, port, tls })
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
