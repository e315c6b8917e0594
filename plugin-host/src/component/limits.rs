//! What one component may use, per call.

use std::ops::RangeInclusive;
use std::time::Duration;

const KIBIBYTE: u64 = 1024;
const MEBIBYTE: u64 = 1024 * KIBIBYTE;

/// The limits of one component. Every call has them for itself, except `concurrency`, which counts calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentLimits {
    /// Memory of an instance, all its linear memories together, in bytes. Default 64 MiB; 64 KiB up to the host's
    /// `max_memory_per_instance`. Too small: the component fails when it grows, or cannot start at all.
    pub memory: u64,
    /// CPU time of a call, counted exactly and enforced every 10 ms. Default 200 ms; 10 ms to 1 hour. A runaway call
    /// costs about this much before it is ended.
    pub cpu: Duration,
    /// Wall time of a call from its start to the end of its response body, waiting included. Default 10 s; 10 ms to
    /// 24 hours. Too small cuts off slow readers of long answers.
    pub wall: Duration,
    /// Calls served at once. Default 64; 1 to 65 536. A call counts until its instance is gone and its response body has
    /// been read or dropped.
    pub concurrency: usize,
    /// Calls that may wait for one of the above to end, within their wall time; one more is refused as busy. Default 64; 0
    /// to 65 536. A long queue turns a burst into slow answers instead of refusals.
    pub queue: usize,
    /// Bytes of a response body. Default 256 MiB; at least 1. A longer answer is cut, or refused when it says its length.
    pub response_body: u64,
    /// Elements of each table. Default 200 000, which is also the most; at least 1. Too small: a component with many
    /// functions cannot start.
    pub table_elements: u32,
    /// Requests a call may send. Default 64; 0 for none. One more is denied, as if the address were not allowed.
    pub outgoing_calls: u32,
    /// Bytes of standard output and standard error, together, that go to the log per call. Default 64 KiB; up to
    /// 16 MiB, and 0 for none. The rest is dropped, with one notice.
    pub log: u64,
    /// Calls that one instance serves, one after the other. Default 1: every call gets a fresh instance, so nothing that
    /// one call leaves in memory is seen by the next. More saves the start of an instance, which for an interpreter is
    /// most of the work; the component must be made for it. At least 1.
    pub reuse: u32,
    /// How long an instance that may serve more calls waits for one. Default 30 s; 1 s to 24 hours. It keeps its memory.
    pub idle: Duration,
}

impl Default for ComponentLimits {
    fn default() -> Self {
        Self {
            memory: 64 * MEBIBYTE,
            cpu: Duration::from_millis(200),
            wall: Duration::from_secs(10),
            concurrency: 64,
            queue: 64,
            response_body: 256 * MEBIBYTE,
            table_elements: Self::MAX_TABLE_ELEMENTS,
            outgoing_calls: 64,
            log: 64 * KIBIBYTE,
            reuse: 1,
            idle: Duration::from_secs(30),
        }
    }
}

impl ComponentLimits {
    const MIN_MEMORY: u64 = 64 * KIBIBYTE;
    const CPU: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
    const WALL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);
    const IDLE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
    const CONCURRENCY: RangeInclusive<u64> = 1..=65_536;
    const QUEUE: RangeInclusive<u64> = 0..=65_536;
    pub(super) const MAX_TABLE_ELEMENTS: u32 = 200_000;
    const MAX_LOG: u64 = 16 * MEBIBYTE;

    /// Checks the limits against their bounds; `max_memory` is the host's.
    pub fn check(&self, max_memory: u64) -> Result<(), LimitError> {
        if !(Self::MIN_MEMORY..=max_memory).contains(&self.memory) {
            return Err(LimitError::Memory { given: self.memory, min: Self::MIN_MEMORY, max: max_memory });
        }
        check_duration("cpu", self.cpu, Self::CPU)?;
        check_duration("wall", self.wall, Self::WALL)?;
        check_duration("idle", self.idle, Self::IDLE)?;
        check_number("concurrency", self.concurrency as u64, Self::CONCURRENCY)?;
        check_number("queue", self.queue as u64, Self::QUEUE)?;
        check_number("response_body", self.response_body, 1..=u64::MAX)?;
        check_number("table_elements", self.table_elements.into(), 1..=Self::MAX_TABLE_ELEMENTS.into())?;
        check_number("log", self.log, 0..=Self::MAX_LOG)?;
        check_number("reuse", self.reuse.into(), 1..=u32::MAX.into())
    }
}

fn check_duration(name: &'static str, given: Duration, bounds: RangeInclusive<Duration>) -> Result<(), LimitError> {
    if bounds.contains(&given) {
        return Ok(());
    }
    let (min, max) = bounds.into_inner();
    Err(LimitError::Duration { name, given, min, max })
}

fn check_number(name: &'static str, given: u64, bounds: RangeInclusive<u64>) -> Result<(), LimitError> {
    if bounds.contains(&given) {
        return Ok(());
    }
    let (min, max) = bounds.into_inner();
    Err(LimitError::Number { name, given, min, max })
}

/// A limit outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// `memory`
    #[error("memory limit of {given} bytes is not between {min} and {max}")]
    Memory {
        /// What was asked for, in bytes.
        given: u64,
        /// The least possible.
        min: u64,
        /// The most this host allows.
        max: u64,
    },
    /// A span of time.
    #[error("{name} limit of {given:?} is not between {min:?} and {max:?}")]
    Duration {
        /// Which limit.
        name: &'static str,
        /// What was asked for.
        given: Duration,
        /// The least possible.
        min: Duration,
        /// The most possible.
        max: Duration,
    },
    /// A number of calls, bytes or elements.
    #[error("{name} limit of {given} is not between {min} and {max}")]
    Number {
        /// Which limit.
        name: &'static str,
        /// What was asked for.
        given: u64,
        /// The least possible.
        min: u64,
        /// The most possible.
        max: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_MEMORY: u64 = 512 * MEBIBYTE;

    #[test]
    fn the_defaults_are_within_bounds() {
        assert_eq!(ComponentLimits::default().check(MAX_MEMORY), Ok(()));
    }

    #[test]
    fn every_limit_outside_its_bounds_is_refused_by_name() {
        let default = ComponentLimits::default;
        let cases = [
            (ComponentLimits { memory: 1, ..default() }, "memory limit of 1 bytes"),
            (ComponentLimits { memory: MAX_MEMORY + 1, ..default() }, "memory limit of 536870913 bytes"),
            (ComponentLimits { cpu: Duration::ZERO, ..default() }, "cpu limit of 0ns"),
            (ComponentLimits { wall: Duration::MAX, ..default() }, "wall limit of"),
            (ComponentLimits { concurrency: 0, ..default() }, "concurrency limit of 0"),
            (ComponentLimits { queue: 70_000, ..default() }, "queue limit of 70000"),
            (ComponentLimits { response_body: 0, ..default() }, "response_body limit of 0"),
            (ComponentLimits { table_elements: 300_000, ..default() }, "table_elements limit of 300000"),
            (ComponentLimits { reuse: 0, ..default() }, "reuse limit of 0"),
            (ComponentLimits { idle: Duration::ZERO, ..default() }, "idle limit of 0ns"),
            (ComponentLimits { log: u64::MAX, ..default() }, "log limit of"),
        ];
        for (limits, expected) in cases {
            let message = limits.check(MAX_MEMORY).expect_err(expected).to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
