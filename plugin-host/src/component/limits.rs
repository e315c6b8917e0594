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
    /// Calls served at once; one more is refused as busy. Default 64; 1 to 65 536. A call counts until its instance is
    /// gone and its response body has been read or dropped.
    pub concurrency: usize,
    /// Bytes of standard output and standard error, together, that go to the log per call. Default 64 KiB; up to
    /// 16 MiB, and 0 for none. The rest is dropped, with one notice.
    pub log: u64,
}

impl Default for ComponentLimits {
    fn default() -> Self {
        Self {
            memory: 64 * MEBIBYTE,
            cpu: Duration::from_millis(200),
            wall: Duration::from_secs(10),
            concurrency: 64,
            log: 64 * KIBIBYTE,
        }
    }
}

impl ComponentLimits {
    const MIN_MEMORY: u64 = 64 * KIBIBYTE;
    const CPU: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
    const WALL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);
    const CONCURRENCY: RangeInclusive<usize> = 1..=65_536;
    const MAX_LOG: u64 = 16 * MEBIBYTE;

    /// Checks the limits against their bounds; `max_memory` is the host's.
    pub fn check(&self, max_memory: u64) -> Result<(), LimitError> {
        if !(Self::MIN_MEMORY..=max_memory).contains(&self.memory) {
            return Err(LimitError::Memory { given: self.memory, min: Self::MIN_MEMORY, max: max_memory });
        }
        check_duration("cpu", self.cpu, Self::CPU)?;
        check_duration("wall", self.wall, Self::WALL)?;
        if !Self::CONCURRENCY.contains(&self.concurrency) {
            return Err(LimitError::Concurrency {
                given: self.concurrency,
                min: *Self::CONCURRENCY.start(),
                max: *Self::CONCURRENCY.end(),
            });
        }
        if self.log > Self::MAX_LOG {
            return Err(LimitError::Log { given: self.log, max: Self::MAX_LOG });
        }
        Ok(())
    }
}

fn check_duration(name: &'static str, given: Duration, bounds: RangeInclusive<Duration>) -> Result<(), LimitError> {
    if bounds.contains(&given) {
        return Ok(());
    }
    let (min, max) = bounds.into_inner();
    Err(LimitError::Duration { name, given, min, max })
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
    /// `cpu` or `wall`
    #[error("{name} limit of {given:?} is not between {min:?} and {max:?}")]
    Duration {
        /// Which of the two.
        name: &'static str,
        /// What was asked for.
        given: Duration,
        /// The least possible.
        min: Duration,
        /// The most possible.
        max: Duration,
    },
    /// `concurrency`
    #[error("concurrency limit of {given} is not between {min} and {max}")]
    Concurrency {
        /// What was asked for.
        given: usize,
        /// The least possible.
        min: usize,
        /// The most possible.
        max: usize,
    },
    /// `log`
    #[error("log limit of {given} bytes is above {max}")]
    Log {
        /// What was asked for, in bytes.
        given: u64,
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
            (ComponentLimits { log: u64::MAX, ..default() }, "log limit of"),
        ];
        for (limits, expected) in cases {
            let message = limits.check(MAX_MEMORY).expect_err(expected).to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
