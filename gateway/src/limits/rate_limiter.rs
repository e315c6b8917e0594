//! A token bucket in one atomic (the generic cell rate algorithm).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Lets `requests` through `per` time; as many may come at once after a quiet time.
///
/// The one number is the time at which the bucket will be full again. A request moves it forward by one interval;
/// it is refused when that would be further away than a whole bucket.
#[derive(Debug)]
pub struct RateLimiter {
    started: Instant,
    interval: u64,
    bucket: u64,
    full_at: AtomicU64,
}

impl RateLimiter {
    /// A full bucket of `requests` (at least 1), refilled in `per`.
    #[must_use]
    pub fn new(requests: u32, per: Duration, now: Instant) -> Self {
        let per = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
        let interval = (per / u64::from(requests.max(1))).max(1);
        Self {
            started: now,
            interval,
            bucket: interval.saturating_mul(u64::from(requests.max(1))),
            full_at: AtomicU64::new(0),
        }
    }

    /// Takes one request.
    ///
    /// # Errors
    /// After how long the next one will be taken, when the bucket is empty.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let now = u64::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let next = full_at.max(now).saturating_add(self.interval);
            let ahead = next - now;
            if ahead > self.bucket {
                return Err(Duration::from_nanos(ahead - self.bucket));
            }
            match self.full_at.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => full_at = current,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bucket_is_emptied_at_once_and_refilled_evenly() {
        let start = Instant::now();
        let limiter = RateLimiter::new(10, Duration::from_secs(1), start);
        assert_eq!((0..20).filter(|_| limiter.take(start).is_ok()).count(), 10);
        assert_eq!(limiter.take(start), Err(Duration::from_millis(100)));
        assert_eq!(limiter.take(start + Duration::from_millis(100)), Ok(()));
        assert!(limiter.take(start + Duration::from_millis(100)).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| limiter.take(later).is_ok()).count(), 10);
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_two_buckets(requests in 1_u32..50, gaps in prop::collection::vec(0_u64..200, 1..300)) {
            let start = Instant::now();
            let per = Duration::from_secs(1);
            let limiter = RateLimiter::new(requests, per, start);
            let mut now = start;
            let mut taken: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if limiter.take(now).is_ok() {
                    taken.push(now);
                }
            }
            for (index, first) in taken.iter().enumerate() {
                let in_window = taken[index..].iter().take_while(|time| **time < *first + per).count();
                prop_assert!(in_window <= 2 * requests as usize);
            }
        }
    }
}
