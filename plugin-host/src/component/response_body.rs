//! The body of a guest's response, with the strings attached: reading it to the end lets the guest finish, dropping it
//! ends the guest, and a guest that failed never looks like one that was done.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::WasiBody;

use super::guest_end::EndReceiver;
use super::lease::Lease;
use super::loaded::Admission;
use super::stats::Counters;
use crate::{Body, BodyError, CallError};

pub(super) struct ResponseBody {
    /// Until the last frame. Declared first, so that a guest is cancelled before it sees that nobody reads on.
    open: Option<Open>,
    frames: WasiBody,
}

struct Open {
    lease: Lease,
    end: EndReceiver,
    counters: Arc<Counters>,
    limit: u64,
    /// Bytes that may still come.
    left: u64,
    _admission: Arc<Admission>,
}

impl ResponseBody {
    pub(super) fn boxed(
        frames: WasiBody,
        lease: Lease,
        end: EndReceiver,
        counters: Arc<Counters>,
        limit: u64,
        admission: Arc<Admission>,
    ) -> Body {
        let open = Some(Open { lease, end, counters, limit, left: limit, _admission: admission });
        Self { open, frames }.boxed_unsync()
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(open) = &mut this.open else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut this.frames).poll_frame(context));
        if let Some(Ok(frame)) = frame {
            let length = frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
            if let Some(left) = open.left.checked_sub(length) {
                open.left = left;
                return Poll::Ready(Some(Ok(frame)));
            }
            let failure = CallError::ResponseTooLarge { limit: open.limit };
            open.counters.count_error(&failure);
            // Without its lease the guest is ended.
            this.open = None;
            return Poll::Ready(Some(Err(BodyError::Plugin(failure))));
        }
        let Some(mut open) = this.open.take() else {
            return Poll::Ready(None);
        };
        // The frames of a guest that failed simply stop, so its end must be asked before the body may be over.
        let failure = open.end.failure().or_else(|| match frame {
            Some(Err(error)) => {
                let failure = CallError::GuestError { code: error.to_string() };
                open.counters.count_error(&failure);
                Some(failure)
            }
            _ => None,
        });
        open.lease.release();
        Poll::Ready(failure.map(|error| Err(BodyError::Plugin(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}
