//! The guest's answer on its way to the caller, who is woken once and not for every piece of it: the answer is held back until the
//! guest gives way or is done. By then a short one is whole, with its body and the guest's end. A guest that computes gives way at
//! the next tick at the latest.

use std::sync::{Arc, Mutex, PoisonError};

use http::Response;
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

/// What a guest sets as its response: the response, or an error in its own words.
pub(super) type GuestResponse = Result<Response<WasiBody>, String>;

/// Makes what the guest sets, what holds it, and where the caller waits for it.
pub(super) fn held_answer() -> (Answer, HeldAnswer, oneshot::Receiver<GuestResponse>) {
    let (sender, receiver) = oneshot::channel();
    let slot = Arc::new(Mutex::new(None));
    (Answer(Arc::clone(&slot)), HeldAnswer { slot, sender: Some(sender) }, receiver)
}

/// The guest's end.
#[derive(Debug)]
pub(super) struct Answer(Arc<Mutex<Option<GuestResponse>>>);

impl Answer {
    pub(super) fn set(self, answer: GuestResponse) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

/// Holds the answer until it is delivered. Dropped without one, it tells the caller that none will come.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    slot: Arc<Mutex<Option<GuestResponse>>>,
    sender: Option<oneshot::Sender<GuestResponse>>,
}

impl HeldAnswer {
    /// Hands the caller what the guest has set, if it has.
    pub(super) fn deliver(&mut self) {
        if self.sender.is_none() {
            return;
        }
        let set = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(answer) = set
            && let Some(sender) = self.sender.take()
        {
            // Whoever asked may have gone away.
            let _ = sender.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_waits_until_it_is_delivered() {
        let (answer, mut held, mut receiver) = held_answer();
        held.deliver();
        answer.set(Err("out of order".to_owned()));
        assert!(receiver.try_recv().is_err());
        held.deliver();
        assert_eq!(receiver.try_recv().expect("delivered").expect_err("the error"), "out of order");
        held.deliver();
    }

    #[tokio::test]
    async fn whoever_waits_learns_that_no_answer_will_come() {
        let (_answer, held, receiver) = held_answer();
        drop(held);
        assert!(receiver.await.is_err());
    }
}
