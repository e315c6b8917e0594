//! Start, readiness and stop of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// What the process is doing, shared by everything that asks or tells.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<State>);

#[derive(Debug, Default)]
struct State {
    configured: AtomicBool,
    listening: AtomicBool,
    stopping: AtomicBool,
    running: AtomicUsize,
    idle: Notify,
}

/// A request that is being answered; the process waits for it when it stops.
#[derive(Debug)]
pub struct RunningRequest(Arc<State>);

impl Lifecycle {
    /// A configuration is in force.
    pub fn set_configured(&self) {
        self.0.configured.store(true, Ordering::Release);
    }

    /// The listeners are up.
    pub fn set_listening(&self) {
        self.0.listening.store(true, Ordering::Release);
    }

    /// The process is about to stop: `/readyz` says no from now on.
    pub fn set_stopping(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// Whether requests are welcome; else the reason why not.
    ///
    /// # Errors
    /// The reason, for `/readyz`.
    pub fn readiness(&self) -> Result<(), &'static str> {
        if self.0.stopping.load(Ordering::Acquire) {
            Err("stopping")
        } else if !self.0.configured.load(Ordering::Acquire) {
            Err("no configuration applied yet")
        } else if !self.0.listening.load(Ordering::Acquire) {
            Err("listeners are not up yet")
        } else {
            Ok(())
        }
    }

    /// Counts a request as running until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> RunningRequest {
        self.0.running.fetch_add(1, Ordering::AcqRel);
        RunningRequest(self.0.clone())
    }

    /// Requests that are being answered.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.running.load(Ordering::Acquire)
    }

    /// Waits until no request runs, at most for `grace`. Returns how many were left.
    pub async fn drained(&self, grace: Duration) -> usize {
        let idle = async {
            loop {
                let notified = self.0.idle.notified();
                if self.running() == 0 {
                    return;
                }
                notified.await;
            }
        };
        let _ = tokio::time::timeout(grace, idle).await;
        self.running()
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 && self.0.stopping.load(Ordering::Acquire) {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_needs_a_configuration_and_listeners_and_ends_with_the_stop() {
        let lifecycle = Lifecycle::default();
        assert!(lifecycle.readiness().is_err());
        lifecycle.set_configured();
        assert!(lifecycle.readiness().is_err());
        lifecycle.set_listening();
        assert_eq!(lifecycle.readiness(), Ok(()));
        lifecycle.set_stopping();
        assert_eq!(lifecycle.readiness(), Err("stopping"));
    }

    #[tokio::test(start_paused = true)]
    async fn draining_waits_for_running_requests_but_not_for_ever() {
        let lifecycle = Lifecycle::default();
        lifecycle.set_stopping();
        let first = lifecycle.enter();
        let second = lifecycle.enter();
        drop(first);
        assert_eq!(lifecycle.drained(Duration::from_secs(5)).await, 1);
        let waiting = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.drained(Duration::from_secs(3600)).await }
        });
        tokio::task::yield_now().await;
        drop(second);
        assert_eq!(waiting.await.expect("no panic"), 0);
    }
}
