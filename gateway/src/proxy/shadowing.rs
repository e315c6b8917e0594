//! Makes copies of requests for the route's shadow, and records what the callers get in their place.
//!
//! Nothing here waits or fails: a request that cannot be copied goes without, and is counted.

use super::Shared;
use super::context::RequestContext;
use super::upstream_request::{add_forwarding, client_host};
use crate::backends::{Cluster, LocalPlugin};
use crate::config::HostHeader;
use crate::dispatch::{
    CallScope, CopiedRequest, RequestCopy, ShadowCalls, WhoAnswers, edit_credentials, plugin_request, set_own_fields,
};
use crate::request::field::{X_FRAMEX_CALL, X_FRAMEX_SHADOW};
use crate::rewrite::end_to_end_fields;
use crate::shadow::{Answer, RecordedBody};
use crate::snapshot::{Route, Shadow, Target};
use crate::telemetry::ShadowOutcome;
use bytes::Bytes;
use framex_plugin_host::empty_body;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use pingora_proxy::Session;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The copy of a request that is running.
#[derive(Debug)]
pub(super) struct Shadowing {
    calls: Arc<ShadowCalls>,
    /// What is to be sent when the request's body is complete.
    waiting: Option<Box<Waiting>>,
    /// The caller's answer, where it is compared.
    answer: Option<Recording>,
}

#[derive(Debug)]
struct Waiting {
    copy: RequestCopy,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Recording {
    answer: Option<Answer>,
    most: usize,
    to: oneshot::Sender<Answer>,
}

/// Begins to copy the request, if its route has a shadow and the request is chosen.
pub(super) fn begin(session: &mut Session, context: &mut RequestContext, shared: &Shared, route: &Arc<Route>) {
    let Some(shadow) = route.shadow.as_ref().filter(|shadow| is_chosen(session, shadow)) else { return };
    let Ok(place) = shadow.room.clone().try_acquire_owned() else {
        shadow.metrics.count(ShadowOutcome::Dropped);
        return;
    };
    let has_no_body = session.is_body_done() || session.is_body_empty();
    let session: &Session = session;
    let sent = session.req_header();
    let length =
        sent.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > shadow.body) {
        shadow.metrics.count(ShadowOutcome::BodyTooLarge);
        return;
    }
    let Some((head, who)) = address(session, context, shared, route, shadow) else { return };
    let (compared, answer) = match &shadow.compare {
        None => (None, None),
        Some(_) => {
            let (to, answer) = oneshot::channel();
            let of = CopiedRequest {
                id: context.request_id().unwrap_or_default().to_owned(),
                method: sent.method.clone(),
                path: context.path(sent).to_owned(),
                query: sent.uri.query().map(str::to_owned),
                headers: sent.headers.clone(),
            };
            (Some((of, answer)), Some(Recording { answer: None, most: shadow.body, to }))
        }
    };
    let copy = RequestCopy { route: route.clone(), shadow: shadow.clone(), place, head, who, compared };
    let mut shadowing = Box::new(Shadowing {
        calls: shared.shadows.clone(),
        waiting: Some(Box::new(Waiting { copy, body: Vec::new() })),
        answer,
    });
    if has_no_body {
        shadowing.send();
    }
    context.shadowing = Some(shadowing);
}

fn is_chosen(session: &Session, shadow: &Shadow) -> bool {
    let sent = session.req_header();
    shadow.methods.contains(&sent.method)
        // A copy is not copied, and what follows an upgrade is no answer.
        && !sent.headers.contains_key(X_FRAMEX_SHADOW)
        && !sent.headers.contains_key(header::UPGRADE)
        && (shadow.sample >= 1_000_000 || rand::random_range(0..1_000_000) < shadow.sample)
}

/// The head for whoever gets the copy. `None` when it cannot be made, which is noticed where the request itself is sent.
fn address(
    session: &Session,
    context: &RequestContext,
    shared: &Shared,
    route: &Arc<Route>,
    shadow: &Shadow,
) -> Option<(Parts, WhoAnswers)> {
    let (mut head, who) = match &shadow.target {
        Target::Plugin(plugin) => to_plugin(session, context, route, plugin)?,
        Target::Cluster(cluster) => to_cluster(session, context, shared, route, cluster)?,
    };
    head.headers.insert(X_FRAMEX_SHADOW, HeaderValue::from_static("1"));
    Some((head, who))
}

