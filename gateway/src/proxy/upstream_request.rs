//! What a network backend is sent: path, Host, credentials, forwarding and identity fields, in this order.

use super::context::RequestContext;
use crate::backends::Cluster;
use crate::config::{HostHeader, NetworkKind};
use crate::rewrite::is_gateways_own;
use crate::snapshot::Route;
use http::{HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use pingora_error::{Error, ErrorType, OrErr, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::borrow::Cow;

/// What cannot stand in a header field: control characters; text beyond ASCII is always encoded.
const NOT_IN_FIELD: &AsciiSet = &CONTROLS.add(b'%');

/// Turns the client's request head into the backend's.
pub(super) fn edit(session: &Session, request: &mut RequestHeader, context: &RequestContext) -> Result<()> {
    let (Some(route), Some(cluster)) = (&context.route, context.cluster()) else {
        return Error::e_explain(ErrorType::InternalError, "a proxied request has a route and a cluster");
    };
    let invented: Vec<HeaderName> = request.headers.keys().filter(|name| is_gateways_own(name)).cloned().collect();
    for name in &invented {
        request.remove_header(name);
    }
    edit_path(session, request, context, route)?;
    for name in &route.rewrite.remove_request {
        request.remove_header(name);
    }
    edit_credentials(request, route, cluster)?;
    edit_host(session, request, context, cluster)?;
    add_forwarding(session, request, context, route)?;
    add_identity(request, context, route)?;
    for (name, value) in &route.rewrite.set_request {
        request.insert_header(name.clone(), value.clone())?;
    }
    Ok(())
}

fn edit_path(session: &Session, request: &mut RequestHeader, context: &RequestContext, route: &Route) -> Result<()> {
    let sent = &session.req_header().uri;
    let normal = context.normal_path.as_deref().unwrap_or_else(|| sent.path());
    let path = route.rewrite.path(normal);
    let is_unchanged = matches!(path, Cow::Borrowed(path) if path.len() == sent.path().len() && path == sent.path());
    // An absolute target is sent on as a path: the backend is the origin server.
    if is_unchanged && (sent.authority().is_none() || session.is_http2()) {
        return Ok(());
    }
    let target = match sent.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    let uri = target.parse().or_err(ErrorType::InternalError, "a rewritten path is a path")?;
    request.set_uri(uri);
    Ok(())
}

/// The caller's token was for the gateway. A FrameX instance gets its own key and nothing else; another service gets
/// the caller's token on public routes, where it is the service's own, or when the configuration says so.
fn edit_credentials(request: &mut RequestHeader, route: &Route, cluster: &Cluster) -> Result<()> {
    match &cluster.config.kind {
        NetworkKind::Http { forward_token } => {
            if !route.rule.public && !forward_token {
                request.remove_header(&header::AUTHORIZATION);
            }
        }
        NetworkKind::Framex { key } => {
            request.remove_header(&header::AUTHORIZATION);
            if let Some(key) = key {
                let mut value = HeaderValue::from_str(key.reveal())
                    .or_err(ErrorType::InternalError, "the key is a header value")?;
                value.set_sensitive(true);
                request.insert_header(header::AUTHORIZATION, value)?;
            }
        }
    }
    Ok(())
}

fn edit_host(
    session: &Session,
    request: &mut RequestHeader,
    context: &RequestContext,
    cluster: &Cluster,
) -> Result<()> {
    let host: Cow<'_, str> = match (&cluster.config.host, &context.endpoint) {
        (HostHeader::Fixed(host), _) => Cow::Borrowed(host),
        (HostHeader::Endpoint, Some(endpoint)) => Cow::Borrowed(&endpoint.authority),
        (HostHeader::Preserve, Some(endpoint)) => match client_host(session) {
            // HTTP/2 says the host in `:authority`; HTTP/1.0 may say none.
            Some(host) if session.is_http2() => Cow::Borrowed(host),
            Some(_) => return Ok(()),
            None => Cow::Borrowed(&endpoint.authority),
        },
        (_, None) => return Ok(()),
    };
    request.insert_header(header::HOST, &*host)?;
    Ok(())
}

fn client_host(session: &Session) -> Option<&str> {
    let request = session.req_header();
    let field = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    field.or_else(|| request.uri.authority().map(http::uri::Authority::as_str))
}

fn add_forwarding(
    session: &Session,
    request: &mut RequestHeader,
    context: &RequestContext,
    route: &Route,
) -> Result<()> {
    if let Some(client) = context.client {
        request.insert_header("x-forwarded-for", client.to_string())?;
    }
    request.insert_header("x-forwarded-proto", if context.via_tls { "https" } else { "http" })?;
    if let Some(host) = client_host(session) {
        request.insert_header("x-forwarded-host", host)?;
    }
    if let Some(prefix) = &route.rewrite.strip_prefix {
        request.insert_header("x-forwarded-prefix", prefix)?;
    }
    if let Some((id, trace)) = &context.ids {
        request.insert_header("x-request-id", id.as_str())?;
        request.insert_header("traceparent", trace.traceparent())?;
    }
    Ok(())
}

fn add_identity(request: &mut RequestHeader, context: &RequestContext, route: &Route) -> Result<()> {
    request.insert_header("x-framex-namespace", &*route.namespace)?;
    if let Some(subject) = context.identity.subject().filter(|subject| !subject.is_empty()) {
        request.insert_header("x-framex-subject", field_value(subject))?;
    }
    Ok(())
}

/// A subject as a field value: percent-encoded where it holds what no field may hold.
pub(super) fn field_value(text: &str) -> String {
    utf8_percent_encode(text, NOT_IN_FIELD).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_cannot_break_out_of_its_field() {
        assert_eq!(field_value("auth0|alice@example.com"), "auth0|alice@example.com");
        assert_eq!(field_value("a\r\nX-Evil: 1"), "a%0D%0AX-Evil: 1");
        assert_eq!(field_value("zoë 100%"), "zo%C3%AB 100%25");
    }
}
