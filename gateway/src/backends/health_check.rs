//! The active health check of a cluster: one request (or connection) per endpoint and interval.

use super::members::Members;
use super::peer::{EndpointPeer, PickedEndpoint};
use crate::config::Health;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::{HeaderValue, Method, Uri, header};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::Peer;
use pingora_error::{Error, ErrorType, OrErr, Result};
use pingora_http::RequestHeader;
use pingora_load_balancing::Backend as Member;
use pingora_load_balancing::health_check::{HealthCheck, TcpHealthCheck};
use std::sync::Arc;

/// So much of an answer is looked at.
const LOOKED_AT: usize = 64 << 10;

/// Checks every endpoint with its own name and TLS settings; Pingora's checks know one of each for a whole cluster, and no bodies.
pub(super) struct EndpointHealthCheck {
    health: Health,
    members: Arc<ArcSwap<Members>>,
    cluster: String,
    connector: Connector<()>,
}

impl EndpointHealthCheck {
    pub(super) fn new(health: Health, members: Arc<ArcSwap<Members>>, cluster: String) -> Self {
        Self { health, members, cluster, connector: Connector::new(None) }
    }

    fn endpoint(&self, member: &Member) -> Option<PickedEndpoint> {
        self.members.load().endpoints.iter().find(|endpoint| endpoint.address == member.addr).cloned()
    }

    /// Each check has a connection of its own: what is asked is whether others could connect too.
    async fn check_http(&self, endpoint: &EndpointPeer, path: &str) -> Result<()> {
        let mut peer = endpoint.peer.clone();
        peer.options.read_timeout = Some(self.health.timeout);
        let (mut session, _reused) = self.connector.get_http_session(&peer).await?;
        let host = self.health.host.as_deref().unwrap_or(&endpoint.authority);
        let mut request = RequestHeader::build(Method::GET, path.as_bytes(), Some(3))?;
        request.append_header(header::USER_AGENT, concat!("framex-gateway/", env!("CARGO_PKG_VERSION")))?;
        if matches!(session, HttpSession::H2(_)) {
            let scheme = if endpoint.peer.is_tls() { "https" } else { "http" };
            let target = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
            request.set_uri(target.or_err(ErrorType::InternalError, "no target of a health check")?);
        } else {
            request.append_header(header::HOST, host)?;
            request.append_header(header::CONNECTION, HeaderValue::from_static("close"))?;
        }
        session.set_read_timeout(Some(self.health.timeout));
        session.write_request_header(Box::new(request)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session.response_header().map_or(0, |answer| answer.status.as_u16());
        let is_good = match self.health.status.as_slice() {
            [] => (200..300).contains(&status),
            listed => listed.contains(&status),
        };
        if !is_good {
            return Error::e_explain(ErrorType::HTTPStatus(status), "the health check wants another status");
        }
        let Some(wanted) = &self.health.body else { return Ok(()) };
        let mut body = Vec::new();
        while body.len() < LOOKED_AT
            && let Some(chunk) = session.read_response_body().await?
        {
            body.extend_from_slice(&chunk);
        }
        match memchr::memmem::find(&body, wanted.as_bytes()) {
            Some(_) => Ok(()),
            None => Error::e_explain(ErrorType::InternalError, "the answer to the health check lacks its text"),
        }
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
        // An endpoint that has left in this moment.
        let Some(endpoint) = self.endpoint(member) else { return Ok(()) };
        let checked = async {
            match &self.health.path {
                Some(path) => self.check_http(&endpoint, path).await,
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
