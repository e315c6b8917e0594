//! How much traffic a namespace or a route takes.

use super::concurrency::{Concurrency, RawConcurrency, RawPriority};
use super::problem::{ProblemList, ValuePath};
use super::rate_limit::{RateLimit, RawRateLimit};
use super::units::{ByteSize, Rate};
use crate::request::Priority;
use schemars::JsonSchema;
use serde::Deserialize;

/// Rates that one block may have: a request is held against each of them.
const MOST_RATES: usize = 16;

/// How much traffic a namespace or a route takes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawTrafficLimits {
    /// Most requests in a time, counted in this process, like `100/s`; up to that many may come at once. Default: no
    /// limit. Requests above it get 429 `rate_limited`.
    rate: Option<Rate>,
    /// More rates, counted by who makes the requests: `[{ by: subject, rate: 10/s }, { by: { header: X-Tenant }, rate: 1000/m }]`.
    /// A request must be within all of them. Default: none; at most 16.
    rates: Vec<RawRateLimit>,
    /// Whether answers say in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` how much of the tightest rate is left.
    /// Default: true. `Retry-After` of a 429 is sent in any case.
    headers: Option<bool>,
    /// Most requests at once: a number, or `{ limit: adaptive, least: 4, most: 512, queue: 100, queue_timeout: 1s }`. Default: no
    /// limit. Requests that find no room get 503 `busy`.
    concurrency: Option<RawConcurrency>,
    /// Who goes first when there is not room for all: `high`, `normal` or `low`. It decides who is first out of a queue, who gives up
    /// its place in a full one, and who is shed first. A route's own counts before its namespace's, and that of a caller's key before
    /// both. Default: normal.
    priority: Option<RawPriority>,
    /// Largest request body. Default: no limit. Larger ones get 413 `body_too_large`.
    request_body: Option<ByteSize>,
}

/// How much traffic a namespace or a route takes; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficLimits {
    /// Most requests in a time, by who makes them. A request must be within all of them.
    pub rates: Vec<RateLimit>,
    /// Whether answers hide how much of the rates is left.
    pub hide_rates: bool,
    /// Most requests at once.
    pub concurrency: Option<Concurrency>,
    /// Who goes first when there is not room for all.
    pub priority: Option<Priority>,
    /// Largest request body in bytes.
    pub request_body: Option<u64>,
}

impl TrafficLimits {
    /// Reports what cannot be shared, because gateway.yaml does not say where.
    pub(super) fn refuse_sharing(&self, path: &ValuePath, problems: &mut ProblemList) {
        if self.rates.iter().any(|limit| limit.shared) {
            let message = "`shared: true` has nowhere to count; the platform team names a `redis` in gateway.yaml";
            problems.report(path.key("rates"), message);
        }
    }
}

impl RawTrafficLimits {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> TrafficLimits {
        let Self { rate, rates, headers, concurrency, priority, request_body } = self;
        if rates.len() > MOST_RATES {
            problems.report(path.key("rates"), format!("{} rates; the most is {MOST_RATES}", rates.len()));
        }
        let rates =
            rates.into_iter().enumerate().map(|(index, raw)| raw.validate(&path.key("rates").index(index), problems));
        let rates = rate.map(RateLimit::of_all).into_iter().chain(rates).collect();
        TrafficLimits {
            rates,
            hide_rates: headers == Some(false),
            concurrency: concurrency.map(|raw| raw.validate(&path.key("concurrency"), problems)),
            priority: priority.map(RawPriority::validate),
            request_body: request_body.map(|size| size.0),
        }
    }
}
