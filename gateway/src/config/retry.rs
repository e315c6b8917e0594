//! When a request is sent a second time, and how long anything may take.

use super::problem::{ProblemList, ValuePath};
use super::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// When a request is sent to a backend a second time. Whatever this says: never once the caller has a part of the answer, never when
/// the body of the request is larger than 64 KiB and a part of it was sent, and never beyond the backend's `retry_budget`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Retry")]
pub(super) struct RawRetry {
    /// How often it is sent in all, 1 to 10. Default: 3.
    attempts: Option<u32>,
    /// Statuses of answers in whose place another endpoint is asked, like `[502, 503, 504]`. Default: none.
    statuses: Vec<u16>,
    /// Whether methods that are not idempotent (POST, PATCH) are sent again too when a connection breaks or an answer does not come
    /// in time: the backend may have acted on the first one. Default: false. A connection that could not be made, or that was
    /// closed before a byte was sent, is always tried again.
    any_method: bool,
    /// Wait before the second time; before each further one twice as long. Half of it is chance. Default: 25ms; the first time
    /// another endpoint is asked there is none.
    backoff: Option<Span>,
    /// Longest wait. Default: 250ms.
    longest_backoff: Option<Span>,
}

/// When a request is sent a second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it is sent in all.
    pub attempts: u32,
    /// Statuses in whose place another endpoint is asked.
    pub statuses: Vec<u16>,
    /// Whether methods that are not idempotent are sent again.
    pub any_method: bool,
    /// First wait.
    pub backoff: Duration,
    /// Longest wait.
    pub longest_backoff: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            statuses: Vec::new(),
            any_method: false,
            backoff: Duration::from_millis(25),
            longest_backoff: Duration::from_millis(250),
        }
    }
}

impl RawRetry {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Retry {
        let Self { attempts, statuses, any_method, backoff, longest_backoff } = self;
        let default = Retry::default();
        let attempts = attempts.unwrap_or(default.attempts);
        if !(1..=10).contains(&attempts) {
            problems.report(path.key("attempts"), "must be between 1 (no repetition) and 10");
        }
        for (index, _) in statuses.iter().enumerate().filter(|(_, status)| !(400..600).contains(*status)) {
            problems.report(path.key("statuses").index(index), "a status of a failure is between 400 and 599");
        }
        Retry {
            attempts,
            statuses,
            any_method,
            backoff: backoff.map_or(default.backoff, |span| span.0),
            longest_backoff: longest_backoff.map_or(default.longest_backoff, |span| span.0),
        }
    }
}

/// How long the parts of an exchange may take. Over HTTP/2 to the backend, `first_byte` and `attempt` are limits of its silence.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "RouteTimeouts")]
pub(super) struct RawRouteTimeouts {
    /// Longest time to connect, TLS included. Default: the backend's.
    connect: Option<Span>,
    /// Longest time from a connection to the head of the answer. Default: the longest silence.
    first_byte: Option<Span>,
    /// Longest time from the choice of an endpoint to the head of its answer; after that another one may be asked. Default: none.
    attempt: Option<Span>,
    /// Longest silence once the answer has begun: of a stream, between two parts of it. Default: the route's `timeout`, or the
    /// backend's `silence`.
    idle: Option<Span>,
    /// Longest time from the request to the end of its answer, repetitions, waits and fallbacks included. Plugins and workers are
    /// told as their deadline. A stream that takes longer is ended. Default: none.
    total: Option<Span>,
}

/// How long the parts of an exchange may take; `None` for what the backend says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteTimeouts {
    /// To connect.
    pub connect: Option<Duration>,
    /// From a connection to the head of the answer.
    pub first_byte: Option<Duration>,
    /// From the choice of an endpoint to the head of its answer.
    pub attempt: Option<Duration>,
    /// Silence once the answer has begun.
    pub idle: Option<Duration>,
    /// From the request to the end of its answer.
    pub total: Option<Duration>,
}

impl RawRouteTimeouts {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> RouteTimeouts {
        let Self { connect, first_byte, attempt, idle, total } = self;
        let mut take = |key: &str, span: Option<Span>| {
            if span.is_some_and(|span| span.0.is_zero()) {
                problems.report(path.key(key), "0 would end every request; the least is 1ms");
            }
            span.map(|span| span.0)
        };
        RouteTimeouts {
            connect: take("connect", connect),
            first_byte: take("first_byte", first_byte),
            attempt: take("attempt", attempt),
            idle: take("idle", idle),
            total: take("total", total),
        }
    }
}
