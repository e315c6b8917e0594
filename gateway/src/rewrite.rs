//! What changes between the client's request and the backend's: path and header fields. Pure.

mod moved_links;

pub use moved_links::Move;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;

/// Path and header edits of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRewrite {
    /// Taken off the front of the path; starts with `/`, does not end with one.
    pub strip_prefix: Option<String>,
    /// The same as backends are told it, in `X-Forwarded-Prefix`.
    pub prefix_field: Option<HeaderValue>,
    /// Put before the path; starts with `/`, does not end with one.
    pub add_prefix: Option<String>,
    /// Whether links in answers are changed so that they lead back here.
    pub links: bool,
    /// Fields of the request to remove.
    pub remove_request: Vec<HeaderName>,
    /// Fields of the request to set.
    pub set_request: Vec<(HeaderName, HeaderValue)>,
    /// Fields of the answer to remove.
    pub remove_response: Vec<HeaderName>,
    /// Fields of the answer to set.
    pub set_response: Vec<(HeaderName, HeaderValue)>,
}

/// Identity fields that only the gateway may set; whatever a client sends under these names is removed.
const IDENTITY_FIELDS: [&str; 9] = [
    "x-framex-subject",
    "x-framex-namespace",
    "x-framex-issuer",
    "x-framex-caller",
    "x-framex-plugin",
    "x-framex-depth",
    "x-framex-call",
    "x-framex-timeout-ms",
    "x-framex-shadow",
];

/// Forwarding fields that only a trusted proxy may set.
const FORWARDING_FIELDS: [&str; 7] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-real-ip",
];

impl RouteRewrite {
    /// The path for the backend; borrows when nothing changes.
    #[must_use]
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let stripped = match &self.strip_prefix {
            Some(prefix) => path.strip_prefix(prefix.as_str()).unwrap_or(path),
            None => path,
        };
        // `/api/legacy` without its prefix is the backend's root.
        let stripped = if stripped.is_empty() { "/" } else { stripped };
        match &self.add_prefix {
            Some(prefix) => Cow::Owned(format!("{prefix}{stripped}")),
            None => Cow::Borrowed(stripped),
        }
    }

    /// Edits the fields of an answer.
    pub fn edit_response(&self, fields: &mut HeaderMap) {
        for name in &self.remove_response {
            fields.remove(name);
        }
        for (name, value) in &self.set_response {
            fields.insert(name.clone(), value.clone());
        }
    }

    /// Whether header fields of the answer change.
    #[must_use]
    pub fn edits_response(&self) -> bool {
        !self.remove_response.is_empty() || !self.set_response.is_empty()
    }
}

/// A copy of `headers` as a plugin may see them: without connection fields, identity and forwarding fields of the client.
#[must_use]
pub fn end_to_end_fields(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if !is_hop_by_hop(name, headers) && !is_gateways_own(name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Whether a field concerns only one connection (RFC 9110 §7.6.1), by its name or because `Connection` lists it.
#[must_use]
pub fn is_hop_by_hop(name: &HeaderName, headers: &HeaderMap) -> bool {
    const ALWAYS: [&str; 8] = [
        "connection",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    ALWAYS.contains(&name.as_str())
        || headers.get_all(http::header::CONNECTION).iter().any(|listed| {
            listed
                .to_str()
                .is_ok_and(|listed| listed.split(',').any(|part| part.trim().eq_ignore_ascii_case(name.as_str())))
        })
}

/// Whether only the gateway or a trusted proxy may set the field.
#[must_use]
pub fn is_gateways_own(name: &HeaderName) -> bool {
    let name = name.as_str();
    // Nearly every field is ruled out by its first letters.
    (name.starts_with("x-") || name.starts_with('f'))
        && (IDENTITY_FIELDS.contains(&name) || FORWARDING_FIELDS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_taken_off_and_put_on_at_whole_segments() {
        let rewrite = |strip: Option<&str>, add: Option<&str>| RouteRewrite {
            strip_prefix: strip.map(str::to_owned),
            add_prefix: add.map(str::to_owned),
            ..RouteRewrite::default()
        };
        assert_eq!(rewrite(Some("/api/legacy"), None).path("/api/legacy/items/7"), "/items/7");
        assert_eq!(rewrite(Some("/api/legacy"), None).path("/api/legacy"), "/");
        assert_eq!(rewrite(Some("/api/legacy"), Some("/v2")).path("/api/legacy/x"), "/v2/x");
        assert_eq!(rewrite(None, None).path("/x"), "/x");
        assert!(matches!(rewrite(Some("/api"), None).path("/api/x"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_plugin_sees_no_connection_fields_and_no_identity_of_the_clients_making() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("accept", "*/*"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("x-framex-subject", "root"),
            ("x-forwarded-for", "1.2.3.4"),
        ] {
            headers.insert(name.parse::<HeaderName>().expect("name"), value.parse().expect("value"));
        }
        let kept = end_to_end_fields(&headers);
        assert_eq!(kept.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
