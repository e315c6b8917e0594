//! When a backend or plugin that fails is left alone for a while, how much of it may be repeated, and who waits for it.

use super::problem::{ProblemList, ValuePath};
use super::units::{Percent, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// When a backend or plugin that fails is left alone for a while. Its routes then answer 503 `circuit_open` with `Retry-After`, or
/// go to their fallback.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Breaker")]
pub(super) struct RawBreaker {
    /// So large a share of failures within `window` opens the circuit: connections that fail, answers that break off or do not
    /// come, and answers with status 500 to 599 (of FrameX, what the body says). Default: 50%.
    failures: Option<Percent>,
    /// With fewer requests in the window it stays closed. Default: 20.
    least: Option<u32>,
    /// Over how long the share is taken. Default: 10s.
    window: Option<Span>,
    /// How long it stays open before a few requests are let through to find out. Default: 5s.
    open: Option<Span>,
    /// So many of those must succeed in a row, one after the other, to close it. Default: 3.
    probes: Option<u32>,
}

/// When a backend or plugin that fails is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Share of failures in millionths.
    pub failures: u32,
    /// Requests without which it stays closed.
    pub least: u32,
    /// Over how long the share is taken.
    pub window: Duration,
    /// How long it stays open.
    pub open: Duration,
    /// Successes in a row that close it.
    pub probes: u32,
}

impl RawBreaker {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Breaker {
        let Self { failures, least, window, open, probes } = self;
        let breaker = Breaker {
            failures: failures.map_or(500_000, |share| share.0),
            least: least.unwrap_or(20),
            window: window.map_or(Duration::from_secs(10), |span| span.0),
            open: open.map_or(Duration::from_secs(5), |span| span.0),
            probes: probes.unwrap_or(3),
        };
        if breaker.failures == 0 {
            problems.report(path.key("failures"), "0% would open it without a failure");
        }
        for (key, count) in [("least", breaker.least), ("probes", breaker.probes)] {
            if count == 0 {
                problems.report(path.key(key), "the least is 1");
            }
        }
        for (key, span) in [("window", breaker.window), ("open", breaker.open)] {
            if span < Duration::from_millis(100) {
                problems.report(path.key(key), "at least 100ms");
            }
        }
        breaker
    }
}

/// How many requests may be sent a second time, over the whole backend: so that one in trouble does not get more of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "RetryBudget")]
pub(super) struct RawRetryBudget {
    /// Share of the requests of the last ten seconds. Default: 20%.
    share: Option<Percent>,
    /// So many per second in any case. Default: 10.
    least: Option<u32>,
}

/// How many requests may be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// Share of the requests in millionths.
    pub share: u32,
    /// Per second in any case.
    pub least: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { share: 200_000, least: 10 }
    }
}

impl RawRetryBudget {
    pub(super) fn validate(self) -> RetryBudget {
        let Self { share, least } = self;
        let default = RetryBudget::default();
        RetryBudget { share: share.map_or(default.share, |share| share.0), least: least.unwrap_or(default.least) }
    }
}

/// How requests wait while no endpoint can take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How long one waits.
    pub longest: Duration,
    /// How many wait at once.
    pub most: u32,
}
