//! A request's phases on Pingora.
//!
//! This file only says what happens in which phase; each step is a file below. Requests for plugins are answered in
//! `request_filter` (see `pump`), requests for network backends go through Pingora's own proxying. Pingora's bools mean
//! different things in different phases: they are made from a [`Verdict`] in [`GatewayProxy::request_filter`] alone.

mod absence;
mod admit;
mod attempt;
mod caching;
mod context;
mod edge;
mod event_stream;
mod failure;
mod framex_client;
mod framing;
mod function_call;
mod moved_answer;
mod own_page;
mod pump;
mod record;
mod relay;
mod reply;
mod shadowing;
mod sizes;
mod upstream_request;
mod watchdog;

pub use caching::AnswerStore;
pub use edge::{Edge, EdgeLimits};

use crate::backends::{ClusterClient, Taken};
use crate::dispatch::{InternalCalls, ShadowCalls};
use crate::lifecycle::Lifecycle;
use crate::limits::Shedder;
use crate::rejection::{Reason, Rejection};
use crate::request::Priority;
use crate::snapshot::{Snapshot, Target};
use crate::telemetry::{AccessLog, Metrics, RouteMetrics};
use admit::Admitted;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use caching::CacheUse;
use context::RequestContext;
use event_stream::EventStream;
use http::{Method, StatusCode, Version, header};
use pingora_cache::storage::HitHandler;
use pingora_cache::{CacheKey, CacheMeta, ForcedFreshness, NoCacheReason, RespCacheable};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use pump::PumpError;
use std::sync::Arc;
use std::time::Duration;

/// How long a record waits for the last CPU time of a plugin, which is usually there in microseconds.
const LONGEST_SETTLING: Duration = Duration::from_millis(20);
/// How long the rest of a refused request's body is read and thrown away, so that the client sees the answer.
const LONGEST_DRAIN: Duration = Duration::from_secs(3);

/// Everything a request needs that outlives it.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The configuration in force.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Counters.
    pub metrics: Metrics,
    /// One line per request.
    pub access_log: Arc<AccessLog>,
    /// What the process is doing.
    pub lifecycle: Lifecycle,
    /// What plugins call others through.
    pub calls: Arc<InternalCalls>,
    /// Calls backends for what the gateway looks at whole.
    pub client: Arc<ClusterClient>,
    /// What copies of requests are sent through.
    pub shadows: Arc<ShadowCalls>,
    /// Where answers are kept; `None` when there is no room for any.
    pub answers: Option<&'static AnswerStore>,
    /// Decides which requests are refused for the sake of the others.
    pub shedder: Arc<Shedder>,
    /// Counts the requests that have no route.
    pub unrouted: RouteMetrics,
}

/// The gateway as a Pingora proxy.
#[derive(Debug)]
pub struct GatewayProxy {
    shared: Shared,
}

/// What became of a request in its first phase.
enum Verdict {
    /// An answer was written; nothing is left to do.
    Answered,
    /// A network backend answers.
    Proxy,
}

impl GatewayProxy {
    /// A proxy over the shared state.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }

    async fn decide(&self, session: &mut Session, context: &mut RequestContext) -> Result<Verdict> {
        let mut admitted = framex_client::repair_target(session).and_then(|()| admit::admit(session, context));
        if let Ok(Admitted::Route) = admitted {
            admitted = admit::limit(session, context, &self.shared).await.map(|()| Admitted::Route);
        } else if admitted.is_ok() {
            admitted = admitted.and_then(|page| admit::shed(&self.shared, Priority::Normal).map(|()| page));
        }
        match admitted {
            Ok(Admitted::Route) => {}
            Ok(Admitted::OwnPage(page)) => {
                return match own_page::answer(session, context, page).await.map_err(Error::into_down)? {
                    Ok(()) => Ok(Verdict::Answered),
                    Err(rejection) => self.refuse(session, context, rejection).await,
                };
            }
            Ok(Admitted::Function) => {
                let client = &self.shared.client;
                return match function_call::answer(session, context, client).await.map_err(Error::into_down)? {
                    Ok(()) => Ok(Verdict::Answered),
                    Err(rejection) => self.refuse(session, context, rejection).await,
                };
            }
            Err(rejection) => return self.refuse(session, context, rejection).await,
        }
        let Some(route) = context.route.clone() else {
            return self.refuse(session, context, Reason::Internal.into()).await;
        };
        shadowing::begin(session, context, &self.shared, &route);
        match &route.target {
            Target::Cluster(_) if relay::is_for(session, &route) => {
                context.issue_ticket(self.shared.calls.tickets());
                loop {
                    // Boxed, so that requests that need none of this do not carry its room.
                    match Box::pin(relay::answer(session, context, &route, &self.shared.client)).await {
                        Err(PumpError::Rejected(rejection))
                            if rejection.reason.is_out_of_reach()
                                && context.bytes_in == 0
                                && attempt::step_down(context) => {}
                        ended => return self.pumped(session, context, ended).await,
                    }
                }
            }
            Target::Cluster(_) => {
                context.release_snapshot();
                context.cache = caching::prepare(session, context, &route, self.shared.answers).await?.map(Box::new);
                Ok(Verdict::Proxy)
            }
            Target::Plugin(plugin) => match pump::answer(session, context, &route, plugin).await {
                // The plugin has seen nothing of the request, so somebody else may answer it.
                Err(PumpError::Rejected(rejection))
                    if rejection.reason.is_out_of_reach() && context.bytes_in == 0 && attempt::step_down(context) =>
                {
                    Ok(Verdict::Proxy)
                }
                ended => self.pumped(session, context, ended).await,
            },
        }
    }

