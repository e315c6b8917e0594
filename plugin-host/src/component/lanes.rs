//! The two sets of threads guests run on. Every call starts on the fast lane; one that computes for long moves to the
//! heavy lane, whose threads yield the processor to all others.
//!
//! Without the second lane eight spinning guests made an innocent one forty times slower, however often they yielded:
//! the waiting time is the number of guests in the queue times a tick.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::cpu_meter::Metered;
use super::epoch::TICK;
use super::settings::HostSettings;
use super::stats::Counters;

/// CPU time after which a call is no longer short.
const HEAVY_AFTER: Duration = TICK.saturating_mul(3);
/// The priority of heavy threads: about a tenth of the processor when others want it.
const HEAVY_NICE: i32 = 10;

/// Owns the threads.
#[derive(Debug)]
pub(super) struct LaneThreads {
    fast: Option<Runtime>,
    heavy: Option<Runtime>,
    lanes: Lanes,
}

impl LaneThreads {
    pub(super) fn start(settings: &HostSettings) -> std::io::Result<Self> {
        let fast = lane("framex-guest", settings.guest_threads).build()?;
        let heavy = lane("framex-heavy", settings.heavy_threads).on_thread_start(lower_priority).build()?;
        let lanes = Lanes { fast: fast.handle().clone(), heavy: heavy.handle().clone() };
        Ok(Self { fast: Some(fast), heavy: Some(heavy), lanes })
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }
}

impl Drop for LaneThreads {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which is forbidden inside another runtime.
        for runtime in [self.fast.take(), self.heavy.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

/// Puts guests on the threads.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    fast: Handle,
    heavy: Handle,
}

impl Lanes {
    /// Runs a guest to its end on whichever lane fits. When the host has stopped, the guest is dropped instead.
    pub(super) fn spawn(&self, guest: Metered, counters: Arc<Counters>) {
        let heavy = self.heavy.clone();
        self.fast.spawn(async move {
            if let Some(guest) = WhileLight::new(guest).await {
                counters.count_lane_switch();
                heavy.spawn(guest);
            }
        });
    }

    /// Runs what is no guest, for as long as the host lives.
    pub(super) fn spawn_housekeeping(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.fast.spawn(work);
    }
}

fn lane(name: &str, threads: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads.max(1)).thread_name(name).enable_all();
    builder
}

fn lower_priority() {
    // On Linux a priority belongs to a thread, not to the process.
    let this_thread = Some(rustix::thread::gettid());
    if let Err(error) = rustix::process::setpriority_process(this_thread, HEAVY_NICE) {
        tracing::warn!("heavy plugin threads keep their normal priority: {error}");
    }
}

/// Polls a guest to its end, or until it has become heavy: then it gives the guest back.
struct WhileLight {
    guest: Option<Metered>,
}

impl WhileLight {
    fn new(guest: Metered) -> Self {
        Self { guest: Some(guest) }
    }
}

impl Future for WhileLight {
    type Output = Option<Metered>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Metered>> {
        let Some(guest) = self.guest.as_mut() else {
            return Poll::Ready(None);
        };
        match Pin::new(&mut *guest).poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending if guest.meter().used() >= HEAVY_AFTER => Poll::Ready(self.guest.take()),
            Poll::Pending => Poll::Pending,
        }
    }
}
