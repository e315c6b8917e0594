//! Calls of Python functions of FrameX instances by name: which are let through, and how.

use super::fields::{edit_credentials, set_own_fields};
use super::network_call::rejection_of;
use crate::backends::{Cluster, ClusterClient};
use crate::identity::Identity;
use crate::rejection::{Reason, Rejection};
use crate::snapshot::{Route, Snapshot};
use crate::telemetry::{BackendKind, RequestId, TraceContext};
use bytes::Bytes;
use framex_plugin_host::{Body, full_body};
use framex_wire::function::{Bounds, FunctionCall, FunctionError, PATH};
use http::{HeaderValue, Request, Response, header};
use std::sync::Arc;

/// `POST /api/v1/proxy/remote` of a FrameX instance (0.4) makes objects of any class that the request names, before it looks
/// whether there is such a function, and asks for no key by default. No route leads there; what is allowed goes by
/// [`find_function`]. `path` is in normal form, before the route's rewrite.
///
/// # Errors
/// A 403 when the path is that one and a FrameX instance would get it.
pub(crate) fn refuse_function_calls(route: &Route, path: &str) -> Result<(), Rejection> {
    let fallbacks = route.fallbacks.iter().map(|cluster| cluster.kind());
    let is_framex = std::iter::once(route.target.kind()).chain(fallbacks).any(|kind| kind == BackendKind::Framex);
    if is_framex && route.rewrite.path(path).trim_end_matches('/').ends_with(PATH) {
        let detail =
            "this path of a FrameX instance calls Python functions by name; the backend's `functions` allow none";
        return Err(Rejection::new(Reason::FunctionForbidden, detail));
    }
    Ok(())
}

/// The route to the instance that has the function that `body` calls. The caller must be allowed to use its namespace.
///
/// # Errors
/// A 400 when the body is no call, a 403 when the function is not allowed, or the caller may not call it.
pub(crate) fn find_function(
    snapshot: &Snapshot,
    identity: &Identity,
    body: &[u8],
) -> Result<(String, Arc<Route>), Rejection> {
    let call = FunctionCall::read(body, Bounds::default()).map_err(|error| match &error {
        FunctionError::NamesClass => Rejection::new(Reason::FunctionForbidden, error.to_string()),
        _ => Rejection::new(Reason::BadRequest, format!("no call of a function: {}", chain(&error))),
    })?;
    let mut refusal = None;
    for (functions, route) in snapshot.namespaces.values().flat_map(|part| &part.functions) {
        if !call.is_listed(functions) {
            continue;
        }
        match route.rule.authorise(identity) {
            Ok(()) => return Ok((call.name, route.clone())),
            Err(rejection) => refusal = refusal.or(Some(rejection)),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        Rejection::new(Reason::FunctionForbidden, format!("the function `{}` is not one that may be called", call.name))
    }))
}

/// Sends the very bytes that were looked at to the instance, with its own key.
///
/// # Errors
/// When it gives no answer.
pub(crate) async fn call_function(
    client: &ClusterClient,
    cluster: &Arc<Cluster>,
    route: &Route,
    identity: &Identity,
    ids: Option<&(RequestId, TraceContext)>,
    body: Bytes,
    endpoint: &mut Option<Arc<str>>,
) -> Result<Response<Body>, Rejection> {
    let mut request = Request::post(PATH)
        .body(full_body(body))
        .map_err(|error| Rejection::from(Reason::Internal).with_note(error.to_string()))?;
    let fields = request.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    edit_credentials(fields, route, cluster);
    set_own_fields(fields, route, identity, ids, None);
    let mut tried = Vec::new();
    let answer = client.call(cluster, request, route.timeout, None, &mut tried).await;
    *endpoint = tried.pop().map(|endpoint| endpoint.label.clone());
    answer.map_err(|error| rejection_of(&error, cluster))
}

fn chain(error: &FunctionError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}
