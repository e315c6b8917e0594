//! Ties the life of a guest to its caller's interest in it.

use tokio::sync::oneshot::{self, error::TryRecvError};

/// Makes the two ends: the caller's, and the guest's.
pub(super) fn lease() -> (Lease, Cancelled) {
    let (sender, receiver) = oneshot::channel();
    let cancelled = Cancelled { receiver, released: false };
    (Lease(sender), cancelled)
}

/// Held by whoever waits for the response, then by the response body. Dropping it ends the guest.
#[derive(Debug)]
pub(super) struct Lease(oneshot::Sender<()>);

impl Lease {
    /// The caller has what it wanted; the guest may finish what it is doing, within its limits.
    pub(super) fn release(self) {
        // The guest may already be gone.
        let _ = self.0.send(());
    }
}

/// The guest's end.
#[derive(Debug)]
pub(super) struct Cancelled {
    receiver: oneshot::Receiver<()>,
    released: bool,
}

impl Cancelled {
    /// Completes when the caller went away, never after it let go on purpose.
    pub(super) async fn wait(&mut self) {
        if (&mut self.receiver).await.is_ok() {
            self.released = true;
            std::future::pending().await
        }
    }

    /// Whether the caller went away.
    pub(super) fn happened(&mut self) -> bool {
        !self.released && matches!(self.receiver.try_recv(), Err(TryRecvError::Closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_lease_cancels() {
        let (lease, mut cancelled) = lease();
        assert!(!cancelled.happened());
        drop(lease);
        cancelled.wait().await;
        assert!(cancelled.happened());
    }

    #[tokio::test]
    async fn a_released_lease_does_not_cancel() {
        let (lease, mut cancelled) = lease();
        lease.release();
        tokio::select! {
            biased;
            () = cancelled.wait() => panic!("cancelled"),
            () = tokio::task::yield_now() => {}
        }
        assert!(!cancelled.happened());
    }
}
