//! Writes the gateway's own answers, and the gateway's own fields into the backends' answers.

use super::context::RequestContext;
use super::framex_client::{awaits_events, speaks_framex};
use crate::dispatch::{AnswerEnvelope, framex_problem, problem, problem_fields};
use crate::rejection::Rejection;
use crate::request::field::X_REQUEST_ID;
use bytes::Bytes;
use http::{Method, Version, header};
use pingora_error::{Error, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

/// Writes a rejection. The connection may live on: the client is not punished for a 404.
pub(super) async fn write(session: &mut Session, context: &mut RequestContext, rejection: &Rejection) -> Result<()> {
    context.refused_as_framex = speaks_framex(session, context);
    let (status, body, fields) = if context.refused_as_framex {
        let (body, fields) = framex_problem(rejection, awaits_events(session, context));
        (200, body, fields)
    } else {
        (rejection.reason.status(), problem(rejection, context.request_id()), problem_fields(rejection))
    };
    let mut answer = ResponseHeader::build(status, Some(8))?;
    for (name, value) in &fields {
        answer.insert_header(name.clone(), value.clone())?;
    }
    answer.insert_header(header::CONTENT_LENGTH, body.len())?;
    insert_quota(&mut answer, context)?;
    insert_request_id(&mut answer, context)?;
    let is_head = session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(answer), is_head).await?;
    session.write_response_body((!is_head).then(|| Bytes::from(body)), true).await
}

/// Begins to put an answer into FrameX's envelope. `None` when it stays as it is.
pub(super) fn put_in_envelope(answer: &mut ResponseHeader, session: &mut Session) -> Result<Option<AnswerEnvelope>> {
    let empty = ResponseHeader::build_no_case(answer.status, Some(0))?;
    let mut parts: http::response::Parts = std::mem::replace(answer, empty).into();
    let envelope = AnswerEnvelope::begin(&mut parts, &session.req_header().method);
    *answer = parts.into();
    if envelope.is_some() {
        frame_without_length(answer, session)?;
    }
    Ok(envelope)
}

/// Frames an answer whose length is not known beforehand (RFC 9112 §6).
pub(super) fn frame_without_length(answer: &mut ResponseHeader, session: &mut Session) -> Result<()> {
    match session.req_header().version {
        Version::HTTP_11 => answer.insert_header(header::TRANSFER_ENCODING, "chunked")?,
        // The client sees the end of the body by the end of the connection.
        Version::HTTP_10 => session.set_keepalive(None),
        _ => {}
    }
    Ok(())
}

/// Puts the gateway's own fields and the route's edits into an answer.
pub(super) fn edit_answer(answer: &mut ResponseHeader, context: &RequestContext) -> Result<()> {
    if let Some(route) = context.route.as_ref().filter(|route| route.rewrite.edits_response()) {
        for name in &route.rewrite.remove_response {
            answer.remove_header(name);
        }
        for (name, value) in &route.rewrite.set_response {
            answer.insert_header(name.clone(), value.clone())?;
        }
    }
    if let Some(cookie) = &context.share_cookie {
        answer.append_header(header::SET_COOKIE, cookie.clone())?;
    }
    insert_quota(answer, context)?;
    insert_request_id(answer, context)
}

fn insert_quota(answer: &mut ResponseHeader, context: &RequestContext) -> Result<()> {
    for (name, value) in context.admission.fields() {
        answer.insert_header(name, value)?;
    }
    Ok(())
}

fn insert_request_id(answer: &mut ResponseHeader, context: &RequestContext) -> Result<()> {
    let Some((id, _)) = &context.ids else { return Ok(()) };
    answer.insert_header(X_REQUEST_ID, id.as_field().clone()).map_err(Error::into_in)
}
