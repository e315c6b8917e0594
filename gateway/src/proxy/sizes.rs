//! Keeps requests and answers that go through Pingora's own proxying as small and as fast as their route wants them.

use super::context::RequestContext;
use crate::dispatch::check_answer;
use crate::rejection::Rejection;
use bytes::Bytes;
use http::Method;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

/// The next piece of the request's body has no longer than what is left of the time for all of it.
pub(super) fn bound_next_read(session: &mut Session, context: &mut RequestContext) -> Result<()> {
    match context.time_for_body() {
        Ok(None) => Ok(()),
        Ok(Some(left)) => {
            let silence = session.get_read_timeout();
            session.set_read_timeout(Some(silence.map_or(left, |silence| silence.min(left))));
            Ok(())
        }
        Err(rejection) => Err(fail(context, rejection)),
    }
}

/// The declared length of an answer.
pub(super) fn check_answer_head(
    session: &Session,
    answer: &ResponseHeader,
    context: &mut RequestContext,
) -> Result<()> {
    let Some(route) = context.route.as_ref().filter(|_| session.req_header().method != Method::HEAD) else {
        return Ok(());
    };
    context.answer_bytes = 0;
    check_answer(&route.sizes, &answer.headers).map_err(|rejection| fail(context, rejection))
}

/// What has come of it. While an answer comes, the request's body may still be on its way.
pub(super) fn check_answer_chunk(chunk: Option<&Bytes>, context: &mut RequestContext) -> Result<()> {
    if let Some(chunk) = chunk {
        context.take_answer_bytes(chunk.len()).map_err(|rejection| fail(context, rejection))?;
    }
    if context.body_has_come {
        return Ok(());
    }
    context.time_for_body().map(drop).map_err(|rejection| fail(context, rejection))
}

fn fail(context: &mut RequestContext, rejection: Rejection) -> Box<Error> {
    let status = rejection.reason.status();
    context.rejection = Some(rejection);
    Error::new_in(ErrorType::HTTPStatus(status))
}
