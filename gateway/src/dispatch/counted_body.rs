//! A body whose bytes are counted, and bounded, on the way.

use bytes::Bytes;
use framex_plugin_host::{Body, BodyError};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// The body of a request is longer than its route allows.
#[derive(Debug, thiserror::Error)]
#[error("the body may have {0} bytes at most")]
pub(super) struct TooLong(pub(super) u64);

struct CountedBody {
    inner: Body,
    count: Arc<AtomicU64>,
    limit: Option<u64>,
}

/// Counts the bytes of a body into `count` and breaks it off above `limit`.
pub(super) fn counted(inner: Body, count: Arc<AtomicU64>, limit: Option<u64>) -> Body {
    CountedBody { inner, count, limit }.boxed_unsync()
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
            let total = self.count.fetch_add(length, Ordering::Relaxed) + length;
            if let Some(limit) = self.limit.filter(|limit| total > *limit) {
                return Poll::Ready(Some(Err(BodyError::source(TooLong(limit)))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
