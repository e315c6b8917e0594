//! How the end of a guest reaches its caller, who may be waiting for the response or reading its body.

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use super::stats::Counters;
use crate::CallError;

/// Makes the two ends: the guest's, and the caller's.
pub(super) fn guest_end(plugin: Arc<str>, counters: Arc<Counters>) -> (EndReporter, EndReceiver) {
    let (sender, receiver) = oneshot::channel();
    let reporter = EndReporter { sender: Some(sender), plugin, counters };
    (reporter, EndReceiver(receiver))
}

/// Tells the caller how the guest ended, exactly once, also when its task is thrown away.
#[derive(Debug)]
pub(super) struct EndReporter {
    sender: Option<oneshot::Sender<Result<(), CallError>>>,
    plugin: Arc<str>,
    counters: Arc<Counters>,
}

impl EndReporter {
    pub(super) fn returned(mut self) {
        self.send(Ok(()));
    }

    pub(super) fn failed(mut self, error: CallError) {
        self.send(Err(error));
    }

    /// The caller went away, so there is nobody to tell.
    pub(super) fn cancelled(mut self) {
        self.sender = None;
        self.counters.count_cancelled();
    }

    fn send(&mut self, end: Result<(), CallError>) {
        let Some(sender) = self.sender.take() else {
            return;
        };
        if let Err(error) = &end {
            self.counters.count_error(error);
        }
        // A caller that still listens handles the failure; one that has its whole response does not.
        if let Err(Err(error)) = sender.send(end) {
            tracing::warn!(plugin = %self.plugin, "a plugin failed after its response was complete: {error}");
        }
    }
}

impl Drop for EndReporter {
    fn drop(&mut self) {
        self.send(Err(if thread::panicking() {
            CallError::Internal { reason: "the task of the call panicked".into() }
        } else {
            CallError::HostStopped
        }));
    }
}

/// Where the caller learns of the end.
#[derive(Debug)]
pub(super) struct EndReceiver(oneshot::Receiver<Result<(), CallError>>);

impl EndReceiver {
    /// Waits for the end.
    pub(super) async fn wait(self) -> Result<(), CallError> {
        self.0.await.unwrap_or(Err(CallError::HostStopped))
    }

    /// The failure of the guest if it has already ended with one.
    pub(super) fn failure(&mut self) -> Option<CallError> {
        self.0.try_recv().ok().and_then(Result::err)
    }
}
