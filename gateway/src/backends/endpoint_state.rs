//! What is known of one endpoint while it serves: how busy it is, how well it answers, whether it is left alone for now.
//!
//! Atomics only. The state belongs to the endpoint, not to the configuration that names it, so it lives on over reloads.

use crate::config::Ejection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The least share of its requests that an endpoint gets while it starts slowly.
const SLOWEST: f64 = 0.1;
/// Doublings of the time for which an endpoint is left alone.
const MOST_DOUBLINGS: u32 = 16;

/// How an endpoint has answered one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a status below 500; the time is that to the head of its answer.
    Answered(Duration),
    /// With an error of its own.
    Erred,
    /// There was no connection, it broke, or nothing came in time.
    Failed,
}

/// What is known of one endpoint.
#[derive(Debug)]
pub struct EndpointState {
    born: Instant,
    healthy: AtomicBool,
    outstanding: AtomicU32,
    /// Failures in a row.
    failures: AtomicU32,
    /// Until when it gets no requests, in milliseconds since `born`; 0 for not at all.
    ejected_until: AtomicU64,
    /// How often that has happened; goes down again in good times.
    ejections: AtomicU32,
    /// Since when it starts slowly, in milliseconds since `born`; 0 if it never did.
    warming_since: AtomicU64,
    // What is judged at the end of an interval.
    answers: AtomicU32,
    errors: AtomicU32,
    latency: AtomicU64,
}

/// One interval of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    /// Requests that ended.
    pub(super) requests: u32,
    /// How many of them with an error, or without an answer.
    pub(super) errors: u32,
    /// Mean time to the head of the good answers, in microseconds.
    pub(super) latency: Option<f64>,
}

/// A request that an endpoint has under way; dropping it ends it.
#[derive(Debug)]
pub struct Outstanding {
    state: Arc<EndpointState>,
    /// Who waits for a place, where they are bounded.
    freed: Option<Arc<Notify>>,
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.state.outstanding.fetch_sub(1, Ordering::AcqRel);
        if let Some(freed) = &self.freed {
            freed.notify_one();
        }
    }
}

