//! Writes the gateway's own answers, and the gateway's own fields into the backends' answers.

use super::context::RequestContext;
use crate::dispatch::{problem, problem_fields};
use crate::rejection::Rejection;
use crate::request::field::X_REQUEST_ID;
use bytes::Bytes;
use http::{Method, header};
use pingora_error::{Error, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

/// Writes a rejection. The connection may live on: the client is not punished for a 404.
pub(super) async fn write(session: &mut Session, context: &RequestContext, rejection: &Rejection) -> Result<()> {
    let body = problem(rejection, context.request_id());
    let mut answer = ResponseHeader::build(rejection.reason.status(), Some(8))?;
    for (name, value) in &problem_fields(rejection) {
        answer.insert_header(name.clone(), value.clone())?;
    }
    answer.insert_header(header::CONTENT_LENGTH, body.len())?;
    insert_request_id(&mut answer, context)?;
    let is_head = session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(answer), is_head).await?;
    session.write_response_body((!is_head).then(|| Bytes::from(body)), true).await
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
    insert_request_id(answer, context)
}

fn insert_request_id(answer: &mut ResponseHeader, context: &RequestContext) -> Result<()> {
    let Some((id, _)) = &context.ids else { return Ok(()) };
    answer.insert_header(X_REQUEST_ID, id.as_field().clone()).map_err(Error::into_in)
}
