//! Calls a host outside for a component, if its `permissions` name the host.

use crate::backends::{OutboundClient, OutboundError};
use crate::rewrite::end_to_end_fields;
use framex_plugin_host::{Body, OutgoingError};
use http::{Request, Response, header};
use tokio::time::{Instant, timeout_at};

/// The way to hosts outside.
#[derive(Debug)]
pub(super) struct OutboundCalls {
    client: OutboundClient,
}

impl OutboundCalls {
    pub(super) fn new(client: OutboundClient) -> Self {
        Self { client }
    }

    /// Sends the request, without what is the gateway's own or concerns one connection only.
    pub(super) async fn call(
        &self,
        mut request: Request<Body>,
        private_networks: bool,
        deadline: Option<Instant>,
    ) -> Result<Response<Body>, OutboundError> {
        let fields = end_to_end_fields(request.headers());
        *request.headers_mut() = fields;
        // The target says it.
        request.headers_mut().remove(header::HOST);
        let asked = self.client.call(request, private_networks);
        let answer = match deadline {
            None => asked.await?,
            Some(deadline) => timeout_at(deadline, asked)
                .await
                .map_err(|_elapsed| OutboundError::Unreachable("the call's own time was over".to_owned()))??,
        };
        let (mut head, body) = answer.into_parts();
        head.headers = end_to_end_fields(&head.headers);
        Ok(Response::from_parts(head, body))
    }
}

/// A failure in the words of `wasi:http`.
pub(super) fn outgoing_error(error: &OutboundError) -> OutgoingError {
    match error {
        OutboundError::Private(_) => OutgoingError::Denied,
        OutboundError::Unreachable(_) => OutgoingError::Unavailable,
        OutboundError::Broken(_) => OutgoingError::Broken,
    }
}