    /// Settles what was answered without Pingora's proxying.
    async fn pumped(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
        ended: Result<(), PumpError>,
    ) -> Result<Verdict> {
        match ended {
            Ok(()) => Ok(Verdict::Answered),
            Err(PumpError::Rejected(rejection)) => self.refuse(session, context, rejection).await,
            Err(PumpError::Cut(rejection)) => {
                let ended = event_stream::end(session, context, &rejection).await;
                context.rejection = Some(rejection);
                match ended.map_err(Error::into_down)? {
                    true => Ok(Verdict::Answered),
                    // Bytes are on their way already; only an error makes Pingora end the connection, so that the client can
                    // see that the answer is not whole.
                    false => Err(Error::new_in(ErrorType::InternalError)),
                }
            }
            Err(PumpError::Client(error)) => Err(error),
        }
    }

    async fn refuse(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
        rejection: Rejection,
    ) -> Result<Verdict> {
        if matches!(rejection.reason.status(), 400 | 431) {
            // Where a message that is not understood ends is not known either (RFC 9112 §6.3).
            session.set_keepalive(None);
        }
        let written = if reply::stands_in(context, &rejection) {
            reply::write_written(session, context).await
        } else {
            refuse_in_full(session, context, &rejection).await
        };
        context.rejection = Some(rejection);
        written.map(|()| Verdict::Answered).map_err(Error::into_down)
    }
}

/// Writes a refusal and reads what the client is still sending, within bounds: closing a connection with unread bytes
/// resets it, and the client would lose the answer.
async fn refuse_in_full(session: &mut Session, context: &mut RequestContext, rejection: &Rejection) -> Result<()> {
    reply::write(session, context, rejection).await?;
    context.answered = Some(context.started.elapsed());
    if context.bytes_in == 0 && expects_continue(session.req_header()) {
        // The client waits with its body and, having its answer, may never send it; it may also send it all the same. So
        // what comes next on the connection is not known.
        session.set_keepalive(None);
        return Ok(());
    }
    // A body that does not come is no failure of an answer that was given.
    if session.downstream_session.drain_request_body().await.is_err() {
        session.set_keepalive(None);
    }
    Ok(())
}

