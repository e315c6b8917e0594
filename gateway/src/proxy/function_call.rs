//! Calls of Python functions of FrameX instances by name: read whole, looked at, and only then passed on.

use super::context::RequestContext;
use super::reply::edit_answer;
use crate::access::identify_caller;
use crate::backends::ClusterClient;
use crate::dispatch::{answer_too_large, body_too_large, call_function, check_answer, find_function};
use crate::limits::Asker;
use crate::rejection::{Reason, Rejection};
use crate::snapshot::{Snapshot, Target};
use bytes::{Bytes, BytesMut};
use framex_wire::function::PATH;
use http::{Method, header};
use http_body_util::{BodyExt, Limited};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use std::time::SystemTime;

/// Largest call, and largest answer, in bytes.
const LARGEST: usize = 16 << 20;

/// Whether this is a call of a function, and some may be called.
pub(super) fn is_one(method: &Method, path: &str, snapshot: &Snapshot) -> bool {
    path == PATH && *method == Method::POST && snapshot.namespaces.values().any(|part| !part.functions.is_empty())
}

/// Answers the call.
///
/// # Errors
/// A rejection as the inner one, when the gateway refuses it or the instance gives no answer.
pub(super) async fn answer(
    session: &mut Session,
    context: &mut RequestContext,
    client: &ClusterClient,
) -> Result<Result<(), Rejection>> {
    // Who may not call is not listened to.
    if let Err(rejection) = identify(session, context) {
        return Ok(Err(rejection));
    }
    let body = match read_body(session, context).await? {
        Ok(body) => body,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let (head, body) = match call(session, context, client, body).await {
        Ok(answer) => answer,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let mut answer = ResponseHeader::build(head.status, Some(head.headers.len() + 2))?;
    for (name, value) in &head.headers {
        answer.append_header(name.clone(), value.clone())?;
    }
    answer.insert_header(header::CONTENT_LENGTH, body.len())?;
    context.answer_began(&answer);
    context.watch_outcome(&answer);
    if let Some(reader) = &mut context.outcome_reader {
        reader.push(&body);
    }
    edit_answer(&mut answer, context)?;
    session.write_response_header(Box::new(answer), false).await?;
    session.write_response_body(Some(body), true).await?;
    Ok(Ok(()))
}

fn identify(session: &Session, context: &mut RequestContext) -> Result<(), Rejection> {
    let snapshot = context.snapshot.as_ref().ok_or(Reason::Internal)?;
    let now = context.time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    context.identity = identify_caller(&snapshot.tokens, &session.req_header().headers, now)?;
    Ok(())
}

async fn read_body(session: &mut Session, context: &mut RequestContext) -> Result<Result<Bytes, Rejection>> {
    let mut body = BytesMut::new();
    while let Some(chunk) = session.read_request_body().await? {
        context.bytes_in += chunk.len() as u64;
        if body.len() + chunk.len() > LARGEST {
            return Ok(Err(body_too_large(LARGEST as u64)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Ok(body.freeze()))
}

async fn call(
    session: &Session,
    context: &mut RequestContext,
    client: &ClusterClient,
    body: Bytes,
) -> Result<(http::response::Parts, Bytes), Rejection> {
    let snapshot = context.snapshot.clone().ok_or(Reason::Internal)?;
    let (function, route) = find_function(&snapshot, &context.identity, &body)?;
    context.in_flight = Some(route.metrics.enter());
    context.route = Some(route.clone());
    context.release_snapshot();
    if let Some(limit) = route.sizes.request_body.filter(|limit| body.len() as u64 > *limit) {
        return Err(body_too_large(limit));
    }
    let asker = Asker { identity: &context.identity, address: context.client, headers: &session.req_header().headers };
    if let Some(pending) = route.enter(&asker, context.started, &mut context.admission)? {
        pending.finish(&route, &mut context.admission).await?;
    }
    let Target::Cluster(cluster) = &route.target else { return Err(Reason::Internal.into()) };
    let mut endpoint = None;
    let answer =
        call_function(client, cluster, &route, &context.identity, context.ids.as_ref(), body, &mut endpoint).await;
    tracing::debug!(function, endpoint = endpoint.as_deref(), "a function of a FrameX instance was called");
    context.attempts.count = 1;
    let (head, body) = answer?.into_parts();
    check_answer(&route.sizes, &head.headers)?;
    match Limited::new(body, LARGEST).collect().await {
        Ok(body) => match (route.sizes.response_body, body.to_bytes()) {
            (Some(limit), body) if body.len() as u64 > limit => Err(answer_too_large(limit)),
            (_, body) => Ok((head, body)),
        },
        Err(error) => {
            let detail = format!("the backend `{}` broke off its answer, or it is too long", cluster.config.name);
            Err(Rejection::new(Reason::BackendBroken, detail).with_note(error.to_string()))
        }
    }
}
