//! Leaves a backend or plugin alone while it fails. Pure over a clock that is passed in; a few atomics.

use crate::config::Breaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How soon a caller may come back while it is being found out whether the circuit can be closed.
const WHILE_PROBING: Duration = Duration::from_secs(1);

/// Whether a backend is asked at all.
#[derive(Debug)]
pub struct CircuitBreaker {
    rules: Breaker,
    born: Instant,
    /// Until when it is open, in milliseconds since `born`; 0 while it is closed. Once that has passed it is half open.
    open_until: AtomicU64,
    /// Whether a probe is under way, and how many have succeeded in a row.
    probing: AtomicBool,
    successes: AtomicU32,
    /// The window: since when, and what was seen in it.
    since: AtomicU64,
    requests: AtomicU32,
    failures: AtomicU32,
}

/// Leave to ask. Say by [`Pass::ended`] what came of it; dropped without that, nothing is counted.
#[derive(Debug)]
pub struct Pass {
    breaker: Arc<CircuitBreaker>,
    is_probe: bool,
}

/// What an end has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    None,
    /// It is open now.
    Opened,
    /// It is closed again.
    Closed,
}

/// Where a breaker is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Requests go through.
    Closed,
    /// A few go through, to find out.
    HalfOpen,
    /// None goes through.
    Open,
}

impl CircuitBreaker {
    /// A closed one.
    #[must_use]
    pub fn new(rules: Breaker, now: Instant) -> Self {
        Self {
            rules,
            born: now,
            open_until: AtomicU64::new(0),
            probing: AtomicBool::new(false),
            successes: AtomicU32::new(0),
            since: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            failures: AtomicU32::new(0),
        }
    }

    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> &Breaker {
        &self.rules
    }

    /// Leave to ask now.
    ///
    /// # Errors
    /// After how long to come back, while it is open or others are finding out.
    pub fn enter(self: &Arc<Self>, now: Instant) -> Result<Pass, Duration> {
        let until = self.open_until.load(Ordering::Acquire);
        if until == 0 {
            return Ok(Pass { breaker: self.clone(), is_probe: false });
        }
        let now = self.milliseconds(now);
        if now < until {
            return Err(Duration::from_millis(until - now));
        }
        match self.probing.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(Pass { breaker: self.clone(), is_probe: true }),
            Err(_) => Err(WHILE_PROBING.min(self.rules.open)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn circuit(&self, now: Instant) -> Circuit {
        match self.open_until.load(Ordering::Acquire) {
            0 => Circuit::Closed,
            until if self.milliseconds(now) < until => Circuit::Open,
            _ => Circuit::HalfOpen,
        }
    }

    fn count(&self, failed: bool, now: Instant) -> Turn {
        let at = self.milliseconds(now);
        let since = self.since.load(Ordering::Relaxed);
        let window = u64::try_from(self.rules.window.as_millis()).unwrap_or(u64::MAX);
        if at.saturating_sub(since) >= window
            && self.since.compare_exchange(since, at, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.requests.store(0, Ordering::Relaxed);
            self.failures.store(0, Ordering::Relaxed);
        }
        let requests = self.requests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if !failed {
            return Turn::None;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let is_share = u64::from(failures) * 1_000_000 >= u64::from(self.rules.failures) * u64::from(requests);
        if requests >= self.rules.least && is_share { self.open(at, 0) } else { Turn::None }
    }

    /// Opens it, if it is still as `before` says.
    fn open(&self, at: u64, before: u64) -> Turn {
        let open = u64::try_from(self.rules.open.as_millis()).unwrap_or(u64::MAX / 2);
        let until = at.saturating_add(open).max(1);
        if self.open_until.compare_exchange(before, until, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return Turn::None;
        }
        self.successes.store(0, Ordering::Relaxed);
        self.requests.store(0, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        Turn::Opened
    }

    fn probed(&self, failed: bool, now: Instant) -> Turn {
        if failed {
            return self.open(self.milliseconds(now), self.open_until.load(Ordering::Acquire));
        }
        if self.successes.fetch_add(1, Ordering::Relaxed).saturating_add(1) < self.rules.probes {
            return Turn::None;
        }
        self.since.store(self.milliseconds(now), Ordering::Relaxed);
        self.open_until.store(0, Ordering::Release);
        Turn::Closed
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Pass {
    /// Says what came of it.
    pub fn ended(self, failed: bool, now: Instant) -> Turn {
        // A request that began before the circuit opened says nothing about it any more.
        match (self.is_probe, self.breaker.open_until.load(Ordering::Acquire)) {
            (true, _) => self.breaker.probed(failed, now),
            (false, 0) => self.breaker.count(failed, now),
            (false, _) => Turn::None,
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.probing.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(now: Instant) -> Arc<CircuitBreaker> {
        let rules = Breaker {
            failures: 500_000,
            least: 10,
            window: Duration::from_secs(10),
            open: Duration::from_secs(5),
            probes: 2,
        };
        Arc::new(CircuitBreaker::new(rules, now))
    }

    fn ask(breaker: &Arc<CircuitBreaker>, failed: bool, now: Instant) -> Result<Turn, Duration> {
        breaker.enter(now).map(|pass| pass.ended(failed, now))
    }

    #[test]
    fn half_of_at_least_ten_open_it_and_two_probes_close_it() {
        let start = Instant::now();
        let breaker = breaker(start);
        for index in 0..9 {
            assert_eq!(ask(&breaker, index % 2 == 0, start), Ok(Turn::None), "{index}");
        }
        assert_eq!(ask(&breaker, true, start), Ok(Turn::Opened));
        assert_eq!(ask(&breaker, false, start), Err(Duration::from_secs(5)));
        let later = start + Duration::from_secs(5);
        assert_eq!(breaker.circuit(later), Circuit::HalfOpen);
        let probe = breaker.enter(later).expect("a probe goes through");
        assert_eq!(ask(&breaker, false, later), Err(Duration::from_secs(1)), "one at a time");
        assert_eq!(probe.ended(false, later), Turn::None);
        // A probe of which nothing is heard makes room for the next.
        drop(breaker.enter(later));
        assert_eq!(ask(&breaker, false, later), Ok(Turn::Closed));
        assert_eq!(breaker.circuit(later), Circuit::Closed);
    }

    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let start = Instant::now();
        let breaker = breaker(start);
        while breaker.circuit(start) == Circuit::Closed {
            assert!(ask(&breaker, true, start).is_ok());
        }
        let later = start + Duration::from_secs(6);
        assert_eq!(ask(&breaker, true, later), Ok(Turn::Opened));
        assert_eq!(ask(&breaker, false, later + Duration::from_secs(4)), Err(Duration::from_secs(1)));
        assert_eq!(ask(&breaker, false, later + Duration::from_secs(5)), Ok(Turn::None));
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let start = Instant::now();
        let breaker = breaker(start);
        for second in 0..100 {
            let now = start + Duration::from_secs(second * 2);
            assert_eq!(ask(&breaker, true, now), Ok(Turn::None), "{second}");
        }
    }
}
