//! The end of a request: one record, from which access log and metrics are made.

use super::Shared;
use super::caching::CacheUse;
use super::context::RequestContext;
use crate::dispatch::WRITTEN_ANSWER;
use crate::rejection::Reason;
use crate::telemetry::{BackendKind, CallRecord};
use http::{Version, header};
use pingora_proxy::Session;

pub(super) fn record(shared: &Shared, session: &Session, context: &RequestContext) {
    // Without ids the head was never looked at: the connection broke before there was a request.
    let Some((request_id, trace)) = &context.ids else { return };
    let request = session.req_header();
    let route = context.route.as_deref();
    let reason = context.rejection.as_ref().map(|rejection| rejection.reason);
    let (kind, backend) = match (context.cluster(), route) {
        (Some(cluster), _) => (cluster.kind(), Some(cluster.config.name.as_str())),
        (None, Some(_)) if context.step > 0 => (BackendKind::None, Some(WRITTEN_ANSWER)),
        (None, Some(route)) => (route.target.kind(), Some(route.target.name())),
        (None, None) => (BackendKind::None, None),
    };
    let record = CallRecord {
        time: context.time,
        request_id: request_id.as_str(),
        trace,
        client: context.client,
        subject: context.identity.subject(),
        plugin: None,
        namespace: route.map(|route| &*route.namespace),
        route: route.map(|route| route.name.as_str()),
        backend_kind: kind,
        backend,
        fallback: context.step > 0,
        endpoint: context.endpoint.as_ref().map(|endpoint| &*endpoint.label),
        attempts: context.attempts.count,
        method: request.method.as_str(),
        host: &context.host,
        path: context.path(request),
        http_version: match request.version {
            Version::HTTP_2 => "2",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        },
        status: status(session, reason),
        outcome: context.outcome(),
        reason,
        note: context.rejection.as_ref().map(|rejection| &*rejection.note),
        cache: context.cache.as_deref().and_then(CacheUse::status),
        queued: context.admission.queued(),
        duration: context.answered.unwrap_or_else(|| context.started.elapsed()),
        first_byte: context.first_byte,
        bytes_in: context.bytes_in,
        bytes_out: u64::try_from(session.body_bytes_sent()).unwrap_or(u64::MAX),
        streamed: context.streamed,
        cpu: context.usage.as_ref().map(|usage| usage.cpu()),
        user_agent: request.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()),
        revision: context.revision,
    };
    route.map_or(&shared.unrouted, |route| &route.metrics).record(&record);
    if let Some(share) = route.and_then(|route| route.share_metrics.as_ref()).filter(|_| context.is_of_share) {
        share.record(&record);
    }
    if let Some(reason) = reason {
        shared.metrics.rejected(record.namespace.unwrap_or_default(), reason);
        if reason == Reason::Internal {
            tracing::error!(request_id = record.request_id, note = record.note, "the gateway failed");
        }
    }
    shared.access_log.record(&record);
}

/// What the client saw; nginx's 499 when it left before there was anything to see.
fn status(session: &Session, reason: Option<Reason>) -> u16 {
    let written = session.response_written().map_or(0, |answer| answer.status.as_u16());
    if written == 0 { reason.map_or(0, Reason::status) } else { written }
}
