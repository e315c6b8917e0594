//! What is special about FrameX instances that call the gateway.

use super::context::RequestContext;
use crate::rejection::{Reason, Rejection};
use crate::request::Dialect;
use framex_wire::path_parameters::repair;
use http::{HeaderMap, header};
use pingora_proxy::Session;

/// Puts path parameters where they belong: FrameX 0.4 sends `/items/%7Bid%7D?id=7` for `/items/{id}`.
///
/// # Errors
/// A 400 when a parameter has a value that no path may hold.
pub(super) fn repair_target(session: &mut Session) -> Result<(), Rejection> {
    let uri = &session.req_header().uri;
    let (path, Some(query)) = (uri.path(), uri.query()) else { return Ok(()) };
    if !path.contains("%7B") && !path.contains("%7b") {
        return Ok(());
    }
    let mut template = path.to_owned();
    for (escaped, plain) in [("%7B", "{"), ("%7b", "{"), ("%7D", "}"), ("%7d", "}")] {
        template = template.replace(escaped, plain);
    }
    let repaired = match repair(&template, path, query) {
        Ok(Some(repaired)) => repaired,
        Ok(None) => return Ok(()),
        Err(error) => return Err(Rejection::new(Reason::BadTarget, error.to_string())),
    };
    let mut target = repaired.path;
    if !repaired.query.is_empty() {
        target.push('?');
        target.push_str(&repaired.query);
    }
    match target.parse() {
        Ok(uri) => session.req_header_mut().set_uri(uri),
        Err(error) => return Err(Rejection::new(Reason::BadTarget, format!("a path parameter is not valid: {error}"))),
    }
    Ok(())
}

/// Whether the gateway's own answer to this request speaks FrameX's words.
pub(super) fn speaks_framex(session: &Session, context: &RequestContext) -> bool {
    let of_caller = context.identity.caller().and_then(|caller| caller.dialect);
    let of_route = || context.route.as_ref().and_then(|route| route.dialect);
    match of_caller.or_else(of_route).unwrap_or(context.dialect) {
        Dialect::Http => false,
        Dialect::Framex => true,
        Dialect::Auto => is_framex(&session.req_header().headers),
    }
}

/// Whether the caller looks like FrameX's own client: httpx with nothing added but a key without a scheme.
fn is_framex(fields: &HeaderMap) -> bool {
    let is = |name, test: fn(&[u8]) -> bool| fields.get(name).is_none_or(|value| test(value.as_bytes()));
    fields.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"python-httpx/"))
        && is(header::ACCEPT, |accept| accept == b"*/*")
        && is(header::AUTHORIZATION, |key| !key.contains(&b' '))
}

/// Whether the caller reads the answer as a stream of events.
pub(super) fn awaits_events(session: &Session, context: &RequestContext) -> bool {
    let accepts = session.req_header().headers.get(header::ACCEPT);
    context.route.as_ref().is_some_and(|route| route.streams)
        || accepts.is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_framex_own_client_is_taken_for_framex() {
        let looks = |fields: &[(&str, &str)]| {
            let field = |(name, value): &(&str, &str)| (name.parse().expect("a name"), value.parse().expect("a value"));
            is_framex(&fields.iter().map(field).collect())
        };
        let agent = ("user-agent", "python-httpx/0.28.1");
        assert!(looks(&[agent, ("accept", "*/*"), ("authorization", "docs-key")]));
        assert!(looks(&[agent]));
        assert!(!looks(&[agent, ("authorization", "Bearer a.b.c")]));
        assert!(!looks(&[agent, ("accept", "application/json")]));
        assert!(!looks(&[("user-agent", "curl/8"), ("accept", "*/*")]));
    }
}
