//! An answer that breaks off when nobody is there any more to whom it is of use.

use bytes::Bytes;
use framex_plugin_host::{Body, BodyError};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The request for which an answer was is over.
#[derive(Debug, thiserror::Error)]
#[error("the request for which this was is over")]
struct Over;

struct CutBody {
    inner: Body,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Breaks `body` off when `cancelled` says so.
pub(super) fn cut_when(cancelled: CancellationToken, body: Body) -> Body {
    CutBody { inner: body, cancelled: Box::pin(cancelled.cancelled_owned()) }.boxed_unsync()
}

impl http_body::Body for CutBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.cancelled.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(BodyError::source(Over))));
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
