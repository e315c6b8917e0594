//! How much traffic a namespace or a route takes.

use super::problem::{ProblemList, ValuePath};
use super::units::{ByteSize, Rate};
use schemars::JsonSchema;
use serde::Deserialize;

/// How much traffic a namespace or a route takes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawTrafficLimits {
    /// Most requests in a time, counted in this process, like `100/s`; up to that many may come at once. Default: no
    /// limit. Requests above it get 429 `rate_limited`.
    rate: Option<Rate>,
    /// Most requests at once. Default: no limit. Requests above it get 503 `busy`.
    concurrency: Option<u32>,
    /// Largest request body. Default: no limit. Larger ones get 413 `body_too_large`.
    request_body: Option<ByteSize>,
}

/// How much traffic a namespace or a route takes; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficLimits {
    /// Most requests in a time.
    pub rate: Option<Rate>,
    /// Most requests at once.
    pub concurrency: Option<u32>,
    /// Largest request body in bytes.
    pub request_body: Option<u64>,
}

impl RawTrafficLimits {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> TrafficLimits {
        let Self { rate, concurrency, request_body } = self;
        if concurrency == Some(0) {
            problems.report(path.key("concurrency"), "0 would refuse every request; the least is 1");
        }
        TrafficLimits { rate, concurrency, request_body: request_body.map(|size| size.0) }
    }
}
