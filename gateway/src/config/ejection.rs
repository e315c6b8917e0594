//! When an endpoint gets no requests for a while because of how it answered them.

use super::problem::{ProblemList, ValuePath};
use super::units::{Percent, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// When an endpoint gets no requests for a while because of how it answered them. Never applies to a backend's only endpoint.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Ejection")]
pub(super) struct RawEjection {
    /// So many refused connections, broken-off answers and time-outs in a row. Default: 3; 0 for never.
    failures: Option<u32>,
    /// So large a share of answers with status 500 to 599 and of failures, within one `interval`, like `50%`. Default: none.
    errors: Option<Percent>,
    /// So many times the median of all endpoints, as an endpoint's mean time to the head of its answers within one `interval`.
    /// At least 1.5. Needs three endpoints with `least` answers each. Default: none.
    latency: Option<f64>,
    /// An endpoint with fewer answers in an interval is not judged by `errors` and `latency`. Default: 20.
    least: Option<u32>,
    /// How often `errors` and `latency` are judged. Default: 10s.
    interval: Option<Span>,
    /// How long the first time lasts; each further one twice as long, up to `longest`. Default: 5s.
    duration: Option<Span>,
    /// The longest. Default: 60s.
    longest: Option<Span>,
    /// The largest share of the endpoints at once. Default: 50%.
    most: Option<Percent>,
    /// How long an endpoint that comes back, or is new, gets fewer requests than its share, more and more of them. Default: 0s, at
    /// once its share. Has no effect where a value decides the endpoint.
    slow_start: Option<Span>,
}

/// When an endpoint gets no requests for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Ejection {
    /// Failures in a row; 0 for never.
    pub failures: u32,
    /// Share of errors, 0 to 1.
    pub errors: Option<f64>,
    /// Times the median latency.
    pub latency: Option<f64>,
    /// Answers without which an endpoint is not judged.
    pub least: u32,
    /// How often it is judged.
    pub interval: Duration,
    /// The first time.
    pub duration: Duration,
    /// The longest time.
    pub longest: Duration,
    /// Largest share of the endpoints, 0 to 1.
    pub most: f64,
    /// How long it gets less than its share after that.
    pub slow_start: Duration,
}

impl Eq for Ejection {}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 3,
            errors: None,
            latency: None,
            least: 20,
            interval: Duration::from_secs(10),
            duration: Duration::from_secs(5),
            longest: Duration::from_secs(60),
            most: 0.5,
            slow_start: Duration::ZERO,
        }
    }
}

impl RawEjection {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Ejection {
        let Self { failures, errors, latency, least, interval, duration, longest, most, slow_start } = self;
        let default = Ejection::default();
        let span = |span: Option<Span>, default: Duration| span.map_or(default, |span| span.0);
        let share = |percent: Percent| f64::from(percent.0) / 1e6;
        let ejection = Ejection {
            failures: failures.unwrap_or(default.failures),
            errors: errors.map(share),
            latency,
            least: least.unwrap_or(default.least),
            interval: span(interval, default.interval),
            duration: span(duration, default.duration),
            longest: span(longest, default.longest.max(span(duration, default.duration))),
            most: most.map_or(default.most, share),
            slow_start: span(slow_start, default.slow_start),
        };
        if ejection.errors == Some(0.0) {
            problems.report(path.key("errors"), "0% would take out every endpoint");
        }
        if ejection.latency.is_some_and(|times| !(1.5..=1000.0).contains(&times)) {
            problems.report(path.key("latency"), "must be between 1.5 and 1000 times the median");
        }
        if ejection.interval < Duration::from_millis(100) {
            problems.report(path.key("interval"), "at least 100ms");
        }
        if ejection.duration.is_zero() {
            problems.report(path.key("duration"), "0 would let it back at once; write `failures: 0` for never");
        }
        if ejection.longest < ejection.duration {
            problems.report(path.key("longest"), "must not be shorter than `duration`");
        }
        ejection
    }
}
