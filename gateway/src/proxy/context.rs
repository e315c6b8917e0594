//! What is known of one request while it runs.

use super::attempt::{self, Attempts};
use super::caching::CacheUse;
use super::event_stream::EventStream;
use super::moved_answer::MovedPage;
use super::shadowing::Shadowing;
use crate::backends::{Cluster, Outstanding, PickedEndpoint};
use crate::config::Protocol;
use crate::dispatch::{
    AnswerEnvelope, CallScope, CallTicket, CallTickets, PluginRequest, answer_too_large, body_too_large,
};
use crate::identity::Identity;
use crate::lifecycle::RunningRequest;
use crate::rejection::{Reason, Rejection};
use crate::request::Dialect;
use crate::snapshot::{Admission, Route, Snapshot, Target};
use crate::telemetry::{BackendKind, CallInFlight, RequestId, TraceContext, UpstreamInUse};
use framex_plugin_host::CallUsage;
use framex_wire::OutcomeReader;
use http::{HeaderValue, header};
use pingora_http::{RequestHeader, ResponseHeader};
use std::net::IpAddr;
use std::os::unix::io::RawFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// What is known of one request while it runs.
#[derive(Debug)]
pub struct RequestContext {
    /// The configuration that decides, from the first phase to the access log.
    /// Let go of once nothing more is looked up in it, so that a long request keeps only what answers it from going.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Its revision.
    pub(super) revision: u64,
    pub(super) started: Instant,
    pub(super) time: SystemTime,
    /// Set once the head was looked at; a request that is refused before has none.
    pub(super) ids: Option<(RequestId, TraceContext)>,
    pub(super) client: Option<IpAddr>,
    pub(super) via_tls: bool,
    /// Host in normal form.
    pub(super) host: String,
    /// Path in normal form, where it is not what the client sent.
    pub(super) normal_path: Option<String>,
    pub(super) route: Option<Arc<Route>>,
    pub(super) identity: Identity,
    pub(super) rejection: Option<Rejection>,
    pub(super) endpoint: Option<PickedEndpoint>,
    /// What is known of the endpoints that were asked.
    pub(super) attempts: Attempts,
    /// Its place at the endpoint.
    pub(super) place: Option<Outstanding>,
    /// How far down the route's chain of fallbacks the request is; 0 at the target itself.
    pub(super) step: usize,
    pub(super) upstream_socket: Option<RawFd>,
    pub(super) upstream_in_use: Option<UpstreamInUse>,
    /// Whether the backend's answer is one after which its connection is not used again.
    pub(super) is_last_on_connection: bool,
    pub(super) body_forwarded: bool,
    /// Whether the end of the request's body has come.
    pub(super) body_has_come: bool,
    pub(super) bytes_in: u64,
    /// Bytes of the answer's body that came from whoever answers.
    pub(super) answer_bytes: u64,
    pub(super) first_byte: Option<Duration>,
    /// When the gateway's own answer was written; what the client sends after that is only thrown away.
    pub(super) answered: Option<Duration>,
    pub(super) streamed: bool,
    pub(super) usage: Option<Arc<CallUsage>>,
    pub(super) admission: Admission,
    pub(super) in_flight: Option<CallInFlight>,
    // What few requests have is boxed: every request pays for what is in here.
    /// In which words the gateway's own answers speak where nothing else says it.
    pub(super) dialect: Dialect,
    /// Whether a rejection was written in FrameX's words, where its status is 200.
    pub(super) refused_as_framex: bool,
    /// Finds out what a FrameX answer says of its outcome.
    pub(super) outcome_reader: Option<OutcomeReader>,
    /// Changes the links of a page that is served somewhere else than it thinks.
    pub(super) moved_page: Option<Box<MovedPage>>,
    /// Whether it was let in to the share of its route that is to answer.
    pub(super) is_of_share: bool,
    /// The cookie that keeps the caller with that share, where it has none yet.
    pub(super) share_cookie: Option<HeaderValue>,
    /// The cookie that says which endpoint answers again.
    pub(super) endpoint_cookie: Option<HeaderValue>,
    /// The copy of it that is under way, and what that is compared with.
    pub(super) shadowing: Option<Box<Shadowing>>,
    /// How the stream of events stands that is the answer.
    pub(super) events: Option<EventStream>,
    /// Puts the answer into FrameX's envelope.
    pub(super) envelope: Option<Box<AnswerEnvelope>>,
    /// What the cache is to the request, where the route has one.
    pub(super) cache: Option<Box<CacheUse>>,
    /// What a worker that answers shows when it calls others.
    pub(super) ticket: Option<CallTicket>,
    _running: RunningRequest,
}

