//! Counts the CPU time of one guest exactly: the thread's CPU clock is read around every poll of its future.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::stats::Counters;
use crate::CallUsage;

/// A guest at work, boxed so that it can be moved between runtimes.
pub(super) type GuestFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The CPU account of one call.
#[derive(Debug)]
pub(super) struct CpuMeter {
    counters: Arc<Counters>,
    usage: Arc<CallUsage>,
    finished_polls: AtomicU64,
    poll_started: AtomicU64,
}

impl CpuMeter {
    pub(super) fn new(counters: Arc<Counters>, usage: Arc<CallUsage>) -> Self {
        Self { counters, usage, finished_polls: AtomicU64::new(0), poll_started: AtomicU64::new(0) }
    }

    /// CPU time of all finished polls.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.finished_polls.load(Ordering::Relaxed))
    }

    /// CPU time of the poll in progress. Only meaningful on the thread that polls.
    pub(super) fn current_poll(&self) -> Duration {
        let started = self.poll_started.load(Ordering::Relaxed);
        Duration::from_nanos(thread_cpu_nanoseconds().saturating_sub(started))
    }

    fn begin_poll(&self) {
        self.poll_started.store(thread_cpu_nanoseconds(), Ordering::Relaxed);
    }

    fn end_poll(&self) {
        let spent = self.current_poll();
        let nanoseconds = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.finished_polls.fetch_add(nanoseconds, Ordering::Relaxed);
        self.usage.add_cpu(nanoseconds);
        self.counters.add_cpu(nanoseconds);
    }
}

/// Runs a guest and charges every poll to its meter.
pub(super) struct Metered {
    guest: GuestFuture,
    meter: Arc<CpuMeter>,
}

impl Metered {
    pub(super) fn new(guest: GuestFuture, meter: Arc<CpuMeter>) -> Self {
        Self { guest, meter }
    }

    pub(super) fn meter(&self) -> &CpuMeter {
        &self.meter
    }
}

impl Future for Metered {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.meter.begin_poll();
        let result = self.guest.as_mut().poll(context);
        self.meter.end_poll();
        result
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.meter.usage.settle();
    }
}

fn thread_cpu_nanoseconds() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000_000 + nanoseconds
}
