//! What changes between the client's request and the backend's.

use super::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What changes on the way to the backend and back.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRewrite {
    /// Taken off the front of the path; the backend is told in `X-Forwarded-Prefix`. Must begin the route's own path.
    strip_prefix: Option<String>,
    /// Put before the path, after `strip_prefix`.
    add_prefix: Option<String>,
    /// Whether links in answers are changed so that they lead back through the gateway: `Location`, `Content-Location`, `Link`, the
    /// paths of cookies, and the links in pages of documentation (`/docs`, `/redoc`, `/openapi.json`). Default: true.
    links: Option<bool>,
    /// Changes to the request's header fields.
    request_headers: RawHeaderEdits,
    /// Changes to the answer's header fields.
    response_headers: RawHeaderEdits,
}

/// Changes to header fields.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawHeaderEdits {
    /// Fields to remove, before any is set.
    remove: Vec<String>,
    /// Fields to set, in place of those that are there.
    set: BTreeMap<String, String>,
}

/// What changes on the way to the backend and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Taken off the front of the path; starts with `/`, does not end with one.
    pub strip_prefix: Option<String>,
    /// Put before the path; starts with `/`, does not end with one.
    pub add_prefix: Option<String>,
    /// Whether links in answers are changed so that they lead back through the gateway.
    pub links: bool,
    /// Changes to the request's header fields.
    pub request_headers: HeaderEdits,
    /// Changes to the answer's header fields.
    pub response_headers: HeaderEdits,
}

/// Changes to header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Fields to remove first.
    pub remove: Vec<http::HeaderName>,
    /// Fields to set.
    pub set: Vec<(http::HeaderName, http::HeaderValue)>,
}

impl Default for Rewrite {
    fn default() -> Self {
        Self {
            strip_prefix: None,
            add_prefix: None,
            links: true,
            request_headers: HeaderEdits::default(),
            response_headers: HeaderEdits::default(),
        }
    }
}

impl HeaderEdits {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }
}

/// Fields that belong to the message framing or to the gateway itself.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

/// Fields by which the gateway tells a backend who calls.
const IDENTITY_PREFIX: &str = "x-framex-";

impl RawRewrite {
    pub(super) fn validate(self, path: &ValuePath, route_path: &str, problems: &mut ProblemList) -> Rewrite {
        let Self { strip_prefix, add_prefix, links, request_headers, response_headers } = self;
        let strip_prefix = strip_prefix.map(|prefix| check_prefix(&prefix, &path.key("strip_prefix"), problems));
        if let Some(prefix) = &strip_prefix
            && !route_path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            problems.report(
                path.key("strip_prefix"),
                format!("the route's path `{route_path}` does not begin with `{prefix}`"),
            );
        }
        Rewrite {
            links: links.unwrap_or(true),
            strip_prefix,
            add_prefix: add_prefix.map(|prefix| check_prefix(&prefix, &path.key("add_prefix"), problems)),
            request_headers: request_headers.validate(&path.key("request_headers"), problems),
            response_headers: response_headers.validate(&path.key("response_headers"), problems),
        }
    }
}

pub(super) fn check_prefix(prefix: &str, path: &ValuePath, problems: &mut ProblemList) -> String {
    let plain = prefix.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}*?#%\\\"<>^`|".contains(&byte));
    if !prefix.starts_with('/') || prefix.len() < 2 || !plain || prefix.contains("//") {
        problems.report(
            path.clone(),
            format!("`{prefix}` is no path prefix; write plain text that starts with `/`, like `/api/v1/legacy`"),
        );
    }
    prefix.trim_end_matches('/').to_owned()
}

impl RawHeaderEdits {
    fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> HeaderEdits {
        let Self { remove, set } = self;
        let mut edits = HeaderEdits::default();
        for (index, name) in remove.iter().enumerate() {
            if let Some(name) = check_field_name(name, &path.key("remove").index(index), problems) {
                edits.remove.push(name);
            }
        }
        for (name, value) in &set {
            let path = path.key("set").key(name.clone());
            let Some(name) = check_field_name(name, &path, problems) else { continue };
            match value.parse() {
                Ok(value) => edits.set.push((name, value)),
                Err(_) => problems.report(path, "is no header value: control characters are not allowed"),
            }
        }
        edits
    }
}

pub(super) fn check_field_name(name: &str, path: &ValuePath, problems: &mut ProblemList) -> Option<http::HeaderName> {
    let Ok(parsed) = name.parse::<http::HeaderName>() else {
        problems.report(path.clone(), format!("`{name}` is no header field name"));
        return None;
    };
    if RESERVED.contains(&parsed.as_str()) || parsed.as_str().starts_with(IDENTITY_PREFIX) {
        problems.report(path.clone(), format!("`{name}` belongs to the gateway and cannot be edited"));
        return None;
    }
    Some(parsed)
}
