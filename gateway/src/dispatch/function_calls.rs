//! Keeps one door of FrameX instances shut, from outside and for plugins alike.

use crate::rejection::{Reason, Rejection};
use crate::snapshot::Route;
use crate::telemetry::BackendKind;

/// Where a FrameX instance takes calls of functions by name.
const FUNCTION_CALLS: &str = "/api/v1/proxy/remote";

/// `POST /api/v1/proxy/remote` of a FrameX instance (0.4) makes objects of any class that the request names, before it looks
/// whether there is such a function, and asks for no key by default. It stays closed behind the gateway. `path` is in
/// normal form, before the route's rewrite.
///
/// # Errors
/// A 403 when the path is that one and a FrameX instance would get it.
pub(crate) fn refuse_function_calls(route: &Route, path: &str) -> Result<(), Rejection> {
    let fallback = route.fallback.as_ref().map(|cluster| cluster.kind());
    let is_framex = [Some(route.target.kind()), fallback].contains(&Some(BackendKind::Framex));
    if is_framex && route.rewrite.path(path).trim_end_matches('/').ends_with(FUNCTION_CALLS) {
        let detail = "this path of a FrameX instance calls Python functions by name, which is not allowed";
        return Err(Rejection::new(Reason::FunctionForbidden, detail));
    }
    Ok(())
}
