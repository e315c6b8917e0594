//! The fields by which the gateway tells a backend or plugin about a request: whose it is, and which.

use super::context::RequestContext;
use crate::request::field::{TRACEPARENT, TRACESTATE, X_FRAMEX_NAMESPACE, X_FRAMEX_SUBJECT, X_REQUEST_ID};
use crate::snapshot::Route;
use http::HeaderMap;

/// Sets identity, request id and trace context; what the client sent under these names is replaced.
pub(super) fn set_own_fields(fields: &mut HeaderMap, context: &RequestContext, route: &Route) {
    fields.insert(X_FRAMEX_NAMESPACE, route.namespace_field.clone());
    if let Some(subject) = context.identity.subject_field() {
        fields.insert(X_FRAMEX_SUBJECT, subject.clone());
    }
    if let Some((id, trace)) = &context.ids {
        fields.insert(X_REQUEST_ID, id.as_field().clone());
        fields.insert(TRACEPARENT, trace.traceparent());
        if trace.is_new() {
            fields.remove(TRACESTATE);
        }
    }
}
