//! What a network backend is sent: path, Host, credentials, forwarding and identity fields, in this order.

use super::attempt;
use super::context::RequestContext;
use super::moved_answer::may_be_page;
use crate::backends::Cluster;
use crate::config::HostHeader;
use crate::dispatch::{edit_credentials, set_own_fields};
use crate::request::field::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PREFIX, X_FORWARDED_PROTO, X_FRAMEX_CALL};
use crate::rewrite::is_gateways_own;
use crate::snapshot::Route;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use pingora_error::{Error, ErrorType, OrErr, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::borrow::Cow;
use std::io::Write as _;

/// Fields that the gateway may add to a request.
const MOST_ADDED: usize = 10;
/// `[`, an IPv6 address at its longest, `]`.
const LONGEST_ADDRESS: usize = 48;

/// Turns the client's request head into the backend's.
///
/// The head is edited as plain parts of the `http` crate. Pingora would keep a second map with the spelling of every name,
/// which no receiver may depend on (RFC 9110 §5.1) and which costs several allocations for each field that is added.
pub(super) fn edit(session: &Session, request: &mut RequestHeader, context: &RequestContext) -> Result<()> {
    let (Some(route), Some(cluster)) = (&context.route, context.cluster()) else {
        return Error::e_explain(ErrorType::InternalError, "a proxied request has a route and a cluster");
    };
    let empty = RequestHeader::build_no_case(request.method.clone(), b"/", Some(0))?;
    let mut head: http::request::Parts = std::mem::replace(request, empty).into();
    // The target travels with the parts; without a rewrite it is what the client sent.
    if let Some(uri) = edited_path(session, context, route)? {
        head.uri = uri;
    }
    let fields = &mut head.headers;
    fields.reserve(MOST_ADDED);
    remove_invented(fields);
    if route.envelope || route.rewrite.links && may_be_page(head.uri.path()) {
        // What the gateway reads must not come compressed.
        fields.remove(header::ACCEPT_ENCODING);
    }
    for name in &route.rewrite.remove_request {
        fields.remove(name);
    }
    edit_credentials(fields, route, cluster);
    edit_host(session, fields, context, cluster)?;
    add_forwarding(session, fields, context, route)?;
    let deadline = attempt::deadline(route, context);
    set_own_fields(fields, route, &context.identity, context.ids.as_ref(), deadline);
    if let Some(ticket) = &context.ticket {
        fields.insert(X_FRAMEX_CALL, ticket.field());
    }
    for (name, value) in &route.rewrite.set_request {
        fields.insert(name.clone(), value.clone());
    }
    *request = head.into();
    Ok(())
}

/// Identity and forwarding fields are the gateway's alone.
fn remove_invented(fields: &mut HeaderMap) {
    while let Some(name) = fields.keys().find(|name| is_gateways_own(name)).cloned() {
        fields.remove(name);
    }
}

/// The target for the backend, where it is not what the client sent.
fn edited_path(session: &Session, context: &RequestContext, route: &Route) -> Result<Option<Uri>> {
    let sent = &session.req_header().uri;
    let normal = context.path(session.req_header());
    let path = route.rewrite.path(normal);
    let is_unchanged = matches!(path, Cow::Borrowed(path) if path.len() == sent.path().len() && path == sent.path());
    // An absolute target is sent on as a path: the backend is the origin server.
    if is_unchanged && (sent.authority().is_none() || session.is_http2()) {
        return Ok(None);
    }
    let target = match sent.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    target.parse().or_err(ErrorType::InternalError, "a rewritten path is a path").map(Some)
}

fn edit_host(session: &Session, fields: &mut HeaderMap, context: &RequestContext, cluster: &Cluster) -> Result<()> {
    let host: &str = match (&cluster.config.host, &context.endpoint) {
        (HostHeader::Fixed(host), _) => host,
        (HostHeader::Endpoint, Some(endpoint)) => &endpoint.authority,
        (HostHeader::Preserve, Some(endpoint)) => match client_host(session) {
            // HTTP/2 says the host in `:authority`; HTTP/1.0 may say none.
            Some(host) if session.is_http2() => host,
            Some(_) => return Ok(()),
            None => &endpoint.authority,
        },
        (_, None) => return Ok(()),
    };
    insert(fields, header::HOST, host.as_bytes())
}

pub(super) fn client_host(session: &Session) -> Option<&str> {
    let request = session.req_header();
    let field = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    field.or_else(|| request.uri.authority().map(http::uri::Authority::as_str))
}

pub(super) fn add_forwarding(
    session: &Session,
    fields: &mut HeaderMap,
    context: &RequestContext,
    route: &Route,
) -> Result<()> {
    if let Some(client) = context.client {
        let mut text = [0; LONGEST_ADDRESS];
        let mut rest = &mut text[..];
        // The buffer is longer than any address.
        let _ = write!(rest, "{client}");
        let length = LONGEST_ADDRESS - rest.len();
        insert(fields, X_FORWARDED_FOR, &text[..length])?;
    }
    fields.insert(X_FORWARDED_PROTO, HeaderValue::from_static(if context.via_tls { "https" } else { "http" }));
    let sent = session.req_header();
    if let Some(host) = sent.headers.get(header::HOST) {
        fields.insert(X_FORWARDED_HOST, host.clone());
    } else if let Some(authority) = sent.uri.authority() {
        insert(fields, X_FORWARDED_HOST, authority.as_str().as_bytes())?;
    }
    if let Some(prefix) = &route.rewrite.prefix_field {
        fields.insert(X_FORWARDED_PREFIX, prefix.clone());
    }
    Ok(())
}

fn insert(fields: &mut HeaderMap, name: HeaderName, value: &[u8]) -> Result<()> {
    let value = HeaderValue::from_bytes(value).or_err(ErrorType::InternalError, "a field's value is not valid")?;
    fields.insert(name, value);
    Ok(())
}