impl RequestContext {
    pub(super) fn new(snapshot: Arc<Snapshot>, running: RunningRequest) -> Self {
        Self {
            revision: snapshot.revision,
            dialect: snapshot.gateway.dialect,
            refused_as_framex: false,
            outcome_reader: None,
            moved_page: None,
            is_of_share: false,
            share_cookie: None,
            shadowing: None,
            envelope: None,
            cache: None,
            snapshot: Some(snapshot),
            started: Instant::now(),
            time: SystemTime::now(),
            ids: None,
            client: None,
            via_tls: false,
            host: String::new(),
            normal_path: None,
            route: None,
            identity: Identity::Anonymous,
            rejection: None,
            endpoint: None,
            attempts: Attempts::default(),
            place: None,
            step: 0,
            endpoint_cookie: None,
            events: None,
            upstream_socket: None,
            upstream_in_use: None,
            is_last_on_connection: false,
            body_forwarded: false,
            body_has_come: false,
            bytes_in: 0,
            answer_bytes: 0,
            first_byte: None,
            answered: None,
            streamed: false,
            usage: None,
            admission: Admission::default(),
            in_flight: None,
            ticket: None,
            _running: running,
        }
    }

    /// The network backend that is to answer.
    pub(super) fn cluster(&self) -> Option<&Arc<Cluster>> {
        let route = self.route.as_ref()?;
        match (self.step.checked_sub(1), &route.target) {
            (Some(fallback), _) => route.fallbacks.get(fallback),
            (None, Target::Cluster(cluster)) => Some(cluster),
            (None, Target::Plugin(_)) => None,
        }
    }

    /// Issues what the backend shows when it calls others, if it is a plugin that may.
    pub(super) fn issue_ticket(&mut self, tickets: &CallTickets) {
        let calling = self.cluster().and_then(|cluster| cluster.calling()).zip(self.snapshot.as_ref());
        let deadline = self.route.as_ref().and_then(|route| attempt::deadline(route, self));
        self.ticket = calling.map(|(calling, snapshot)| {
            let scope = CallScope::from_outside(snapshot, self.ids.as_ref(), &self.identity, calling);
            tickets.issue(scope.with_client(self.client), deadline)
        });
    }

    /// Lets the configuration go, if no worker that may call others can come to answer.
    pub(super) fn release_snapshot(&mut self) {
        let Some(route) = &self.route else { return };
        let target = match &route.target {
            Target::Cluster(cluster) => Some(cluster),
            Target::Plugin(_) => None,
        };
        if target.into_iter().chain(&route.fallbacks).all(|cluster| cluster.calling().is_none()) {
            self.snapshot = None;
        }
    }

    /// How long the backend may be silent.
    pub(super) fn longest_silence(&self) -> Option<Duration> {
        let of_route = self.route.as_ref().and_then(|route| route.timeouts.idle.or(route.timeout));
        of_route.or_else(|| self.cluster().map(|cluster| cluster.config.timeouts.silence))
    }

    /// The path of the request in normal form.
    pub(super) fn path<'a>(&'a self, sent: &'a RequestHeader) -> &'a str {
        self.normal_path.as_deref().unwrap_or_else(|| sent.uri.path())
    }

    /// What a plugin is asked.
    pub(super) fn plugin_request<'a>(&'a self, sent: &'a RequestHeader) -> PluginRequest<'a> {
        PluginRequest {
            method: &sent.method,
            path: self.path(sent),
            query: sent.uri.query(),
            fields: &sent.headers,
            identity: &self.identity,
            ids: self.ids.as_ref(),
            deadline: self.route.as_ref().and_then(|route| attempt::deadline(route, self)),
        }
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.ids.as_ref().map(|(id, _)| id.as_str())
    }

