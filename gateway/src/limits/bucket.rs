//! A token bucket in one number (the generic cell rate algorithm).

use super::quota::{Quota, Refusal, Rule};
use std::time::Duration;

/// Lets requests through at an even rate; `burst` may come at once after a quiet time.
///
/// The one number is the time at which the bucket will be full again. A request moves it forward by one interval; it is refused
/// when that would be further away than a whole bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    interval: u64,
    depth: u64,
    burst: u32,
}

impl Bucket {
    /// `requests` (at least 1) in each `per`, `burst` (at least 1) at once.
    pub(super) fn new(requests: u32, per: Duration, burst: u32) -> Self {
        let per = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
        let interval = (per / u64::from(requests.max(1))).max(1);
        let burst = burst.max(1);
        Self { interval, depth: interval.saturating_mul(burst.into()), burst }
    }

    /// When the bucket is full after one more request.
    ///
    /// # Errors
    /// After how long that request will be taken.
    pub(super) fn next(&self, full_at: u64, now: u64) -> Result<u64, Refusal> {
        let next = full_at.max(now).saturating_add(self.interval);
        let ahead = next - now;
        if ahead > self.depth {
            return Err(Refusal { limit: self.burst, after: Duration::from_nanos(ahead - self.depth) });
        }
        Ok(next)
    }

    pub(super) fn quota(&self, full_at: u64, now: u64) -> Quota {
        let ahead = full_at.saturating_sub(now);
        let remaining = self.depth.saturating_sub(ahead) / self.interval;
        Quota {
            limit: self.burst,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset: Duration::from_nanos(ahead),
        }
    }

    /// The bucket without its last request.
    pub(super) fn before(&self, full_at: u64) -> u64 {
        full_at.saturating_sub(self.interval)
    }
}

impl Rule for Bucket {
    type Count = u64;

    fn take(&self, full_at: &mut u64, now: u64) -> Result<Quota, Refusal> {
        *full_at = self.next(*full_at, now)?;
        Ok(self.quota(*full_at, now))
    }

    fn give_back(&self, full_at: &mut u64, _now: u64) {
        *full_at = self.before(*full_at);
    }

    fn forgotten_at(&self, full_at: &u64) -> u64 {
        *full_at
    }
}
