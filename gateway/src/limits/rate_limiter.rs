//! One rate with its counts.

use super::asker::{CountedAs, Digester};
use super::bucket::Bucket;
use super::keyed_counters::{Key, KeyedCounters};
use super::quota::{Quota, Refusal, Rule};
use super::sliding_window::{SlidingWindow, Slots};
use crate::config::{CountedBy, RateLimit, Window};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Callers that one rate tells apart at a time: some 10 MB with buckets, 16 MB with sliding windows when all are there.
const MOST_KEYS: usize = 100_000;

/// One rate with its counts, exact in this process.
#[derive(Debug)]
pub struct RateLimiter {
    /// What it was made for.
    pub limit: RateLimit,
    started: Instant,
    counts: Counts,
    digester: Digester,
}

#[derive(Debug)]
enum Counts {
    /// When the bucket will be full again.
    Bucket(Bucket, AtomicU64),
    Window(SlidingWindow, Mutex<Slots>),
    Buckets(KeyedCounters<Bucket>),
    Windows(KeyedCounters<SlidingWindow>),
}

impl RateLimiter {
    /// Fresh counts.
    #[must_use]
    pub fn new(limit: RateLimit, now: Instant) -> Self {
        let rate = limit.rate;
        let counts = match (limit.window, &limit.by) {
            (Window::Bucket { burst }, by) => {
                let bucket = Bucket::new(rate.requests, rate.per, burst);
                match by {
                    CountedBy::All => Counts::Bucket(bucket, AtomicU64::new(0)),
                    _ => Counts::Buckets(KeyedCounters::new(bucket, MOST_KEYS)),
                }
            }
            (Window::Sliding, by) => {
                let window = SlidingWindow::new(rate.requests, rate.per);
                match by {
                    CountedBy::All => Counts::Window(window, Mutex::default()),
                    _ => Counts::Windows(KeyedCounters::new(window, MOST_KEYS)),
                }
            }
        };
        Self { limit, started: now, counts, digester: Digester::default() }
    }

    /// What `who` is counted under.
    #[must_use]
    pub fn key(&self, who: &CountedAs<'_>) -> Key {
        if matches!(who, CountedAs::All) { 0 } else { self.digester.digest(who) }
    }

    /// Takes one request.
    ///
    /// # Errors
    /// After how long the next one will be taken.
    pub fn take(&self, key: Key, now: Instant) -> Result<Quota, Refusal> {
        let now = self.nanoseconds(now);
        match &self.counts {
            Counts::Bucket(bucket, full_at) => take_atomically(bucket, full_at, now),
            Counts::Window(window, slots) => {
                window.take(&mut slots.lock().unwrap_or_else(PoisonError::into_inner), now)
            }
            Counts::Buckets(counters) => counters.take(key, now),
            Counts::Windows(counters) => counters.take(key, now),
        }
    }

    /// Undoes a request that was taken at `at` and that something else refused.
    pub fn give_back(&self, key: Key, at: Instant) {
        let at = self.nanoseconds(at);
        match &self.counts {
            Counts::Bucket(bucket, full_at) => {
                let before = |full_at| Some(bucket.before(full_at));
                let _ = full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, before);
            }
            Counts::Window(window, slots) => {
                window.give_back(&mut slots.lock().unwrap_or_else(PoisonError::into_inner), at);
            }
            Counts::Buckets(counters) => counters.give_back(key, at),
            Counts::Windows(counters) => counters.give_back(key, at),
        }
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }

    /// How many callers are told apart now.
    #[must_use]
    pub fn keys(&self) -> usize {
        match &self.counts {
            Counts::Bucket(..) | Counts::Window(..) => 1,
            Counts::Buckets(counters) => counters.len(),
            Counts::Windows(counters) => counters.len(),
        }
    }
}

