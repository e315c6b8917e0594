//! How long to wait before a replica is started again.

use std::time::Duration;
use tokio::time::Instant;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// A replica that was ready for this long has proven itself: the next failure is a first one.
const PROVEN: Duration = Duration::from_secs(60);
/// Failures in a row from which on a replica is said to be in a crash loop.
const CRASH_LOOP: u32 = 5;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A replica ended that was ready since `ready`, if it ever was. How long to wait.
    pub(crate) fn failed(&mut self, ready: Option<Instant>, now: Instant) -> Duration {
        if ready.is_some_and(|ready| now.duration_since(ready) >= PROVEN) {
            self.failures = 0;
        }
        let wait = SHORTEST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Whether it fails again and again.
    pub(crate) fn is_crash_loop(&self) -> bool {
        self.failures >= CRASH_LOOP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_starts_over_after_a_long_life() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..10).map(|_| backoff.failed(None, now).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000]);
        assert!(backoff.is_crash_loop());
        assert_eq!(backoff.failed(Some(now), now + Duration::from_secs(61)).as_millis(), 100);
        assert!(!backoff.is_crash_loop());
        assert_eq!(backoff.failed(Some(now), now + Duration::from_secs(1)).as_millis(), 200, "not proven");
    }
}