/// Whether the client sends its body only when it is told to (RFC 9110 §10.1.1).
fn expects_continue(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_11
        && request
            .headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[async_trait]
impl ProxyHttp for GatewayProxy {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.shared.snapshot.load_full(), self.shared.lifecycle.enter())
    }

    /// No modules: the gateway neither compresses nor rewrites bodies.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, context: &mut RequestContext) -> Result<()> {
        edge::head_arrived(session);
        // Keep-alive stays as Pingora decided it: it is off where the framing asks for that, and switching it on again would
        // let a smuggled request through. How long a connection may be idle is bounded by `edge`.
        if let Some(snapshot) = &context.snapshot {
            let limits = &snapshot.gateway.connections;
            session.set_read_timeout(Some(limits.body_timeout));
            session.set_write_timeout(Some(limits.write_timeout));
        }
        session.set_total_drain_timeout(Some(LONGEST_DRAIN));
        session.set_close_on_response_before_downstream_finish(false);
        // Pingora's chunk parser is more lenient than others (a space after a size, bare LF in an extension), so what comes
        // right behind a chunked body is no request for sure; the connection ends there.
        let is_chunked = session.req_header().headers.contains_key(header::TRANSFER_ENCODING);
        session.set_pipelining_enabled(!is_chunked);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut RequestContext) -> Result<bool> {
        // Here true means "answered, stop".
        match self.decide(session, context).await? {
            Verdict::Answered => Ok(true),
            Verdict::Proxy => Ok(false),
        }
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut RequestContext,
    ) -> Result<()> {
        context.body_has_come |= end_of_stream;
        if let Some(shadowing) = &mut context.shadowing {
            shadowing.request_chunk(body.as_ref(), end_of_stream);
        }
        let Some(chunk) = body else { return Ok(()) };
        context.body_forwarded |= !chunk.is_empty();
        context.take_request_bytes(chunk.len()).map_err(|rejection| {
            let status = rejection.reason.status();
            context.rejection = Some(rejection);
            Error::new_down(ErrorType::HTTPStatus(status))
        })?;
        sizes::bound_next_read(session, context)
    }

    fn request_cache_filter(&self, session: &mut Session, context: &mut RequestContext) -> Result<()> {
        if let Some(cache) = &context.cache {
            cache.enable(session);
        }
        Ok(())
    }

    fn cache_key_callback(&self, _session: &Session, context: &mut RequestContext) -> Result<CacheKey> {
        match &context.cache {
            Some(cache) => Ok(cache.key()),
            None => Error::e_explain(ErrorType::InternalError, "a request that is looked up has a key"),
        }
    }

    fn cache_miss(&self, session: &mut Session, _context: &mut RequestContext) {
        caching::missed(session);
    }

    async fn cache_hit_filter(
        &self,
        session: &mut Session,
        meta: &CacheMeta,
        _hit: &mut HitHandler,
        is_fresh: bool,
        context: &mut RequestContext,
    ) -> Result<Option<ForcedFreshness>> {
        Ok(context.cache.as_ref().and_then(|cache| cache.forced(session, meta, is_fresh)))
    }

    fn response_cache_filter(
        &self,
        _session: &Session,
        answer: &ResponseHeader,
        context: &mut RequestContext,
    ) -> Result<RespCacheable> {
        Ok(match &context.cache {
            Some(cache) => cache.judge(answer, context.step > 0),
            None => RespCacheable::Uncacheable(NoCacheReason::NeverEnabled),
        })
    }

    fn cache_vary_filter(
        &self,
        meta: &CacheMeta,
        _context: &mut RequestContext,
        request: &RequestHeader,
    ) -> Option<[u8; 16]> {
        caching::variance(meta, request)
    }

    fn should_serve_stale(&self, _session: &mut Session, context: &mut RequestContext, error: Option<&Error>) -> bool {
        let is_stale = caching::may_be_stale(error);
        if is_stale {
            // What failed is not what the caller sees.
            context.rejection = None;
        }
        is_stale
    }

    async fn upstream_peer(&self, session: &mut Session, context: &mut RequestContext) -> Result<Box<HttpPeer>> {
        // A repeated request is read, counted and sent anew.
        context.bytes_in = 0;
        context.body_forwarded = false;
        if let Some(shadowing) = &mut context.shadowing {
            shadowing.request_begins_anew();
        }
        let Taken { endpoint, place } = loop {
            match attempt::choose(session, context).await {
                Ok(taken) => break taken,
                Err(rejection) if rejection.reason.is_out_of_reach() && attempt::step_down(context) => {}
                Err(rejection) => {
                    context.rejection = Some(rejection);
                    return Err(Error::new_up(ErrorType::ConnectError));
                }
            }
        };
        let mut peer = endpoint.for_request();
        attempt::set_timeouts(&mut peer, context);
        context.place = Some(place);
        context.endpoint = Some(endpoint);
        Ok(peer)
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        fd: std::os::unix::io::RawFd,
        _digest: Option<&Digest>,
        context: &mut RequestContext,
    ) -> Result<()> {
        if let Some(cluster) = context.cluster() {
            context.upstream_in_use = Some(cluster.metrics.connected(reused));
        }
        context.upstream_socket = Some(fd);
        attempt::connected(fd, context);
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut RequestContext,
    ) -> Result<()> {
        context.issue_ticket(self.shared.calls.tickets());
        upstream_request::edit(session, request, context)
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        context: &mut RequestContext,
    ) -> Result<()> {
        let is_interim = answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS;
        if !is_interim && attempt::head_came(session, answer.status, context) {
            return Error::e_explain(ErrorType::HTTPStatus(answer.status.as_u16()), "another endpoint is asked");
        }
        if let Some(shadowing) = &mut context.shadowing {
            shadowing.answer_began(answer.status, &answer.headers);
        }
        if let Some(endpoint) = context.endpoint.as_ref().filter(|_| context.cache.is_some()) {
            CacheUse::sign(session, answer, &endpoint.authority)?;
        }
        sizes::check_answer_head(session, answer, context)?;
        context.is_last_on_connection = answer.status.is_server_error();
        context.watch_outcome(answer);
        let is_empty = answer.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
        let has_no_body = matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if is_empty || has_no_body || session.req_header().method == Method::HEAD {
            context.give_up_failed_connection();
            attempt::answer_is_whole(context);
        }
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut RequestContext,
    ) -> Result<Option<Duration>> {
        if let (Some(reader), Some(chunk)) = (&mut context.outcome_reader, body.as_ref()) {
            reader.push(chunk);
        }
        if let (Some(shadowing), Some(chunk)) = (&mut context.shadowing, body.as_ref()) {
            shadowing.answer_chunk(chunk);
        }
        sizes::check_answer_chunk(body.as_ref(), context)?;
        if end_of_stream {
            context.give_up_failed_connection();
            attempt::answer_is_whole(context);
        }
        Ok(None)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        context: &mut RequestContext,
    ) -> Result<()> {
        if answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        context.answer_began(answer);
        if let Some(cache) = &mut context.cache {
            cache.say(session, answer)?;
        }
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            // What follows is no body: both sides may be silent for as long as the route says.
            session.set_read_timeout(context.longest_silence());
        }
        // Pingora 0.9.1 would send chunks to a client that does not know them.
        if session.req_header().version == Version::HTTP_10 && answer.headers.contains_key(header::TRANSFER_ENCODING) {
            answer.remove_header(&header::TRANSFER_ENCODING);
            session.set_keepalive(None);
        }
        context.moved_page = moved_answer::begin(answer, session, context)?.map(Box::new);
        if context.moved_page.is_none() && context.route.as_ref().is_some_and(|route| route.envelope) {
            context.envelope = reply::put_in_envelope(answer, session)?.map(Box::new);
        }
        if context.moved_page.is_none() && context.envelope.is_none() {
            context.events = EventStream::of(answer);
        }
        reply::edit_answer(answer, context)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut RequestContext,
    ) -> Result<Option<Duration>> {
        if let Some(page) = &mut context.moved_page {
            *body = page.push(body.as_ref(), end_of_stream);
        }
        if let Some(envelope) = &mut context.envelope {
            *body = envelope.push(body.as_ref(), end_of_stream);
        }
        if let (Some(events), Some(chunk)) = (&mut context.events, body.as_ref()) {
            events.push(chunk);
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut RequestContext,
        mut error: Box<Error>,
    ) -> Box<Error> {
        if attempt::did_not_connect(context) {
            error.set_retry(true);
        }
        error
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        context: &mut RequestContext,
        client_reused: bool,
    ) -> Box<Error> {
        let mut error = error.more_context(format!("endpoint {peer}"));
        error.set_retry(attempt::broke_off(session, &error, client_reused, context));
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut RequestContext) -> FailToProxy {
        let rejection = match context.rejection.take() {
            Some(rejection) => rejection,
            None => attempt::lateness(context).unwrap_or_else(|| failure::rejection_of(error, context)),
        };
        let status = rejection.reason.status();
        let can_answer = session.response_written().is_none() && rejection.reason != Reason::ClientClosed;
        if can_answer {
            // The backend's half of the exchange is in an unknown state, and perhaps the client's too.
            session.set_keepalive(None);
            // A client that went away in this moment is noticed by the connection itself.
            if reply::stands_in(context, &rejection) {
                let _ = reply::write_written(session, context).await;
            } else {
                let _ = refuse_in_full(session, context, &rejection).await;
            }
        }
        if session.response_written().is_some() && rejection.reason != Reason::ClientClosed {
            let _ = event_stream::end(session, context, &rejection).await;
        }
        context.rejection = Some(rejection);
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut RequestContext) {
        if let Some(shadowing) = context.shadowing.take() {
            shadowing.finish(error.is_none() && context.rejection.is_none());
        }
        context.answered.get_or_insert_with(|| context.started.elapsed());
        attempt::end(context);
        if let Some(usage) = &context.usage {
            // A plugin that works on after its answer is not waited for.
            let _ = tokio::time::timeout(LONGEST_SETTLING, usage.settled()).await;
        }
        if let Some(store) = self.shared.answers {
            caching::invalidate(session, context, store);
        }
        context.tell_limits(session.response_written().map_or(0, |answer| answer.status.as_u16()));
        record::record(&self.shared, session, context);
        edge::request_ended(session);
    }

    /// Failures are in the access log, once.
    fn suppress_error_log(&self, _session: &Session, _context: &RequestContext, _error: &Error) -> bool {
        true
    }
}
