//! Rates: how many requests in a time, counted by what.

use super::problem::{ProblemList, ValuePath};
use super::units::Rate;
use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

/// Most requests in a time, counted by who makes them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRateLimit {
    /// What has a count of its own. Default: `all`, one count for all requests together.
    #[serde(default)]
    by: RawCountedBy,
    /// Most requests in a time, like `100/s`.
    rate: Rate,
    /// Most requests at once after a quiet time, of a `bucket`. Default: as many as `rate` names. Less than clients send at once
    /// refuses them though they are slow on the whole.
    burst: Option<u32>,
    /// How is counted. Default: `bucket`.
    #[serde(default)]
    window: RawWindow,
    /// Whether all gateways count together, in the `redis` of gateway.yaml. Default: false.
    #[serde(default)]
    shared: bool,
}

/// What has a count of its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawCountedBy {
    /// All requests together.
    #[default]
    All,
    /// Each subject of a token or key; callers without one by their address.
    Subject,
    /// Each static key of gateway.yaml, by its name. Callers without one are not counted.
    Key,
    /// Each client address; of IPv6 each network of 64 bits.
    Address,
    /// Each plugin that calls. Requests from outside are not counted.
    Plugin,
    /// Each value of a header field. Requests without the field share one count.
    Header(String),
}

/// How is counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawWindow {
    /// A token bucket, refilled evenly: quiet callers may send `burst` at once.
    #[default]
    Bucket,
    /// No span of the rate's time has more requests than the rate names.
    Sliding,
}

/// Most requests in a time, counted by who makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What has a count of its own.
    pub by: CountedBy,
    /// Most requests in a time.
    pub rate: Rate,
    /// How is counted.
    pub window: Window,
    /// Whether all gateways count together.
    pub shared: bool,
}

/// What has a count of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountedBy {
    /// All requests together.
    All,
    /// Each subject; callers without one by their address.
    Subject,
    /// Each static key.
    Key,
    /// Each client address.
    Address,
    /// Each plugin that calls.
    Plugin,
    /// Each value of a header field.
    Header(HeaderName),
}

/// How is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A token bucket.
    Bucket {
        /// Most requests at once after a quiet time, at least 1.
        burst: u32,
    },
    /// No span of the rate's time has more requests than the rate names.
    Sliding,
}

impl RateLimit {
    /// As many as `rate` names, all requests together.
    #[must_use]
    pub fn of_all(rate: Rate) -> Self {
        Self { by: CountedBy::All, rate, window: Window::Bucket { burst: rate.requests }, shared: false }
    }
}

impl RawRateLimit {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> RateLimit {
        let Self { by, rate, burst, window, shared } = self;
        let by = match by {
            RawCountedBy::All => CountedBy::All,
            RawCountedBy::Subject => CountedBy::Subject,
            RawCountedBy::Key => CountedBy::Key,
            RawCountedBy::Address => CountedBy::Address,
            RawCountedBy::Plugin => CountedBy::Plugin,
            RawCountedBy::Header(name) => match name.parse() {
                Ok(name) => CountedBy::Header(name),
                Err(_) => {
                    let message = format!("`{name}` is no header field name");
                    problems.report(path.key("by").key("header"), message);
                    CountedBy::All
                }
            },
        };
        if burst == Some(0) {
            problems.report(path.key("burst"), "0 would refuse every request; the least is 1");
        }
        let window = match window {
            RawWindow::Bucket => Window::Bucket { burst: burst.unwrap_or(rate.requests).max(1) },
            RawWindow::Sliding => {
                if burst.is_some() {
                    problems.report(path.key("burst"), "only a `bucket` has a burst; a sliding window has its rate");
                }
                Window::Sliding
            }
        };
        RateLimit { by, rate, window, shared }
    }
}
