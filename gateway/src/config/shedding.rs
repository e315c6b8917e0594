//! When the less important requests are refused for the sake of the others.

use super::problem::{ProblemList, ValuePath};
use super::units::{MemoryBound, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// When the less important requests are refused for the sake of the others, with 503 `overloaded`: low priorities from the bound
/// on, normal ones a little above it, all of them when it is far exceeded. A change needs a restart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawShedding {
    /// Memory of the process, in bytes or as a part of what it can have (its control group's bound, or the machine's memory), like
    /// `80%`. Default: not looked at. Too high a bound comes after the system has ended the process; normal priorities follow at 106 %
    /// of it, all at 112 %.
    memory: Option<MemoryBound>,
    /// Requests that run at once in the whole gateway. Default: not looked at. Normal priorities follow at 110 % of it, all at 120 %.
    in_flight: Option<u32>,
    /// How late timers of the threads that serve requests may be. Default: not looked at. `100ms` is a lot; a few milliseconds come
    /// from any busy machine. Normal priorities follow at twice as much, all at four times.
    event_loop_delay: Option<Span>,
}

/// When the less important requests are refused; `None` is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shedding {
    /// Memory of the process.
    pub memory: Option<ShedMemory>,
    /// Requests that run at once.
    pub in_flight: Option<u32>,
    /// How late timers may be.
    pub event_loop_delay: Option<Duration>,
}

/// A bound on memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShedMemory {
    /// In bytes.
    Bytes(u64),
    /// In millionths of what the process can have.
    Part(u32),
}

impl RawShedding {
    pub(super) fn validate(self, path: &ValuePath, problems: &mut ProblemList) -> Shedding {
        let Self { memory, in_flight, event_loop_delay } = self;
        let memory = memory.map(|bound| match bound {
            MemoryBound::Bytes(bytes) => ShedMemory::Bytes(bytes),
            MemoryBound::Part(part) => ShedMemory::Part(part),
        });
        if matches!(memory, Some(ShedMemory::Bytes(0) | ShedMemory::Part(0))) {
            problems.report(path.key("memory"), "0 would refuse every request");
        }
        if in_flight == Some(0) {
            problems.report(path.key("in_flight"), "0 would refuse every request; the least is 1");
        }
        let event_loop_delay = event_loop_delay.map(|span| span.0);
        if event_loop_delay.is_some_and(|delay| delay < Duration::from_millis(5)) {
            problems.report(path.key("event_loop_delay"), "at least 5ms: timers are never quite on time");
        }
        Shedding { memory, in_flight, event_loop_delay }
    }
}
