//! Carries a request to a network backend without Pingora's own proxying, where something is to be done while the backend is silent:
//! Pingora waits for it and does nothing else.
//!
//! The body of the request is sent before the answer is read, and what may be sent again is only what has none.

use super::attempt;
use super::context::RequestContext;
use super::pump::{PumpError, carry, request_body};
use super::upstream_request::{self, client_host};
use crate::backends::{Cluster, ClusterClient, ClusterError};
use crate::dispatch::{affinity_value, network_rejection_of};
use crate::rejection::{Reason, Rejection};
use crate::rewrite::is_hop_by_hop;
use crate::snapshot::Route;
use framex_plugin_host::BodyError;
use http::{HeaderValue, Request, header};
use pingora_error::Error;
use pingora_proxy::Session;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Whether the answer of this request is carried here.
pub(super) fn is_for(session: &Session, route: &Route) -> bool {
    let fields = &session.req_header().headers;
    // A connection that becomes another protocol's is Pingora's.
    route.heartbeat.is_some() && !fields.contains_key(header::UPGRADE)
}

/// Answers the request from whoever is to answer now.
pub(super) async fn answer(
    session: &mut Session,
    context: &mut RequestContext,
    route: &Arc<Route>,
    client: &ClusterClient,
) -> Result<(), PumpError> {
    let cluster = context.cluster().cloned().ok_or_else(|| PumpError::Rejected(Reason::Internal.into()))?;
    let (feed, body) = request_body(session);
    let mut head = session.req_header().clone();
    let hop_by_hop: Vec<_> = head.headers.keys().filter(|name| is_hop_by_hop(name, &head.headers)).cloned().collect();
    for name in hop_by_hop {
        head.remove_header(&name);
    }
    head.remove_header(&header::EXPECT);
    upstream_request::edit(session, &mut head, context)?;
    if !head.headers.contains_key(header::HOST)
        && let Some(host) = client_host(session).and_then(|host| HeaderValue::from_str(host).ok())
    {
        head.insert_header(header::HOST, host).map_err(Error::into_in)?;
    }
    let request = Request::from_parts(head.into(), body);
    let sent = session.req_header();
    let value = affinity_value(&cluster, route, &sent.headers, &context.identity, context.path(sent));
    let value = value.map(<[u8]>::to_vec);
    let idle = context.longest_silence();
    let deadline = attempt::deadline(route, context);
    let first = [route.timeouts.first_byte, route.timeouts.attempt].into_iter().flatten().min();
    let head_by = first.map(|span| Instant::now() + span).into_iter().chain(deadline).min();
    let call = Box::pin(async {
        let mut asked = Vec::new();
        let call = client.call(&cluster, request, idle, value.as_deref(), &mut asked);
        let answered = match head_by {
            None => call.await,
            Some(end) => timeout_at(end, call).await.unwrap_or_else(|_elapsed| {
                Err(ClusterError::Silent("the head of the answer did not come in time".to_owned()))
            }),
        };
        (answered.map_err(|error| network_rejection_of(&error, &cluster)), asked)
    });
    carry(session, context, feed, call, |error| cut_of(error, &cluster), deadline).await
}

fn cut_of(error: &BodyError, cluster: &Cluster) -> Rejection {
    let backend = &cluster.config.name;
    let cause = std::error::Error::source(error);
    let is_silence = cause.and_then(|cause| cause.downcast_ref::<ClusterError>());
    let (reason, detail) = match is_silence {
        Some(ClusterError::Silent(_)) => {
            (Reason::BackendTimeout, format!("the backend `{backend}` was silent for too long"))
        }
        _ => (Reason::BackendBroken, format!("the backend `{backend}` broke off its answer")),
    };
    let note = cause.map_or_else(|| error.to_string(), ToString::to_string);
    Rejection::new(reason, detail).with_note(note)
}
