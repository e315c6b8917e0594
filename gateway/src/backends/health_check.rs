//! The active health check of a cluster: one request (or connection) per endpoint and interval.

use super::peer::EndpointPeer;
use crate::config::Health;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora_core::upstreams::peer::Peer;
use pingora_error::{Error, ErrorType, Result};
use pingora_load_balancing::Backend as Member;
use pingora_load_balancing::health_check::{HealthCheck, HttpHealthCheck, TcpHealthCheck};
use std::sync::Arc;

/// Checks every endpoint with its own name and TLS settings; Pingora's checks know one of each for a whole cluster.
pub(super) struct EndpointHealthCheck {
    pub(super) health: Health,
    pub(super) endpoints: Arc<ArcSwap<Vec<Arc<EndpointPeer>>>>,
    pub(super) cluster: String,
}

impl EndpointHealthCheck {
    fn endpoint(&self, member: &Member) -> Option<Arc<EndpointPeer>> {
        self.endpoints.load().iter().find(|endpoint| endpoint.address == member.addr).cloned()
    }

    async fn check_http(&self, endpoint: &EndpointPeer, path: &str, member: &Member) -> Result<()> {
        let mut check = HttpHealthCheck::new(&endpoint.authority, endpoint.peer.is_tls());
        check.peer_template = endpoint.peer.clone();
        check.peer_template.options.read_timeout = Some(self.health.timeout);
        check.req.set_uri(
            path.parse()
                .map_err(|error| Error::because(ErrorType::InternalError, format!("`{path}` is no path"), error))?,
        );
        check.validator = Some(Box::new(|answer| {
            if answer.status.is_success() {
                return Ok(());
            }
            Error::e_explain(ErrorType::HTTPStatus(answer.status.as_u16()), "the health check wants a 2xx")
        }));
        check.check(member).await
    }

    async fn check_tcp(&self, endpoint: &EndpointPeer, member: &Member) -> Result<()> {
        let mut check = TcpHealthCheck::default();
        check.peer_template.options = endpoint.peer.options.clone();
        if endpoint.peer.is_tls() {
            check.peer_template.sni = endpoint.peer.sni().to_owned();
        }
        check.check(member).await
    }
}

#[async_trait]
impl HealthCheck for EndpointHealthCheck {
    async fn check(&self, member: &Member) -> Result<()> {
        // An endpoint that DNS has dropped in this moment.
        let Some(endpoint) = self.endpoint(member) else { return Ok(()) };
        let checked = async {
            match &self.health.path {
                Some(path) => self.check_http(&endpoint, path, member).await,
                None => self.check_tcp(&endpoint, member).await,
            }
        };
        match tokio::time::timeout(self.health.timeout, checked).await {
            Ok(result) => result,
            Err(_) => Error::e_explain(ErrorType::ReadTimedout, format!("no answer in {:?}", self.health.timeout)),
        }
    }

    async fn health_status_change(&self, member: &Member, healthy: bool) {
        let Some(endpoint) = self.endpoint(member) else { return };
        let (cluster, endpoint) = (&self.cluster, &endpoint.label);
        if healthy {
            tracing::info!(%cluster, %endpoint, "endpoint is healthy again");
        } else {
            tracing::warn!(%cluster, %endpoint, "endpoint is unhealthy");
        }
    }

    fn health_threshold(&self, success: bool) -> usize {
        if success { self.health.healthy_after } else { self.health.unhealthy_after }
    }
}