    /// Counts bytes of the request's body.
    ///
    /// # Errors
    /// A 413 when they pass the route's limit.
    pub(super) fn take_request_bytes(&mut self, bytes: usize) -> Result<(), Rejection> {
        self.bytes_in = self.bytes_in.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        match self.route.as_ref().and_then(|route| route.sizes.request_body) {
            Some(limit) if self.bytes_in > limit => Err(body_too_large(limit)),
            _ => self.time_for_body().map(drop),
        }
    }

    /// How long the request's body may still take, where that is limited.
    ///
    /// # Errors
    /// A 408 when that time is over.
    pub(super) fn time_for_body(&self) -> Result<Option<Duration>, Rejection> {
        let Some(limit) = self.route.as_ref().and_then(|route| route.sizes.upload_time) else { return Ok(None) };
        match limit.checked_sub(self.started.elapsed()).filter(|left| !left.is_zero()) {
            Some(left) => Ok(Some(left)),
            None => {
                let detail = format!("the request may take {limit:?} until the end of its body");
                Err(Rejection::new(Reason::RequestTimeout, detail))
            }
        }
    }

    /// Counts bytes of the answer's body.
    ///
    /// # Errors
    /// When they pass the route's limit.
    pub(super) fn take_answer_bytes(&mut self, bytes: usize) -> Result<(), Rejection> {
        self.answer_bytes = self.answer_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        match self.route.as_ref().and_then(|route| route.sizes.response_body) {
            Some(limit) if self.answer_bytes > limit => Err(answer_too_large(limit)),
            _ => Ok(()),
        }
    }

    /// What the answer says itself of its outcome, where that is not its status.
    pub(super) fn outcome(&self) -> Option<u16> {
        let refused = self.rejection.as_ref().filter(|_| self.refused_as_framex);
        refused
            .map(|rejection| rejection.reason.status())
            .or_else(|| self.outcome_reader.as_ref()?.outcome())
            .or_else(|| self.envelope.as_ref()?.hidden_status())
    }

    /// Begins to look for the outcome in an answer that may be FrameX's.
    pub(super) fn watch_outcome(&mut self, answer: &ResponseHeader) {
        let may_be_framex =
            self.cluster().is_some_and(|cluster| matches!(cluster.kind(), BackendKind::Framex | BackendKind::Worker));
        if !may_be_framex || !answer.status.is_success() || answer.headers.contains_key(header::CONTENT_ENCODING) {
            return;
        }
        let text = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        self.outcome_reader = OutcomeReader::for_answer(text("content-type"), text("x-raw-output"));
    }

    /// Notes the head of the answer.
    pub(super) fn answer_began(&mut self, answer: &ResponseHeader) {
        self.first_byte.get_or_insert_with(|| self.started.elapsed());
        let content_type = answer.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        self.streamed = content_type.is_some_and(|value| value.starts_with(b"text/event-stream"))
            || !answer.headers.contains_key(header::CONTENT_LENGTH);
    }

    /// Tells the limits that learn from it how the call ended. What the cache answered is no call.
    pub(super) fn tell_limits(&mut self, status: u16) {
        let reason = self.rejection.as_ref().map(|rejection| rejection.reason);
        let was_asked = self.attempts.count > 0 || self.usage.is_some();
        let answered = self.first_byte.filter(|_| was_asked).map(|first_byte| self.started + first_byte);
        self.admission.ended(reason, status, answered);
    }

    pub(super) fn answer_has_begun(&self) -> bool {
        self.first_byte.is_some()
    }

    /// Keeps a connection on which the backend answered 5xx from being used again: after an exception in the application
    /// uvicorn, under FrameX and FastAPI alike, closes the connection without saying so.
    ///
    /// The exchange is complete by now, so closing our half tells the backend nothing new, and whoever would take the
    /// connection from the pool fails before a byte is sent, which is always safe to try again.
    pub(super) fn give_up_failed_connection(&self) {
        // An HTTP/2 connection is shared with other requests, and its server says when it closes.
        let is_http1 = self.cluster().is_some_and(|cluster| cluster.config.protocol == Protocol::Http1);
        if let Some(socket) = self.upstream_socket.filter(|_| is_http1 && self.is_last_on_connection) {
            let _ = nix::sys::socket::shutdown(socket, nix::sys::socket::Shutdown::Write);
        }
    }
}