fn take_atomically(bucket: &Bucket, count: &AtomicU64, now: u64) -> Result<Quota, Refusal> {
    let mut full_at = count.load(Ordering::Relaxed);
    loop {
        let next = bucket.next(full_at, now)?;
        match count.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(bucket.quota(next, now)),
            Err(current) => full_at = current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rate;
    use proptest::prelude::*;
    use std::time::Duration;

    fn limiter(requests: u32, window: Window, start: Instant) -> RateLimiter {
        let rate = Rate { requests, per: Duration::from_secs(1) };
        RateLimiter::new(RateLimit { by: CountedBy::All, rate, window, shared: false }, start)
    }

    #[test]
    fn a_bucket_is_emptied_at_once_and_refilled_evenly() {
        let start = Instant::now();
        let limiter = limiter(10, Window::Bucket { burst: 10 }, start);
        let take = |now| limiter.take(0, now);
        let taken = |now| (0..20).filter(|_| take(now).is_ok()).count();
        assert_eq!(taken(start), 10);
        let refused = Refusal { limit: 10, after: Duration::from_millis(100) };
        assert_eq!(take(start).expect_err("empty"), refused);
        let soon = start + Duration::from_millis(100);
        let quota = take(soon).expect("one is there again");
        assert_eq!(quota, Quota { limit: 10, remaining: 0, reset: Duration::from_secs(1) });
        assert!(take(soon).is_err());
        assert_eq!(taken(start + Duration::from_secs(60)), 10);
    }

    #[test]
    fn a_burst_may_be_larger_or_smaller_than_the_rate() {
        let start = Instant::now();
        for (burst, second) in [(3, 10), (25, 10)] {
            let limiter = limiter(10, Window::Bucket { burst }, start);
            let taken = |now| (0..50).filter(|_| limiter.take(0, now).is_ok()).count();
            assert_eq!(taken(start), burst as usize);
            let evenly: usize = (1..=20).map(|step| taken(start + Duration::from_millis(50 * step))).sum();
            assert_eq!(evenly, second);
        }
    }

    #[test]
    fn callers_have_counts_of_their_own_and_what_is_given_back_can_be_taken_again() {
        let start = Instant::now();
        for window in [Window::Bucket { burst: 2 }, Window::Sliding] {
            let rate = Rate { requests: 2, per: Duration::from_secs(60) };
            let limiter = RateLimiter::new(RateLimit { by: CountedBy::Key, rate, window, shared: false }, start);
            let key = |who| limiter.key(&CountedAs::Key(who));
            let take = |who| limiter.take(key(who), start);
            assert_eq!(take("a").map(|quota| quota.remaining), Ok(1));
            assert_eq!(take("a").map(|quota| quota.remaining), Ok(0));
            assert!(take("a").is_err() && take("b").is_ok());
            limiter.give_back(key("a"), start);
            assert!(take("a").is_ok() && take("a").is_err());
            assert_eq!(limiter.keys(), 2);
        }
    }

    #[test]
    fn threads_together_take_exactly_what_is_there() {
        let start = Instant::now();
        for (by, window) in [
            (CountedBy::All, Window::Bucket { burst: 1_000 }),
            (CountedBy::All, Window::Sliding),
            (CountedBy::Key, Window::Bucket { burst: 1_000 }),
            (CountedBy::Key, Window::Sliding),
        ] {
            let rate = Rate { requests: 1_000, per: Duration::from_secs(3600) };
            let limiter = RateLimiter::new(RateLimit { by: by.clone(), rate, window, shared: false }, start);
            let key = limiter.key(&if by == CountedBy::All { CountedAs::All } else { CountedAs::Key("one") });
            let taken = std::thread::scope(|scope| {
                let threads =
                    [(); 4].map(|()| scope.spawn(|| (0..500).filter(|_| limiter.take(key, start).is_ok()).count()));
                threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
            });
            assert_eq!(taken, 1_000, "{by:?} {window:?}");
        }
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_rate_and_burst(
            requests in 1_u32..50,
            burst in 1_u32..80,
            gaps in prop::collection::vec(0_u64..200, 1..300),
        ) {
            let start = Instant::now();
            let per = Duration::from_secs(1);
            let limiter = limiter(requests, Window::Bucket { burst }, start);
            let mut now = start;
            let mut taken: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if limiter.take(0, now).is_ok() {
                    taken.push(now);
                }
            }
            for (index, first) in taken.iter().enumerate() {
                let in_window = taken[index..].iter().take_while(|time| **time < *first + per).count();
                prop_assert!(in_window <= (requests + burst) as usize);
            }
        }
    }
}
