//! Writes the gateway's own answers, and the gateway's own fields into the backends' answers.

use super::attempt;
use super::context::RequestContext;
use super::framex_client::{awaits_events, speaks_framex};
use crate::dispatch::{AnswerEnvelope, WRITTEN_ANSWER, framex_problem, problem, problem_fields};
use crate::rejection::Rejection;
use crate::request::field::{X_FRAMEX_ANSWERED_BY, X_REQUEST_ID};
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

/// Whether the answer that is written in the route stands in for the refusal.
pub(super) fn stands_in(context: &RequestContext, rejection: &Rejection) -> bool {
    let written = context.route.as_ref().and_then(|route| route.last_answer.as_ref());
    written.is_some() && rejection.reason.is_failure_behind() && context.is_of_share
}

/// Writes the answer that is written in the route.
pub(super) async fn write_written(session: &mut Session, context: &mut RequestContext) -> Result<()> {
    let Some(route) = context.route.clone() else { return Ok(()) };
    let Some(written) = &route.last_answer else { return Ok(()) };
    // Whoever was asked last has failed; after this the answer is somebody else's.
    attempt::finish(context, true);
    route.metrics.fell_back(WRITTEN_ANSWER);
    context.step = route.fallbacks.len() + 1;
    let mut answer = ResponseHeader::build(written.status, Some(8))?;
    for (name, value) in &written.headers {
        answer.insert_header(name.clone(), value.clone())?;
    }
    answer.insert_header(header::CONTENT_LENGTH, written.body.len())?;
    edit_answer(&mut answer, context)?;
    let is_head = session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(answer), is_head).await?;
    let body = (!is_head).then(|| Bytes::from(written.body.clone()));
    session.write_response_body(body, true).await?;
    context.answered = Some(context.started.elapsed());
    if session.downstream_session.drain_request_body().await.is_err() {
        session.set_keepalive(None);
    }
    Ok(())
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
    for cookie in [&context.share_cookie, &context.endpoint_cookie].into_iter().flatten() {
        answer.append_header(header::SET_COOKIE, cookie.clone())?;
    }
    if let Some(route) = context.route.as_ref().filter(|route| route.answered_by) {
        let who = match context.cluster() {
            _ if context.cache.as_ref().is_some_and(|cache| cache.is_hit()) => "cache",
            Some(cluster) => &cluster.config.name,
            None if context.step > 0 => WRITTEN_ANSWER,
            None => route.target.name(),
        };
        answer.insert_header(X_FRAMEX_ANSWERED_BY, who)?;
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
