//! What is noted of one call between plugins, and its end: one record, as of a request from outside.

use super::call_scope::CallScope;
use super::call_tickets::CallTicket;
use super::counted_body::TooLong;
use super::internal_calls::WRITTEN_ANSWER;
use super::size_limits::answer_too_large;
use crate::identity::Identity;
use crate::rejection::{Reason, Rejection};
use crate::snapshot::{Admission, Route};
use crate::telemetry::{AccessLog, BackendKind, CallInFlight, CallRecord, Metrics, TraceContext};
use bytes::Bytes;
use framex_plugin_host::{Body, BodyError, CallUsage};
use http::{HeaderMap, Method, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Where the records of calls go.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) metrics: Metrics,
    pub(super) access_log: Arc<AccessLog>,
}

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// To a route of the gateway.
    Inside,
    /// To a host outside.
    Outside,
}

/// One call from its start to the end of its answer. It is recorded when it is dropped.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) books: Books,
    pub(super) scope: Arc<CallScope>,
    pub(super) destination: Destination,
    pub(super) identity: Identity,
    pub(super) started: Instant,
    pub(super) time: SystemTime,
    pub(super) method: Method,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) route: Option<Arc<Route>>,
    pub(super) status: u16,
    /// What the answer comes to, where that is not its status.
    pub(super) outcome: Option<u16>,
    pub(super) rejection: Option<Rejection>,
    /// How far down the route's chain of fallbacks the call is; 0 at the target itself.
    pub(super) step: usize,
    pub(super) endpoint: Option<Arc<str>>,
    pub(super) attempts: u32,
    pub(super) bytes_in: Arc<AtomicU64>,
    pub(super) bytes_out: u64,
    pub(super) first_byte: Option<Duration>,
    pub(super) streamed: bool,
    pub(super) usage: Option<Arc<CallUsage>>,
    /// Whether it was let in to the share of its route that is to answer.
    pub(super) is_of_share: bool,
    pub(super) admission: Admission,
    pub(super) in_flight: Option<CallInFlight>,
    /// When the caller has no more use for an answer.
    pub(super) deadline: Option<Instant>,
    /// What a worker that is called shows when it calls others in turn.
    pub(super) ticket: Option<CallTicket>,
}

impl Account {
    /// The route to whoever answers this call, where several share those of `route`.
    pub(super) fn pick(&mut self, route: &Arc<Route>, headers: &HeaderMap) -> Arc<Route> {
        let picked = route.pick(headers, &self.identity).route;
        if !Arc::ptr_eq(picked, route) {
            self.in_flight = Some(picked.metrics.enter());
            self.route = Some(picked.clone());
        }
        picked.clone()
    }

    /// Notes the head of the answer.
    pub(super) fn answer_began(&mut self, status: u16, fields: &HeaderMap) {
        self.status = status;
        self.first_byte = Some(self.started.elapsed());
        let content_type = fields.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        self.streamed = content_type.is_some_and(|value| value.starts_with(b"text/event-stream"))
            || !fields.contains_key(header::CONTENT_LENGTH);
    }

    /// The body of the answer; the account is closed when it has been read, or dropped.
    pub(super) fn closes_with(self, body: Body) -> Body {
        AccountedBody { inner: body, account: self }.boxed_unsync()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.status == 0 && self.rejection.is_none() {
            // Whoever called has left before there was an answer.
            self.status = Reason::ClientClosed.status();
            self.rejection = Some(Reason::ClientClosed.into());
        }
        let reason = self.rejection.as_ref().map(|rejection| rejection.reason);
        self.admission.ended(reason, self.status, self.first_byte.map(|first_byte| self.started + first_byte));
        let route = self.route.as_deref();
        let untraced = TraceContext::of(&HeaderMap::new());
        let (request_id, trace) = self.scope.ids.as_ref().map_or(("", &untraced), |(id, trace)| (id.as_str(), trace));
        let (kind, backend) = match (route, self.step.checked_sub(1)) {
            (Some(route), None) => (route.target.kind(), Some(route.target.name())),
            (Some(route), Some(step)) => match route.fallbacks.get(step) {
                Some(cluster) => (cluster.kind(), Some(cluster.config.name.as_str())),
                None => (BackendKind::None, Some(WRITTEN_ANSWER)),
            },
            (None, _) => (BackendKind::None, None),
        };
        let record = CallRecord {
            time: self.time,
            request_id,
            trace,
            client: None,
            subject: self.identity.subject(),
            plugin: self.identity.plugin().map(|plugin| plugin.name.as_str()),
            namespace: route.map(|route| &*route.namespace),
            route: route.map(|route| route.name.as_str()),
            backend_kind: kind,
            backend,
            fallback: self.step > 0,
            endpoint: self.endpoint.as_deref(),
            attempts: self.attempts,
            method: self.method.as_str(),
            host: &self.host,
            path: &self.path,
            http_version: match self.destination {
                Destination::Inside => "internal",
                Destination::Outside => "outbound",
            },
            status: self.status,
            outcome: self.outcome,
            reason,
            note: self.rejection.as_ref().map(|rejection| &*rejection.note),
            cache: None,
            queued: self.admission.queued(),
            duration: self.started.elapsed(),
            first_byte: self.first_byte,
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out,
            streamed: self.streamed,
            cpu: self.usage.as_ref().map(|usage| usage.cpu()),
            user_agent: None,
            revision: self.scope.revision,
        };
        if let Some(route) = route {
            route.metrics.record(&record);
            if let Some(share) = route.share_metrics.as_ref().filter(|_| self.is_of_share) {
                share.record(&record);
            }
        }
        if let Some(reason) = reason {
            self.books.metrics.rejected(record.namespace.unwrap_or_default(), reason);
        }
        self.books.access_log.record(&record);
    }
}

struct AccountedBody {
    inner: Body,
    account: Account,
}

impl http_body::Body for AccountedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                self.account.bytes_out += frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
                let limit = self.account.route.as_ref().and_then(|route| route.sizes.response_body);
                if let Some(limit) = limit.filter(|limit| self.account.bytes_out > *limit) {
                    let rejection = answer_too_large(limit);
                    let error = BodyError::source(TooLong(limit));
                    self.account.rejection = Some(rejection);
                    return Poll::Ready(Some(Err(error)));
                }
            }
            Some(Err(error)) => {
                let rejection = self.account.route.as_ref().map(|route| match &route.target {
                    crate::snapshot::Target::Plugin(plugin) => super::cut_of(error, plugin),
                    crate::snapshot::Target::Cluster(_) => {
                        Rejection::from(Reason::BackendBroken).with_note(error.to_string())
                    }
                });
                self.account.rejection = rejection;
            }
            None => {}
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
