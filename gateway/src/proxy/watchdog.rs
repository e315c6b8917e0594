//! Ends an exchange with a backend whose time is over.
//!
//! Pingora waits for the head of an answer and for each part of its body with one and the same patience. What is to be shorter than
//! that is watched from outside: when the time is over the connection is shut down, and Pingora finds it closed.

use nix::sys::socket::{Shutdown, shutdown};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// Watches one exchange until it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    has_bitten: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Watchdog {
    /// Shuts the socket down at `end`. `None` when it is no open socket any more.
    pub(super) fn watch(socket: RawFd, end: Instant) -> Option<Self> {
        let socket = duplicate(socket)?;
        let has_bitten = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn({
            let has_bitten = has_bitten.clone();
            async move {
                sleep_until(end).await;
                has_bitten.store(true, Ordering::Release);
                // A socket that the backend has closed in this moment needs no end.
                let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
            }
        });
        Some(Self { has_bitten, task: task.abort_handle() })
    }

    /// Whether the time was over.
    pub(super) fn has_bitten(&self) -> bool {
        self.has_bitten.load(Ordering::Acquire)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A number of our own for the socket: Pingora's may belong to another one by the time it is needed.
#[expect(unsafe_code, reason = "Pingora says which socket it is by its number alone")]
fn duplicate(socket: RawFd) -> Option<OwnedFd> {
    // SAFETY: Pingora has said of this number in this phase that it is the connection's, which it keeps open for longer than that.
    let borrowed = unsafe { BorrowedFd::borrow_raw(socket) };
    borrowed.try_clone_to_owned().ok()
}
