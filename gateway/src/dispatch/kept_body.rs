//! A body that can be taken back while nobody has read of it, for whoever answers in the place of the one it was for.

use bytes::Bytes;
use framex_plugin_host::{Body, BodyError};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// The body; `None` once it was taken back.
type Place = Arc<Mutex<State>>;

struct State {
    body: Option<Body>,
    was_read: bool,
}

struct Lent {
    place: Place,
    size: SizeHint,
}

/// The right to take a body back.
pub(super) struct Kept(Place);

/// Lends a body out.
pub(super) fn kept(body: Body) -> (Body, Kept) {
    let size = http_body::Body::size_hint(&body);
    let place = Arc::new(Mutex::new(State { body: Some(body), was_read: false }));
    (Lent { place: place.clone(), size }.boxed_unsync(), Kept(place))
}

impl Kept {
    /// The body, if nothing of it was read.
    pub(super) fn take_whole(&self) -> Option<Body> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.was_read { None } else { state.body.take() }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(body) = &mut state.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        state.was_read |= polled.is_ready();
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        state.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
