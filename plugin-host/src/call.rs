//! What accompanies a call to a plugin: its deadline, its depth, and the account of what it used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a caller says about a call besides the request.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    /// When the caller stops waiting. A plugin's own wall-time limit may end the call earlier, never later.
    pub deadline: Option<Instant>,
    /// How many plugins called each other before this call; 0 for a call from outside.
    pub depth: u32,
    /// Filled while the call runs. Keep a clone to read it afterwards, also after a failure.
    pub usage: Arc<CallUsage>,
    /// Anything the caller wants to find again in [`crate::Outgoing::send`] when this plugin makes a request of its own:
    /// identity, trace context, snapshot. The host does not look at it.
    pub extensions: http::Extensions,
}

impl CallContext {
    /// The context of a call made on behalf of this one: one deeper, with an account of its own.
    pub fn nested(&self) -> Self {
        Self {
            deadline: self.deadline,
            depth: self.depth.saturating_add(1),
            usage: Arc::default(),
            extensions: self.extensions.clone(),
        }
    }
}

/// What one call used so far. A plugin may still be at work when its response has ended: the account is final once it is
/// [`settled`](CallUsage::settled). One account serves one call.
#[derive(Debug, Default)]
pub struct CallUsage {
    settled: AtomicBool,
    settling: Notify,
    cpu_nanoseconds: AtomicU64,
    instantiate_nanoseconds: AtomicU64,
    peak_memory_bytes: AtomicU64,
}

impl CallUsage {
    /// Waits until the plugin is done with the call and everything is counted. After the end of a response that usually
    /// takes microseconds, but a plugin may go on until it runs into a limit.
    pub async fn settled(&self) {
        // Listens before it looks, so that nothing is missed in between.
        let settling = self.settling.notified();
        if !self.settled.load(Ordering::SeqCst) {
            settling.await;
        }
    }

    /// CPU time spent by the plugin and by the host on its behalf, exact, from the thread's CPU clock.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_nanoseconds.load(Ordering::Relaxed))
    }

    /// Wall time it took to make the instance that served the call.
    pub fn instantiate(&self) -> Duration {
        Duration::from_nanos(self.instantiate_nanoseconds.load(Ordering::Relaxed))
    }

    /// The most memory the instance's linear memories held together, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.peak_memory_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::SeqCst);
        self.settling.notify_waiters();
    }

    pub(crate) fn add_cpu(&self, nanoseconds: u64) {
        self.cpu_nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn set_instantiate(&self, nanoseconds: u64) {
        self.instantiate_nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn raise_peak_memory(&self, bytes: u64) {
        self.peak_memory_bytes.fetch_max(bytes, Ordering::Relaxed);
    }
}
