//! The fields that every kind of backend is given: credentials, and whose request it is, and which.

use crate::backends::Cluster;
use crate::config::NetworkKind;
use crate::identity::Identity;
use crate::request::field::{
    TRACEPARENT, TRACESTATE, X_FRAMEX_NAMESPACE, X_FRAMEX_PLUGIN, X_FRAMEX_SUBJECT, X_FRAMEX_TIMEOUT_MS, X_REQUEST_ID,
};
use crate::snapshot::Route;
use crate::telemetry::{RequestId, TraceContext};
use http::{HeaderMap, HeaderValue, header};
use tokio::time::Instant;

/// Sets identity, request id, trace context, and how long an answer is waited for; what the client sent under these names is replaced.
pub(crate) fn set_own_fields(
    fields: &mut HeaderMap,
    route: &Route,
    identity: &Identity,
    ids: Option<&(RequestId, TraceContext)>,
    deadline: Option<Instant>,
) {
    fields.insert(X_FRAMEX_NAMESPACE, route.namespace_field.clone());
    if let Some(subject) = identity.subject_field() {
        fields.insert(X_FRAMEX_SUBJECT, subject.clone());
    }
    if let Some(plugin) = identity.plugin() {
        fields.insert(X_FRAMEX_PLUGIN, plugin.field.clone());
    }
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        fields.insert(X_FRAMEX_TIMEOUT_MS, HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX)));
    }
    if let Some((id, trace)) = ids {
        fields.insert(X_REQUEST_ID, id.as_field().clone());
        fields.insert(TRACEPARENT, trace.traceparent());
        if trace.is_new() {
            fields.remove(TRACESTATE);
        }
    }
}

/// The caller's token was for the gateway. A FrameX instance gets its own key and nothing else; another service gets
/// the caller's token on public routes, where it is the service's own, or when the configuration says so.
pub(crate) fn edit_credentials(fields: &mut HeaderMap, route: &Route, cluster: &Cluster) {
    match &cluster.config.kind {
        NetworkKind::Http { forward_token } => {
            if !route.rule.public && !forward_token {
                fields.remove(header::AUTHORIZATION);
            }
        }
        NetworkKind::Worker(_) => {
            if !route.rule.public {
                fields.remove(header::AUTHORIZATION);
            }
        }
        NetworkKind::Framex { .. } => {
            fields.remove(header::AUTHORIZATION);
            if let Some(key) = &cluster.key_field {
                fields.insert(header::AUTHORIZATION, key.clone());
            }
        }
    }
}
