//! Whether a request is let in: normalise → route → identify → authorise → pick → limit. One screen, fixed order.

use super::Shared;
use super::absence;
use super::context::RequestContext;
use super::framing;
use super::function_call;
use super::own_page::{self, OwnPage};
use crate::access;
use crate::dispatch::{check_request, refuse_function_calls};
use crate::limits::Asker;
use crate::rejection::{Reason, Rejection};
use crate::request::{Priority, RequestView, client_address, normal_host, normal_path, session_cookie};
use crate::snapshot::{Route, Routed, Snapshot};
use crate::telemetry::{RequestId, TraceContext};
use http::{Method, header};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long whoever is shed should stay away.
const SHED_PAUSE: Duration = Duration::from_secs(2);

/// Where a request goes that is let in.
#[derive(Debug)]
pub(super) enum Admitted {
    /// To its route.
    Route,
    /// To a function of a FrameX instance, which its body names.
    Function,
    /// To the gateway itself.
    OwnPage(OwnPage),
}

/// Lets the request in, with its route and identity in the context, or says why not. What is in for a route is yet to be
/// held against its limits ([`limit`]).
pub(super) fn admit(session: &Session, context: &mut RequestContext) -> Result<Admitted, Rejection> {
    let request = session.req_header();
    let snapshot: Arc<Snapshot> = context.snapshot.clone().ok_or(Reason::Internal)?;

    context.ids = Some((RequestId::of(&request.headers), TraceContext::of(&request.headers)));
    note_client(session, context, &snapshot);

    framing::check(session, snapshot.gateway.connections.head_size)?;
    let authority = framing::authority(session)?;
    if let Some(authority) = authority {
        let host = normal_host(authority)
            .map_err(|_host_error| Rejection::new(Reason::BadHost, "the Host is no host name"))?;
        if host.ends_with(".framex.internal") {
            return Err(Rejection::new(Reason::BadHost, "this name is for calls between plugins"));
        }
        context.host = host.into_owned();
    }
    let path = match normal_path(request.uri.path()) {
        Ok(path) => path,
        Err(error) => return Err(Rejection::new(Reason::BadTarget, error.to_string())),
    };
    if matches!(request.method, Method::TRACE | Method::CONNECT) {
        return Err(Reason::MethodNotImplemented.into());
    }

    if function_call::is_one(&request.method, &path, &snapshot) {
        return Ok(Admitted::Function);
    }
    let view = RequestView {
        method: &request.method,
        host: &context.host,
        path: &path,
        query: request.uri.query(),
        headers: &request.headers,
    };
    let route = match snapshot.route(&view) {
        Routed::Route(route) => route.clone(),
        Routed::NotFound => {
            let page = own_page::find(&path, &request.method, &snapshot)?;
            return page.map(Admitted::OwnPage).ok_or_else(|| Reason::RouteNotFound.into());
        }
        Routed::Unavailable(namespace) => {
            let detail = format!("the configuration of the namespace `{namespace}` is being repaired");
            return Err(Rejection::new(Reason::Unavailable, detail).with_retry_after(Duration::from_secs(10)));
        }
        Routed::NotLearnt(namespace) => {
            let detail = format!("it is not known yet which endpoints the namespace `{namespace}` has");
            return Err(Rejection::new(Reason::Unavailable, detail).with_retry_after(Duration::from_secs(2)));
        }
        Routed::MethodNotAllowed(allow) => {
            let mut rejection = Rejection::new(Reason::MethodNotAllowed, format!("allowed here: {allow}"));
            rejection.headers.allow = Some(allow);
            return Err(rejection);
        }
    };
    if let Cow::Owned(normal) = path {
        context.normal_path = Some(normal);
    }
    context.in_flight = Some(route.metrics.enter());
    context.route = Some(route.clone());

    let now = context.time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if !(route.preflight && is_preflight(request)) {
        context.identity = access::identify(&route.rule, &snapshot.tokens, &request.headers, now)?;
        route.rule.authorise(&context.identity)?;
    }

    // Who calls may decide who answers, so that is asked last.
    let route = pick(route, session, context);
    refuse_function_calls(&route, context.path(request))?;
    Ok(Admitted::Route)
}

/// Takes the request under the limits of its route; the last step of what lets it in.
pub(super) async fn limit(
    session: &mut Session,
    context: &mut RequestContext,
    shared: &Shared,
) -> Result<(), Rejection> {
    let request = session.req_header();
    let route = context.route.clone().ok_or(Reason::Internal)?;
    let asker = Asker { identity: &context.identity, address: context.client, headers: &request.headers };
    shed(shared, asker.priority(route.priority))?;
    check_request(&route.sizes, &request.uri, &request.headers)?;
    if let Some(pending) = route.enter(&asker, context.started, &mut context.admission)? {
        // Whoever has gone does not wait any more.
        tokio::select! {
            biased;
            finished = pending.finish(&route, &mut context.admission) => finished?,
            () = absence::of_client(session) => return Err(Reason::ClientClosed.into()),
        }
    }
    if let Some(left) = context.time_for_body()? {
        session.set_read_timeout(Some(left.min(shared.snapshot.load().gateway.connections.body_timeout)));
    }
    context.is_of_share = true;
    Ok(())
}

/// Refuses what has to give way to other requests.
pub(super) fn shed(shared: &Shared, priority: Priority) -> Result<(), Rejection> {
    if !shared.shedder.sheds(priority) {
        return Ok(());
    }
    shared.metrics.shed(priority);
    let rejection =
        Rejection::new(Reason::Overloaded, format!("requests of {} priority are refused", priority.label()));
    Err(rejection.with_retry_after(SHED_PAUSE))
}

/// What a browser asks before a request from another origin (Fetch, "CORS-preflight fetch"). It never carries credentials.
fn is_preflight(request: &RequestHeader) -> bool {
    request.method == Method::OPTIONS
        && request.headers.contains_key(header::ORIGIN)
        && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The route to whoever answers this request, where several share those of `route`.
fn pick(route: Arc<Route>, session: &Session, context: &mut RequestContext) -> Arc<Route> {
    let picked = route.pick(&session.req_header().headers, &context.identity);
    if let Some((name, value)) = picked.cookie {
        context.share_cookie = session_cookie(name, &value, context.via_tls);
    }
    if Arc::ptr_eq(picked.route, &route) {
        return route;
    }
    let picked = picked.route.clone();
    context.in_flight = Some(picked.metrics.enter());
    context.route = Some(picked.clone());
    picked
}

fn note_client(session: &Session, context: &mut RequestContext, snapshot: &Snapshot) {
    let headers = &session.req_header().headers;
    let is_tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let Some(peer) = session.client_addr().and_then(|address| address.as_inet()) else { return };
    let client = client_address(peer.ip(), headers, &snapshot.gateway.trusted_proxies);
    context.client = Some(client.ip);
    let told = headers.get("x-forwarded-proto").filter(|_| client.via_trusted_proxy);
    context.via_tls = told.map_or(is_tls, |proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
}
