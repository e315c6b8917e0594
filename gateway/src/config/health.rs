//! The active health check of a backend.

use super::problem::{ProblemList, ValuePath};
use super::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// An active health check. Its times vary by a tenth, so that gateways do not check at the same moment.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Health")]
pub(super) struct RawHealth {
    /// Path to GET; answers with status 200 to 299 are healthy. Without it the check only connects (TCP).
    path: Option<String>,
    /// Statuses that are healthy, in place of 200 to 299.
    status: Option<Vec<u16>>,
    /// Text that the first 64 KiB of the answer must contain.
    body: Option<String>,
    /// Host header of the check. Default: the endpoint's own name.
    host: Option<String>,
    /// Time between two checks. Default: 5s.
    interval: Option<Span>,
    /// Longest time of one check. Default: 2s.
    timeout: Option<Span>,
    /// So many failures in a row make an endpoint unhealthy. Default: 2.
    unhealthy_after: Option<usize>,
    /// So many successes in a row make it healthy again. Default: 1.
    healthy_after: Option<usize>,
}

/// An active health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Path to GET; `None` only connects.
    pub path: Option<String>,
    /// Healthy statuses; empty for 200 to 299.
    pub status: Vec<u16>,
    /// Text that the answer must contain.
    pub body: Option<String>,
    /// Host header, if not the endpoint's own name.
    pub host: Option<String>,
    /// Time between two checks.
    pub interval: Duration,
    /// Longest time of one check.
    pub timeout: Duration,
    /// Failures in a row that make an endpoint unhealthy.
    pub unhealthy_after: usize,
    /// Successes in a row that make it healthy again.
    pub healthy_after: usize,
}

impl RawHealth {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Health {
        let Self { path: request_path, status, body, host, interval, timeout, unhealthy_after, healthy_after } = self;
        let health = Health {
            path: request_path,
            status: status.unwrap_or_default(),
            body,
            host,
            interval: interval.map_or(Duration::from_secs(5), |span| span.0),
            timeout: timeout.map_or(Duration::from_secs(2), |span| span.0),
            unhealthy_after: unhealthy_after.unwrap_or(2),
            healthy_after: healthy_after.unwrap_or(1),
        };
        let valid = |text: &String| text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
        if health.path.as_ref().is_some_and(|text| !valid(text)) {
            problems.report(path.key("path"), "must be a path that starts with `/`");
        }
        let of_http =
            [("status", !health.status.is_empty()), ("body", health.body.is_some()), ("host", health.host.is_some())];
        for (key, _) in of_http.into_iter().filter(|(_, is_given)| *is_given && health.path.is_none()) {
            problems.report(path.key(key), "needs a `path`: without one the check only connects");
        }
        for (index, _) in health.status.iter().enumerate().filter(|(_, status)| !(200..600).contains(*status)) {
            problems.report(path.key("status").index(index), "a status of an answer is between 200 and 599");
        }
        if health.host.as_ref().is_some_and(|host| http::uri::Authority::try_from(host.as_str()).is_err()) {
            problems.report(path.key("host"), "is no host name");
        }
        if health.interval < Duration::from_millis(100) {
            problems.report(path.key("interval"), "at least 100ms: a check costs the endpoint a request");
        }
        if health.timeout.is_zero() {
            problems.report(path.key("timeout"), "0 would fail every check");
        }
        for (key, count) in [("unhealthy_after", health.unhealthy_after), ("healthy_after", health.healthy_after)] {
            if count == 0 {
                problems.report(path.key(key), "the least is 1");
            }
        }
        health
    }
}
