//! Sends copies of requests, and compares what they bring with what the callers got.
//!
//! A copy runs in a task of its own, which nobody waits for: it can be late, fail or be cut without any caller noticing. It is
//! recorded by metrics of its own and never by those of the route.

use super::call_scope::CallScope;
use super::call_tickets::CallTicket;
use super::copied_request::CopiedRequest;
use crate::backends::{Cluster, ClusterClient, LocalPlugin};
use crate::rewrite::end_to_end_fields;
use crate::shadow::{Answer, KeptDifferences, RecordedBody};
use crate::snapshot::{Route, Shadow};
use crate::telemetry::ShadowOutcome;
use bytes::Bytes;
use framex_plugin_host::{Body, empty_body, full_body};
use http::Request;
use http::request::Parts;
use http_body_util::BodyExt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout};

/// Sends copies of requests, and keeps the last differences that they bring to light.
#[derive(Debug, Default)]
pub struct ShadowCalls {
    client: ClusterClient,
    kept: KeptDifferences,
}

/// A copy that is ready to be sent but for its body.
#[derive(Debug)]
pub(crate) struct RequestCopy {
    pub(crate) route: Arc<Route>,
    pub(crate) shadow: Arc<Shadow>,
    /// Its place among the copies that are under way.
    pub(crate) place: OwnedSemaphorePermit,
    /// The head, as whoever gets it is to see it.
    pub(crate) head: Parts,
    pub(crate) who: WhoAnswers,
    /// What it is of, and what brings the caller's answer when that has ended well.
    pub(crate) compared: Option<(CopiedRequest, oneshot::Receiver<Answer>)>,
}

/// Who gets a copy.
#[derive(Debug)]
pub(crate) enum WhoAnswers {
    Plugin(Arc<LocalPlugin>, Box<CallScope>),
    /// With what a worker shows when it calls others.
    Cluster(Arc<Cluster>, Option<CallTicket>),
}

impl ShadowCalls {
    /// The last differences.
    #[must_use]
    pub fn kept(&self) -> &KeptDifferences {
        &self.kept
    }

    /// Sends a copy. Returns at once.
    pub(crate) fn send(self: &Arc<Self>, copy: RequestCopy, body: Bytes) {
        tokio::spawn(self.clone().run(copy, body));
    }

    async fn run(self: Arc<Self>, copy: RequestCopy, body: Bytes) {
        let RequestCopy { route, shadow, place, head, who, compared } = copy;
        let began = Instant::now();
        let body = if body.is_empty() { empty_body() } else { full_body(body) };
        let request = Request::from_parts(head, body);
        let asked = self.ask(&route, &shadow, who, request);
        let answered = match timeout(shadow.timeout, Box::pin(asked)).await {
            Ok(answered) => answered,
            Err(_elapsed) => Err(format!("no whole answer within {:?}", shadow.timeout)),
        };
        shadow.metrics.took(began.elapsed());
        let Some((of, answer)) = compared else {
            let outcome = if answered.is_ok() { ShadowOutcome::Sent } else { ShadowOutcome::Missing };
            shadow.metrics.count(outcome);
            return;
        };
        // The caller's answer may take longer than the copy's; not for ever, because the place is needed.
        let Ok(Ok(answer)) = timeout(shadow.timeout, answer).await else {
            shadow.metrics.count(ShadowOutcome::Uncompared);
            return;
        };
        let kept = self.kept.clone();
        // Large bodies take milliseconds, in which others on this thread would wait.
        tokio::task::spawn_blocking(move || {
            // Its place is free when that is done.
            let _place = place;
            if let Some(compare) = &shadow.compare {
                of.judge(&answer, answered.as_ref().map_err(String::as_str), &route, &shadow, compare, &kept);
            }
        });
    }

    async fn ask(
        &self,
        route: &Route,
        shadow: &Shadow,
        who: WhoAnswers,
        request: Request<Body>,
    ) -> Result<Answer, String> {
        // A ticket is good until the answer has been read.
        let (answer, _ticket) = match who {
            WhoAnswers::Plugin(plugin, scope) => {
                let deadline = Instant::now() + shadow.timeout;
                let (context, _) = scope.into_context(route, plugin.config.limits.timeout, Some(deadline));
                let answer = plugin.component.call(request, context).await.map_err(|error| error.to_string())?;
                (answer, None)
            }
            WhoAnswers::Cluster(cluster, ticket) => {
                let mut tried = Vec::new();
                let asked = self.client.call(&cluster, request, Some(shadow.timeout), None, &mut tried);
                (asked.await.map_err(|error| error.to_string())?, ticket)
            }
        };
        let (head, mut body) = answer.into_parts();
        let mut recorded = RecordedBody::new(shadow.body);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
            if let Some(chunk) = frame.data_ref() {
                recorded.push(chunk);
            }
        }
        Ok(Answer { status: head.status, headers: end_to_end_fields(&head.headers), body: recorded })
    }
}