fn to_plugin(
    session: &Session,
    context: &RequestContext,
    route: &Route,
    plugin: &Arc<LocalPlugin>,
) -> Option<(Parts, WhoAnswers)> {
    let asked = context.plugin_request(session.req_header());
    let (head, _) = plugin_request(&asked, route, plugin, empty_body()).ok()?.into_parts();
    let snapshot = context.snapshot.as_ref()?;
    let scope = CallScope::from_outside(snapshot, context.ids.as_ref(), &context.identity, &plugin.calling)
        .with_client(context.client);
    Some((head, WhoAnswers::Plugin(plugin.clone(), Box::new(scope))))
}

fn to_cluster(
    session: &Session,
    context: &RequestContext,
    shared: &Shared,
    route: &Route,
    cluster: &Arc<Cluster>,
) -> Option<(Parts, WhoAnswers)> {
    let sent = session.req_header();
    let path = route.rewrite.path(context.path(sent));
    let target = match sent.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = sent.method.clone();
    head.uri = target.parse().ok()?;
    let fields = &mut head.headers;
    *fields = end_to_end_fields(&sent.headers);
    fields.remove(header::EXPECT);
    fields.remove(header::HOST);
    for name in &route.rewrite.remove_request {
        fields.remove(name);
    }
    edit_credentials(fields, route, cluster);
    if cluster.config.host == HostHeader::Preserve
        && let Some(host) = client_host(session).and_then(|host| HeaderValue::from_str(host).ok())
    {
        fields.insert(header::HOST, host);
    }
    add_forwarding(session, fields, context, route).ok()?;
    set_own_fields(fields, route, &context.identity, context.ids.as_ref(), None);
    let calling = cluster.calling().zip(context.snapshot.as_ref());
    let ticket = calling.map(|(calling, snapshot)| {
        let scope = CallScope::from_outside(snapshot, context.ids.as_ref(), &context.identity, calling)
            .with_client(context.client);
        shared.calls.tickets().issue(scope, None)
    });
    if let Some(ticket) = &ticket {
        fields.insert(X_FRAMEX_CALL, ticket.field());
    }
    for (name, value) in &route.rewrite.set_request {
        fields.insert(name.clone(), value.clone());
    }
    Some((head, WhoAnswers::Cluster(cluster.clone(), ticket)))
}

impl Shadowing {
    fn send(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            let Waiting { copy, body } = *waiting;
            self.calls.send(copy, body.into());
        }
    }

    /// Takes a piece of the request's body; the copy is sent behind the last one.
    pub(super) fn request_chunk(&mut self, chunk: Option<&Bytes>, is_last: bool) {
        let Some(waiting) = &mut self.waiting else { return };
        let chunk = chunk.map_or(&[][..], |chunk| chunk);
        if waiting.body.len() + chunk.len() > waiting.copy.shadow.body {
            waiting.copy.shadow.metrics.count(ShadowOutcome::BodyTooLarge);
            (self.waiting, self.answer) = (None, None);
            return;
        }
        waiting.body.extend_from_slice(chunk);
        if is_last {
            self.send();
        }
    }

    /// The request is sent again from its beginning.
    pub(super) fn request_begins_anew(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.body.clear();
        }
    }

    /// Takes the head of what the caller gets, as the backend sent it.
    pub(super) fn answer_began(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(recording) = self.answer.as_mut().filter(|_| !status.is_informational()) {
            let body = RecordedBody::new(recording.most);
            recording.answer = Some(Answer { status, headers: end_to_end_fields(headers), body });
        }
    }

    /// Takes a piece of its body.
    pub(super) fn answer_chunk(&mut self, chunk: &[u8]) {
        if let Some(answer) = self.answer.as_mut().and_then(|recording| recording.answer.as_mut()) {
            answer.body.push(chunk);
        }
    }

    /// The request is over; `is_whole` says that the caller got everything.
    pub(super) fn finish(self, is_whole: bool) {
        if let Some(waiting) = self.waiting {
            waiting.copy.shadow.metrics.count(ShadowOutcome::Unsent);
        }
        if let Some(Recording { answer: Some(answer), to, .. }) = self.answer.filter(|_| is_whole) {
            // Nobody waits for it any more when the copy was given up.
            let _ = to.send(answer);
        }
    }
}
