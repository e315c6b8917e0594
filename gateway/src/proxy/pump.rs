//! Carries a request to a plugin in the process, or to whoever else answers a call, and the answer back, both at once.
//!
//! Bodies move through bounded hands in both directions, so a slow plugin slows its client and a slow client slows the
//! plugin. A client that goes away ends the plugin's work: everything of the call is dropped with this future.

use super::attempt;
use super::context::RequestContext;
use super::event_stream::EventStream;
use super::expects_continue;
use super::moved_answer::{self, MovedPage};
use super::reply::{edit_answer, put_in_envelope};
use crate::backends::{LocalPlugin, PickedEndpoint};
use crate::dispatch::{
    AnswerEnvelope, CallScope, check_answer, cut_of, enter_plugin, leave_plugin, plugin_request, rejection_of,
};
use crate::rejection::{Reason, Rejection};
use crate::snapshot::Route;
use bytes::Bytes;
use framex_plugin_host::{Body, BodyError, CallError, empty_body};
use futures_util::FutureExt;
use http::{HeaderMap, Method, Response, StatusCode, Version, header};
use http_body::Frame;
use http_body_util::BodyExt;
use pingora_error::{Error, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// Chunks of a request body that may wait for the plugin.
const CHUNKS_IN_HAND: usize = 2;

/// Why a request was not answered in full.
#[derive(Debug)]
pub(super) enum PumpError {
    /// Nothing was sent yet: the gateway can answer.
    Rejected(Rejection),
    /// The plugin failed in the middle of its answer.
    Cut(Rejection),
    /// The client broke off.
    Client(Box<Error>),
}

impl From<Box<Error>> for PumpError {
    fn from(error: Box<Error>) -> Self {
        Self::Client(error.into_down())
    }
}

/// Answers the request from the plugin.
pub(super) async fn answer(
    session: &mut Session,
    context: &mut RequestContext,
    route: &Route,
    plugin: &Arc<LocalPlugin>,
) -> Result<(), PumpError> {
    let pass = enter_plugin(plugin).map_err(PumpError::Rejected)?;
    let (feed, body) = request_body(session);
    let asked = context.plugin_request(session.req_header());
    let request = plugin_request(&asked, route, plugin, body).map_err(PumpError::Rejected)?;
    let snapshot = context.snapshot.as_ref().ok_or_else(|| PumpError::Rejected(Reason::Internal.into()))?;
    let scope = CallScope::from_outside(snapshot, context.ids.as_ref(), &context.identity, &plugin.calling)
        .with_client(context.client);
    context.release_snapshot();
    let (call_context, usage) =
        scope.into_context(route, plugin.config.limits.timeout, attempt::deadline(route, context));
    context.usage = Some(usage);
    let call = async {
        let call = AssertUnwindSafe(plugin.component.call(request, call_context)).catch_unwind();
        let answered = call.await.unwrap_or_else(|_| Err(CallError::Internal { reason: "panic".to_owned() }));
        leave_plugin(plugin, pass, &answered);
        (answered.map_err(|error| rejection_of(&error, plugin)), Vec::new())
    };
    // The plugin host knows of the deadline, and says better who is late.
    carry(session, context, feed, call, |error| cut_of(error, plugin), None).await
}

/// Carries the request's body to whoever answers `call`, and the answer back. Beside its answer the call says which endpoints were
/// asked; `cut` says what it means when the answer breaks off.
pub(super) async fn carry(
    session: &mut Session,
    context: &mut RequestContext,
    feed: Option<Feed>,
    call: impl Future<Output = (Result<Response<Body>, Rejection>, Vec<PickedEndpoint>)>,
    cut: impl Fn(&BodyError) -> Rejection,
    deadline: Option<Instant>,
) -> Result<(), PumpError> {
    let mut call = pin!(call);
    let mut upload = Upload::new(session, feed);
    let (answer, mut asked) = loop {
        tokio::select! {
            biased;
            answer = &mut call => break answer,
            step = upload.step(session, context) => step?,
        }
    };
    if !asked.is_empty() {
        context.attempts.count = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        context.endpoint = asked.pop();
    }
    let answer = answer.map_err(PumpError::Rejected)?;

    let mut download = Download::begin(session, context, answer).await?;
    let heartbeat = context.route.as_ref().and_then(|route| route.heartbeat).filter(|_| context.events.is_some());
    let mut next_beat = heartbeat.map(|span| Instant::now() + span);
    loop {
        tokio::select! {
            biased;
            frame = download.body.frame() => match frame {
                Some(Ok(frame)) => {
                    if let (Some(shadowing), Some(chunk)) = (&mut context.shadowing, frame.data_ref()) {
                        shadowing.answer_chunk(chunk);
                    }
                    if let (Some(reader), Some(chunk)) = (&mut context.outcome_reader, frame.data_ref()) {
                        reader.push(chunk);
                    }
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    context.take_answer_bytes(length).map_err(PumpError::Cut)?;
                    if let (Some(events), Some(chunk)) = (&mut context.events, frame.data_ref()) {
                        events.push(chunk);
                    }
                    download.write(session, frame).await?;
                    next_beat = heartbeat.map(|span| Instant::now() + span);
                }
                Some(Err(error)) => return Err(PumpError::Cut(cut(&error))),
                None => break,
            },
            // A client that has its whole answer may send its next request; that belongs to the next round.
            step = upload.step(session, context), if !(upload.is_over() && download.is_whole()) => step?,
            () = at(next_beat) => {
                if let Some(comment) = context.events.and_then(EventStream::heartbeat) {
                    session.write_response_body(Some(comment), false).await?;
                }
                next_beat = heartbeat.map(|span| Instant::now() + span);
            }
            () = at(deadline) => return Err(PumpError::Cut(Reason::DeadlineExceeded.into())),
        }
    }
    download.end(session).await
}

/// Waits for a time; for ever without one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

pub(super) fn request_body(session: &mut Session) -> (Option<Feed>, Body) {
    if session.is_body_done() || session.is_body_empty() {
        return (None, empty_body());
    }
    let (feed, chunks) = mpsc::channel(CHUNKS_IN_HAND);
    let (asked, is_asked) = oneshot::channel();
    (Some(Feed { chunks: feed, is_asked: Some(is_asked) }), FedBody { chunks, asked: Some(asked) }.boxed_unsync())
}

/// The way of a request body to the plugin.
pub(super) struct Feed {
    chunks: mpsc::Sender<Bytes>,
    /// Ends when the plugin reads its body for the first time.
    is_asked: Option<oneshot::Receiver<()>>,
}

/// The request body as the plugin reads it.
struct FedBody {
    chunks: mpsc::Receiver<Bytes>,
    asked: Option<oneshot::Sender<()>>,
}

impl http_body::Body for FedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(asked) = self.asked.take() {
            let _ = asked.send(());
        }
        // A client that breaks off drops the whole call, so an end here is always the true end.
        self.chunks.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// The client's half: body chunks for the plugin, and the news that the client has gone.
struct Upload {
    feed: Option<Feed>,
    waiting: Option<Bytes>,
    expects_continue: bool,
}

impl Upload {
    fn new(session: &Session, feed: Option<Feed>) -> Self {
        let expects_continue = feed.is_some() && expects_continue(session.req_header());
        Self { feed, waiting: None, expects_continue }
    }

    /// Whether nothing more of this request can come.
    fn is_over(&self) -> bool {
        self.feed.is_none()
    }

    /// Moves one chunk on: from the hand to the plugin, or from the client into the hand. Losing the returned future
    /// loses nothing.
    async fn step(&mut self, session: &mut Session, context: &mut RequestContext) -> Result<(), PumpError> {
        let Some(feed) = self.feed.as_ref().filter(|_| self.waiting.is_some()) else {
            let received = self.receive_in_time(session, context).await?;
            return self.take(session, context, received);
        };
        let is_wanted = match feed.chunks.reserve().await {
            Ok(room) => {
                if let Some(chunk) = self.waiting.take() {
                    room.send(chunk);
                }
                true
            }
            Err(_) => false,
        };
        if !is_wanted || session.is_body_done() {
            self.waiting = None;
            self.feed = None;
        }
        Ok(())
    }

    /// Reads from the client, no longer than its body may take.
    async fn receive_in_time(
        &mut self,
        session: &mut Session,
        context: &RequestContext,
    ) -> Result<Option<Bytes>, PumpError> {
        let too_slow = |rejection| match context.answer_has_begun() {
            true => PumpError::Cut(rejection),
            false => PumpError::Rejected(rejection),
        };
        // What comes after the body takes no time of it.
        let left = if self.feed.is_some() { context.time_for_body().map_err(too_slow)? } else { None };
        let Some(left) = left else { return Ok(self.receive(session).await?) };
        match tokio::time::timeout(left, self.receive(session)).await {
            Ok(received) => Ok(received?),
            Err(_elapsed) => Err(match context.time_for_body() {
                Err(rejection) => too_slow(rejection),
                Ok(_) => too_slow(Reason::RequestTimeout.into()),
            }),
        }
    }

    /// Reads from the client: its body, or, when that is over, the news that it has gone.
    async fn receive(&mut self, session: &mut Session) -> Result<Option<Bytes>> {
        if self.feed.is_none() {
            if session.is_body_done() {
                // Ends only with an error, when the client closes.
                return session.downstream_session.read_body_or_idle(true).await;
            }
            // The plugin refused the rest of the body; the connection is settled when the answer is done.
            return std::future::pending().await;
        }
        if self.expects_continue {
            self.plugin_asks().await;
            self.expects_continue = false;
            session.write_continue_response().await?;
        }
        session.downstream_session.read_body_or_idle(false).await
    }

    /// Waits until the plugin reads its body. Pending for ever when it has decided not to.
    async fn plugin_asks(&mut self) {
        let Some(is_asked) = self.feed.as_mut().and_then(|feed| feed.is_asked.as_mut()) else { return };
        if is_asked.await.is_err() {
            std::future::pending::<()>().await;
        }
        if let Some(feed) = &mut self.feed {
            feed.is_asked = None;
        }
    }

    fn take(
        &mut self,
        session: &mut Session,
        context: &mut RequestContext,
        received: Option<Bytes>,
    ) -> Result<(), PumpError> {
        if let Some(shadowing) = &mut context.shadowing {
            shadowing.request_chunk(received.as_ref(), received.is_none() || session.is_body_done());
        }
        match received {
            Some(chunk) => {
                if let Err(rejection) = context.take_request_bytes(chunk.len()) {
                    return Err(if context.answer_has_begun() {
                        PumpError::Cut(rejection)
                    } else {
                        PumpError::Rejected(rejection)
                    });
                }
                self.waiting = Some(chunk).filter(|chunk| !chunk.is_empty());
            }
            None => self.feed = None,
        }
        if session.is_body_done() && self.waiting.is_none() {
            self.feed = None;
        }
        Ok(())
    }
}

/// The plugin's half: the answer on its way to the client.
struct Download {
    body: Body,
    has_no_body: bool,
    is_http1: bool,
    trailers_sent: bool,
    /// Bytes that the head promised and that are still to come.
    promised: Option<u64>,
    /// Puts the answer into FrameX's envelope.
    envelope: Option<AnswerEnvelope>,
    /// Changes the links of a page that is served somewhere else than it thinks.
    page: Option<MovedPage>,
}

impl Download {
    async fn begin(
        session: &mut Session,
        context: &mut RequestContext,
        answer: Response<Body>,
    ) -> Result<Self, PumpError> {
        let (head, body) = answer.into_parts();
        if let Some(route) = context.route.as_ref().filter(|_| session.req_header().method != Method::HEAD) {
            check_answer(&route.sizes, &head.headers).map_err(PumpError::Rejected)?;
        }
        if let Some(shadowing) = &mut context.shadowing {
            shadowing.answer_began(head.status, &head.headers);
        }
        let request = session.req_header();
        let is_http1 = !session.is_http2();
        let is_http11 = request.version == Version::HTTP_11;
        let has_no_body =
            request.method == Method::HEAD || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let mut header = response_header(head.status, &head.headers)?;
        if head.status == StatusCode::NO_CONTENT {
            header.remove_header(&header::CONTENT_LENGTH);
        }
        context.watch_outcome(&header);
        let page = moved_answer::begin(&mut header, session, context)?;
        let promised = header.headers.get(header::CONTENT_LENGTH).filter(|_| !has_no_body);
        let promised = promised.and_then(|length| length.to_str().ok()?.parse().ok());
        let wants_envelope = page.is_none() && context.route.as_ref().is_some_and(|route| route.envelope);
        let envelope = if wants_envelope { put_in_envelope(&mut header, session)? } else { None };
        // With an envelope there is a body where there was none.
        let has_no_body = has_no_body && envelope.is_none();
        let has_length = header.headers.contains_key(header::CONTENT_LENGTH);
        if is_http1 && !has_length && !has_no_body {
            if is_http11 {
                header.insert_header(header::TRANSFER_ENCODING, "chunked")?;
            } else {
                // An HTTP/1.0 client sees the end of the body by the end of the connection.
                session.set_keepalive(None);
            }
        }
        context.answer_began(&header);
        context.events = EventStream::of(&header);
        edit_answer(&mut header, context)?;
        session.write_response_header(Box::new(header), has_no_body).await?;
        Ok(Self { body, has_no_body, is_http1, trailers_sent: false, promised, envelope, page })
    }

    /// Whether the client can tell that it has everything, though the plugin has not ended yet.
    fn is_whole(&self) -> bool {
        self.envelope.is_none() && self.page.is_none() && (self.has_no_body || self.promised == Some(0))
    }

    async fn write(&mut self, session: &mut Session, frame: Frame<Bytes>) -> Result<(), PumpError> {
        let frame = match frame.into_data() {
            Ok(chunk) => {
                if !self.has_no_body && !chunk.is_empty() {
                    let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                    self.promised = self.promised.map(|promised| promised.saturating_sub(length));
                    let chunk = match (&mut self.envelope, &mut self.page) {
                        (Some(envelope), _) => envelope.push(Some(&chunk), false),
                        (None, Some(page)) => page.push(Some(&chunk), false),
                        (None, None) => Some(chunk),
                    };
                    if chunk.is_some() {
                        session.write_response_body(chunk, false).await?;
                    }
                }
                return Ok(());
            }
            Err(frame) => frame,
        };
        // Pingora writes no trailers on HTTP/1; they are optional by RFC 9110 §6.5, so the answer is whole without.
        if let Ok(trailers) = frame.into_trailers()
            && !self.is_http1
            && !self.has_no_body
        {
            session.downstream_session.write_response_trailers(trailers).await?;
            self.trailers_sent = true;
        }
        Ok(())
    }

    async fn end(mut self, session: &mut Session) -> Result<(), PumpError> {
        // A plugin may return without finishing its body; only the missing bytes tell.
        if let Some(missing) = self.promised.filter(|missing| *missing > 0) {
            let note = format!("{missing} bytes of the promised body are missing");
            return Err(PumpError::Cut(Rejection::from(Reason::PluginNoAnswer).with_note(note)));
        }
        if self.trailers_sent {
            return Ok(());
        }
        let rest = match (&mut self.envelope, &mut self.page) {
            (Some(envelope), _) => envelope.push(None, true),
            (None, Some(page)) => page.push(None, true),
            (None, None) => None,
        };
        Ok(session.write_response_body(rest, true).await?)
    }
}

fn response_header(status: StatusCode, fields: &HeaderMap) -> Result<ResponseHeader> {
    let mut header = ResponseHeader::build(status, Some(fields.len() + 2))?;
    for (name, value) in fields {
        header.append_header(name.clone(), value.clone())?;
    }
    Ok(header)
}
