//! Calls a network backend from inside the process, over the same endpoints as requests from outside.

use super::account::Account;
use super::affinity::affinity_value;
use super::call_tickets::CallTickets;
use super::fields::{edit_credentials, set_own_fields};
use crate::backends::{Cluster, ClusterClient, ClusterError};
use crate::rejection::{Reason, Rejection};
use crate::request::field::X_FRAMEX_CALL;
use crate::rewrite::end_to_end_fields;
use crate::snapshot::Route;
use framex_plugin_host::Body;
use http::request::Parts;
use http::{Request, Response, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout_at;

#[derive(Debug)]
pub(super) struct NetworkCalls {
    client: ClusterClient,
    tickets: CallTickets,
}

impl NetworkCalls {
    pub(super) fn new(tickets: CallTickets) -> Self {
        Self { client: ClusterClient::default(), tickets }
    }

    pub(super) async fn call(
        &self,
        account: &mut Account,
        sent: &Parts,
        body: Body,
        path: &str,
        route: &Route,
        cluster: &Arc<Cluster>,
    ) -> Result<Response<Body>, Rejection> {
        let path = route.rewrite.path(path);
        let target = match sent.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.into_owned(),
        };
        let mut request = Request::new(body);
        *request.method_mut() = sent.method.clone();
        *request.uri_mut() = target
            .parse()
            .map_err(|error: http::uri::InvalidUri| Rejection::from(Reason::Internal).with_note(error.to_string()))?;
        let fields = request.headers_mut();
        *fields = end_to_end_fields(&sent.headers);
        fields.remove(header::HOST);
        fields.remove(header::EXPECT);
        for name in &route.rewrite.remove_request {
            fields.remove(name);
        }
        edit_credentials(fields, route, cluster);
        set_own_fields(fields, route, &account.identity, account.scope.ids.as_ref(), account.deadline);
        if let Some(calling) = cluster.calling() {
            let ticket = self.tickets.issue(account.scope.next(calling), account.deadline);
            fields.insert(X_FRAMEX_CALL, ticket.field());
            account.ticket = Some(ticket);
        }
        for (name, value) in &route.rewrite.set_request {
            fields.insert(name.clone(), value.clone());
        }
        let value = affinity_value(cluster, route, &sent.headers, &account.identity, sent.uri.path());
        let value = value.map(<[u8]>::to_vec);
        let mut seen = Vec::new();
        let asked = self.client.call(cluster, request, route.timeout, value.as_deref(), &mut seen);
        let answered = match account.deadline {
            None => asked.await,
            Some(deadline) => timeout_at(deadline, asked)
                .await
                .unwrap_or_else(|_elapsed| Err(ClusterError::Silent("the caller's own time was over".to_owned()))),
        };
        account.attempts = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        account.endpoint = seen.pop().map(|endpoint| endpoint.label.clone());
        answered.map_err(|error| rejection_of(&error, cluster))
    }
}

pub(crate) fn rejection_of(error: &ClusterError, cluster: &Cluster) -> Rejection {
    let backend = &cluster.config.name;
    let (reason, detail) = match error {
        ClusterError::Unreachable(_) => {
            (Reason::BackendUnreachable, format!("the backend `{backend}` cannot be reached"))
        }
        ClusterError::Full => {
            let detail = format!("every endpoint of the backend `{backend}` is at its limit");
            return Rejection::new(Reason::Busy, detail).with_retry_after(Duration::from_secs(1));
        }
        ClusterError::Open(after) => return circuit_open(backend, *after),
        ClusterError::Silent(_) => (Reason::BackendTimeout, format!("the backend `{backend}` was silent for too long")),
        ClusterError::Request(_) => (Reason::BadRequest, "the body of the request broke off".to_owned()),
        ClusterError::Broken(_) => (Reason::BackendBroken, format!("the backend `{backend}` broke off its answer")),
    };
    Rejection::new(reason, detail).with_note(error.to_string())
}

/// The refusal while a circuit is open.
pub(crate) fn circuit_open(backend: &str, after: Duration) -> Rejection {
    let detail = format!("the backend `{backend}` fails and is left alone for a while");
    Rejection::new(Reason::CircuitOpen, detail).with_retry_after(after)
}
