//! How much traffic a namespace or a route takes.

use super::concurrency::{Concurrency, RawConcurrency, RawPriority};
use super::problem::{ProblemList, ValuePath};
use super::rate_limit::{RateLimit, RawRateLimit};
use super::units::{ByteSize, Rate, Span};
use crate::request::Priority;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

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
    /// Largest answer. Default: no limit. Larger ones become 502 `response_too_large` when their length is declared; else they are
    /// cut, so that the client sees that they are not whole.
    response_body: Option<ByteSize>,
    /// Longest time from the head of a request to the end of its body. Default: no limit beside `connections.body_timeout` of
    /// gateway.yaml, which bounds each silence. Slower ones get 408 `request_timeout`. Too short a time cuts honest callers on slow
    /// lines.
    upload_time: Option<Span>,
    /// Longest path and query. Default: no limit beside the head's. Longer ones get 414 `uri_too_long`.
    uri: Option<ByteSize>,
    /// Most header fields, and their size. Default: no limit beside `connections.head_size` of gateway.yaml. More get 431
    /// `head_too_large`.
    head: RawHeadLimits,
}

/// What the head of a request may have.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawHeadLimits {
    /// Most header fields. Default: no limit.
    fields: Option<u32>,
    /// Largest sum of their names and values. Default: no limit.
    size: Option<ByteSize>,
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
    /// How large and how slow a request and its answer may be.
    pub sizes: SizeLimits,
}

/// How large and how slow a request and its answer may be; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeLimits {
    /// Largest request body in bytes.
    pub request_body: Option<u64>,
    /// Largest answer in bytes.
    pub response_body: Option<u64>,
    /// Longest time from the head to the end of the request's body.
    pub upload_time: Option<Duration>,
    /// Longest path and query in bytes.
    pub uri: Option<u64>,
    /// Most header fields.
    pub fields: Option<u32>,
    /// Largest sum of their names and values in bytes.
    pub fields_size: Option<u64>,
}

impl SizeLimits {
    /// The smaller of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        fn smaller<T: Ord>(one: Option<T>, two: Option<T>) -> Option<T> {
            [one, two].into_iter().flatten().min()
        }
        Self {
            request_body: smaller(self.request_body, other.request_body),
            response_body: smaller(self.response_body, other.response_body),
            upload_time: smaller(self.upload_time, other.upload_time),
            uri: smaller(self.uri, other.uri),
            fields: smaller(self.fields, other.fields),
            fields_size: smaller(self.fields_size, other.fields_size),
        }
    }
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
        let Self {
            rate,
            rates,
            headers,
            concurrency,
            priority,
            request_body,
            response_body,
            upload_time,
            uri,
            head: RawHeadLimits { fields, size: fields_size },
        } = self;
        if rates.len() > MOST_RATES {
            problems.report(path.key("rates"), format!("{} rates; the most is {MOST_RATES}", rates.len()));
        }
        let rates =
            rates.into_iter().enumerate().map(|(index, raw)| raw.validate(&path.key("rates").index(index), problems));
        let rates = rate.map(RateLimit::of_all).into_iter().chain(rates).collect();
        let upload_time = upload_time.map(|span| span.0);
        if upload_time.is_some_and(|time| time.is_zero()) {
            problems.report(path.key("upload_time"), "0 would refuse every body; the least is 1ms");
        }
        let bytes = |size: Option<ByteSize>| size.map(|size| size.0);
        if bytes(uri) == Some(0) {
            problems.report(path.key("uri"), "0 would refuse every request; the shortest path has 1 byte");
        }
        TrafficLimits {
            rates,
            hide_rates: headers == Some(false),
            concurrency: concurrency.map(|raw| raw.validate(&path.key("concurrency"), problems)),
            priority: priority.map(RawPriority::validate),
            sizes: SizeLimits {
                request_body: bytes(request_body),
                response_body: bytes(response_body),
                upload_time,
                uri: bytes(uri),
                fields,
                fields_size: bytes(fields_size),
            },
        }
    }
}