impl EndpointState {
    /// A healthy endpoint that nobody has asked anything.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            born: now,
            healthy: AtomicBool::new(true),
            outstanding: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            ejections: AtomicU32::new(0),
            warming_since: AtomicU64::new(0),
            answers: AtomicU32::new(0),
            errors: AtomicU32::new(0),
            latency: AtomicU64::new(0),
        }
    }

    /// Takes one more request, if there is room below `most`; `freed` is told when it has ended.
    #[must_use]
    pub(super) fn enter(self: &Arc<Self>, most: Option<u32>, freed: &Arc<Notify>) -> Option<Outstanding> {
        let Some(most) = most else {
            self.outstanding.fetch_add(1, Ordering::AcqRel);
            return Some(Outstanding { state: self.clone(), freed: None });
        };
        let enter = |running: u32| (running < most).then_some(running + 1);
        let entered = self.outstanding.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter);
        entered.is_ok().then(|| Outstanding { state: self.clone(), freed: Some(freed.clone()) })
    }

    /// Requests under way.
    #[must_use]
    pub fn outstanding(&self) -> u32 {
        self.outstanding.load(Ordering::Acquire)
    }

    /// Whether the active health check, if there is one, is content.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Notes what the active health check says. An endpoint that comes back starts slowly.
    pub(super) fn set_healthy(&self, healthy: bool, now: Instant) {
        if !self.healthy.swap(healthy, Ordering::Relaxed) && healthy {
            self.failures.store(0, Ordering::Relaxed);
            self.warm_up(now);
        }
    }

    /// Whether it gets no requests now because of how it has answered.
    #[must_use]
    pub fn is_ejected(&self, now: Instant) -> bool {
        match self.ejected_until.load(Ordering::Relaxed) {
            0 => false,
            until => self.milliseconds(now) < until,
        }
    }

    /// Starts slowly from now on.
    pub(super) fn warm_up(&self, now: Instant) {
        self.warming_since.store(self.milliseconds(now).max(1), Ordering::Relaxed);
    }

    /// The part of its share that it gets now, in (0, 1].
    pub(super) fn warmth(&self, slow_start: Duration, now: Instant) -> f64 {
        if slow_start.is_zero() {
            return 1.0;
        }
        match self.warming_since.load(Ordering::Relaxed) {
            0 => 1.0,
            since => {
                let elapsed = self.milliseconds(now).saturating_sub(since) as f64;
                (elapsed / slow_start.as_millis().max(1) as f64).clamp(SLOWEST, 1.0)
            }
        }
    }

    /// Notes how a request ended. Whether there were so many failures in a row now that it should be left alone.
    pub(super) fn ended(&self, outcome: Outcome, rules: &Ejection) -> bool {
        match outcome {
            Outcome::Answered(latency) => {
                // Reading first keeps the line shared between threads in good times.
                if self.failures.load(Ordering::Relaxed) != 0 {
                    self.failures.store(0, Ordering::Relaxed);
                }
                if rules.errors.is_some() || rules.latency.is_some() {
                    self.answers.fetch_add(1, Ordering::Relaxed);
                    let latency = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                    self.latency.fetch_add(latency, Ordering::Relaxed);
                }
                false
            }
            Outcome::Erred => {
                self.failures.store(0, Ordering::Relaxed);
                self.errors.fetch_add(1, Ordering::Relaxed);
                false
            }
            Outcome::Failed => {
                self.errors.fetch_add(1, Ordering::Relaxed);
                let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                rules.failures > 0 && failures >= rules.failures
            }
        }
    }

    /// Leaves it alone for a while, twice as long as the last time. For how long.
    pub(super) fn eject(&self, rules: &Ejection, now: Instant) -> Duration {
        let before = self.ejections.fetch_add(1, Ordering::Relaxed).min(MOST_DOUBLINGS);
        let span = rules.duration.saturating_mul(1 << before).min(rules.longest);
        let until = self.milliseconds(now + span).max(1);
        self.failures.store(0, Ordering::Relaxed);
        self.warming_since.store(until, Ordering::Relaxed);
        self.ejected_until.store(until, Ordering::Relaxed);
        span
    }

    /// What happened since this was asked the last time. A good interval makes up for an ejection.
    pub(super) fn take_interval(&self, now: Instant) -> Interval {
        let answers = self.answers.swap(0, Ordering::Relaxed);
        let errors = self.errors.swap(0, Ordering::Relaxed);
        let latency = self.latency.swap(0, Ordering::Relaxed);
        if errors == 0 && !self.is_ejected(now) {
            let less = |ejections: u32| ejections.checked_sub(1);
            let _ = self.ejections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
        Interval {
            requests: answers.saturating_add(errors),
            errors,
            latency: (answers > 0).then(|| latency as f64 / f64::from(answers)),
        }
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Ejection {
        Ejection { slow_start: Duration::from_secs(10), ..Ejection::default() }
    }

    #[test]
    fn failures_in_a_row_are_counted_and_an_answer_starts_anew() {
        let state = EndpointState::new(Instant::now());
        let good = Outcome::Answered(Duration::from_millis(1));
        let ended: Vec<bool> =
            [Outcome::Failed, Outcome::Failed, good, Outcome::Failed, Outcome::Erred, Outcome::Failed]
                .into_iter()
                .chain([Outcome::Failed, Outcome::Failed])
                .map(|outcome| state.ended(outcome, &rules()))
                .collect();
        assert_eq!(ended, [false, false, false, false, false, false, false, true]);
    }

    #[test]
    fn each_time_it_is_left_alone_longer_up_to_the_longest_and_starts_slowly_then() {
        let start = Instant::now();
        let state = EndpointState::new(start);
        let mut now = start;
        for seconds in [5, 10, 20, 40, 60, 60] {
            let span = state.eject(&rules(), now);
            assert_eq!(span, Duration::from_secs(seconds));
            assert!(state.is_ejected(now + span - Duration::from_millis(1)));
            now += span;
            assert!(!state.is_ejected(now));
            assert!((state.warmth(rules().slow_start, now) - SLOWEST).abs() < 1e-9);
        }
        assert!((state.warmth(rules().slow_start, now + Duration::from_secs(5)) - 0.5).abs() < 0.01);
        assert!((state.warmth(rules().slow_start, now + Duration::from_secs(11)) - 1.0).abs() < 1e-9);
        for _ in 0..6 {
            state.take_interval(now);
        }
        assert_eq!(state.eject(&rules(), now), Duration::from_secs(5));
    }

    #[test]
    fn there_is_room_up_to_the_most_and_again_after_one_has_ended() {
        let state = Arc::new(EndpointState::new(Instant::now()));
        let freed = Arc::default();
        let one = state.enter(Some(2), &freed);
        let two = state.enter(Some(2), &freed);
        assert!(one.is_some() && two.is_some() && state.enter(Some(2), &freed).is_none());
        drop(one);
        assert!(state.enter(Some(2), &freed).is_some());
    }
}
