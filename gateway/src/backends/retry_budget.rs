//! How many requests of a backend may be sent a second time: a share of all, so that trouble is not multiplied.

use crate::config::RetryBudget as Rules;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Over how long the share is taken.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts requests and repetitions over about ten seconds.
#[derive(Debug)]
pub(super) struct RetryBudget {
    rules: Rules,
    born: Instant,
    /// The window that is counted now.
    window: AtomicU64,
    requests: [AtomicU32; 2],
    retries: [AtomicU32; 2],
}

impl RetryBudget {
    /// A budget of which nothing is spent.
    #[must_use]
    pub(super) fn new(rules: Rules, now: Instant) -> Self {
        Self { rules, born: now, window: AtomicU64::new(0), requests: Default::default(), retries: Default::default() }
    }

    /// Counts a request.
    pub(super) fn request(&self, now: Instant) {
        let (slot, _) = self.turn(now);
        self.requests[slot].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a repetition, if there is one left.
    #[must_use]
    pub(super) fn retry(&self, now: Instant) -> bool {
        let (slot, before) = self.turn(now);
        let sum = |counts: &[AtomicU32; 2]| {
            f64::from(counts[slot].load(Ordering::Relaxed))
                + f64::from(counts[1 - slot].load(Ordering::Relaxed)) * before
        };
        let least = f64::from(self.rules.least) * WINDOW.as_secs_f64();
        let allowed = least + sum(&self.requests) * f64::from(self.rules.share) / 1e6;
        if sum(&self.retries) + 1.0 > allowed {
            return false;
        }
        self.retries[slot].fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The slot of the window that is counted now, and how much the one before still counts.
    fn turn(&self, now: Instant) -> (usize, f64) {
        let elapsed = now.saturating_duration_since(self.born).as_secs_f64() / WINDOW.as_secs_f64();
        let current = elapsed as u64;
        let known = self.window.load(Ordering::Relaxed);
        if known < current && self.window.compare_exchange(known, current, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            let slot = (current % 2) as usize;
            self.requests[slot].store(0, Ordering::Relaxed);
            self.retries[slot].store(0, Ordering::Relaxed);
            if current > known + 1 {
                self.requests[1 - slot].store(0, Ordering::Relaxed);
                self.retries[1 - slot].store(0, Ordering::Relaxed);
            }
        }
        ((current % 2) as usize, 1.0 - elapsed.fract())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_requests_and_a_few_may_be_repeated() {
        let start = Instant::now();
        let budget = RetryBudget::new(Rules { share: 200_000, least: 1 }, start);
        assert_eq!((0..100).filter(|_| budget.retry(start)).count(), 10, "the least");
        for _ in 0..1000 {
            budget.request(start);
        }
        assert_eq!((0..1000).filter(|_| budget.retry(start)).count(), 200, "a fifth");
        // Half a window later half of it is forgotten, requests and repetitions alike.
        let later = start + Duration::from_secs(15);
        let more = (0..1000).filter(|_| budget.retry(later)).count();
        assert!((3..=7).contains(&more), "{more}");
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| budget.retry(much_later)).count(), 10);
    }
}
