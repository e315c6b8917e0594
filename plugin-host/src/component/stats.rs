//! What a component has done since it was loaded: counters on the inside, a plain copy of them for whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{CallError, CallErrorKind};

/// The counters of one loaded component at one moment. All but `in_flight`, `warm` and `peak_memory` only ever grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentStats {
    /// Calls made, refused ones included.
    pub calls: u64,
    /// Calls that are running, or whose response body is still being read.
    pub in_flight: u64,
    /// Calls whose caller went away before the end.
    pub cancelled: u64,
    /// CPU time of all calls.
    pub cpu: Duration,
    /// Calls that waited for another to end before they began, whatever became of them.
    pub queued: u64,
    /// Calls served by an instance that had served others before.
    pub reused: u64,
    /// Instances that wait for their next call.
    pub warm: u64,
    /// Instances made for calls.
    pub instantiations: u64,
    /// Wall time spent on making them.
    pub instantiate: Duration,
    /// The most memory one call ever held, in bytes.
    pub peak_memory: u64,
    /// Calls moved to the heavy threads.
    pub lane_switches: u64,
    errors: [u64; CallErrorKind::ALL.len()],
}

impl ComponentStats {
    /// Calls that failed in this way, whether before their response or in the middle of it.
    pub fn errors(&self, kind: CallErrorKind) -> u64 {
        self.errors[kind as usize]
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    calls: AtomicU64,
    in_flight: AtomicU64,
    cancelled: AtomicU64,
    queued: AtomicU64,
    reused: AtomicU64,
    cpu_nanoseconds: AtomicU64,
    instantiations: AtomicU64,
    instantiate_nanoseconds: AtomicU64,
    peak_memory: AtomicU64,
    lane_switches: AtomicU64,
    errors: [AtomicU64; CallErrorKind::ALL.len()],
}

impl Counters {
    pub(super) fn snapshot(&self, warm: usize) -> ComponentStats {
        ComponentStats {
            calls: read(&self.calls),
            in_flight: read(&self.in_flight),
            cancelled: read(&self.cancelled),
            warm: warm as u64,
            queued: read(&self.queued),
            reused: read(&self.reused),
            cpu: Duration::from_nanos(read(&self.cpu_nanoseconds)),
            instantiations: read(&self.instantiations),
            instantiate: Duration::from_nanos(read(&self.instantiate_nanoseconds)),
            peak_memory: read(&self.peak_memory),
            lane_switches: read(&self.lane_switches),
            errors: self.errors.each_ref().map(read),
        }
    }

    pub(super) fn count_call(&self) {
        add(&self.calls, 1);
    }

    pub(super) fn count_cancelled(&self) {
        add(&self.cancelled, 1);
    }

    pub(super) fn count_queued(&self) {
        add(&self.queued, 1);
    }

    pub(super) fn count_reused(&self) {
        add(&self.reused, 1);
    }

    pub(super) fn count_error(&self, error: &CallError) {
        add(&self.errors[error.kind() as usize], 1);
    }

    pub(super) fn count_lane_switch(&self) {
        add(&self.lane_switches, 1);
    }

    pub(super) fn count_instantiation(&self, nanoseconds: u64) {
        add(&self.instantiations, 1);
        add(&self.instantiate_nanoseconds, nanoseconds);
    }

    pub(super) fn add_cpu(&self, nanoseconds: u64) {
        add(&self.cpu_nanoseconds, nanoseconds);
    }

    pub(super) fn raise_peak_memory(&self, bytes: u64) {
        self.peak_memory.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Counts a call as in flight until the guard is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> InFlight {
        add(&self.in_flight, 1);
        InFlight(Arc::clone(self))
    }
}

#[derive(Debug)]
pub(super) struct InFlight(Arc<Counters>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_a_counter_of_its_own() {
        for (index, kind) in CallErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{}", kind.as_str());
        }
    }
}
