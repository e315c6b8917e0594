//! A client of network backends for calls that start inside the process. It picks endpoints from the same clusters as
//! requests from outside, with the same health, and keeps connections of its own.

use super::cluster::{Cluster, NotTaken, Taken};
use super::endpoint_state::{Outcome, Outstanding};
use super::members::Wish;
use super::peer::{EndpointPeer, PickedEndpoint};
use crate::config::{HostHeader, Protocol};
use crate::telemetry::UpstreamInUse;
use framex_plugin_host::{Body, BodyError, empty_body};
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, Version, header};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Endpoints that one call may try to connect to.
const MOST_ATTEMPTS: usize = 3;
/// Idle connections that are kept, over all clusters.
const POOL: usize = 256;

/// Calls clusters from inside the process.
pub struct ClusterClient {
    connector: Arc<Connector<()>>,
}

impl Default for ClusterClient {
    fn default() -> Self {
        Self { connector: Arc::new(Connector::new(Some(ConnectorOptions::new(POOL)))) }
    }
}

impl fmt::Debug for ClusterClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterClient").finish_non_exhaustive()
    }
}

/// A cluster gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No connection to any endpoint that was tried.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// Every endpoint has as many requests under way as it takes.
    #[error("every endpoint is at its limit")]
    Full,
    /// The circuit breaker is open.
    #[error("the circuit is open")]
    Open(Duration),
    /// The endpoint took too long.
    #[error("no answer in time: {0}")]
    Silent(String),
    /// The body of the request broke off; the endpoint is not to blame.
    #[error("the request broke off: {0}")]
    Request(String),
    /// The connection broke, or what came is no HTTP.
    #[error("no valid answer: {0}")]
    Broken(String),
}

impl ClusterClient {
    /// Sends a request and waits for the head of the answer; the body of the request is sent before the answer is read.
    /// `tried` takes the endpoints that were asked, the answering one last. `silence` is how long the endpoint
    /// may be silent, if not the cluster's own time; `value` decides which one answers, where the cluster goes by one.
    ///
    /// # Errors
    /// When there was no valid answer. A request that may have been acted upon is not sent again.
    pub async fn call(
        &self,
        cluster: &Arc<Cluster>,
        request: Request<Body>,
        silence: Option<Duration>,
        value: Option<&[u8]>,
        tried: &mut Vec<PickedEndpoint>,
    ) -> Result<Response<Body>, ClusterError> {
        let pass = cluster.enter(Instant::now()).map_err(ClusterError::Open)?;
        let answered = self.ask(cluster, request, silence, value, tried).await;
        if let Some(pass) = pass {
            match &answered {
                Ok(answer) => cluster.left(pass, answer.status().is_server_error(), Instant::now()),
                // Neither says anything about the backend.
                Err(ClusterError::Request(_) | ClusterError::Full) => {}
                Err(_) => cluster.left(pass, true, Instant::now()),
            }
        }
        answered
    }

    async fn ask(
        &self,
        cluster: &Arc<Cluster>,
        request: Request<Body>,
        silence: Option<Duration>,
        value: Option<&[u8]>,
        tried: &mut Vec<PickedEndpoint>,
    ) -> Result<Response<Body>, ClusterError> {
        let (parts, body) = request.into_parts();
        // A kept connection that the endpoint closes in this moment is no answer (RFC 9112 §9.3.1): what may be sent twice is.
        let is_repeatable = parts.method.is_idempotent() && body.size_hint().exact() == Some(0);
        if is_repeatable {
            let (connection, reused) = self.connect(cluster, silence, value, tried).await?;
            match self.judged(connection, reused, cluster, parts.clone(), empty_body()).await {
                Err(ClusterError::Broken(_)) if reused => {}
                ended => return ended,
            }
        }
        let (connection, reused) = self.connect(cluster, silence, value, tried).await?;
        self.judged(connection, reused, cluster, parts, body).await
    }

    /// Asks over a connection, and notes how the endpoint has answered.
    async fn judged(
        &self,
        connection: Connection,
        reused: bool,
        cluster: &Arc<Cluster>,
        parts: http::request::Parts,
        body: Body,
    ) -> Result<Response<Body>, ClusterError> {
        let (endpoint, began) = (connection.endpoint.clone(), Instant::now());
        let answered = self.exchange(connection, cluster, parts, body).await;
        let outcome = match &answered {
            Ok(answer) if answer.status().is_server_error() => Outcome::Erred,
            Ok(_) => Outcome::Answered(began.elapsed()),
            Err(ClusterError::Request(_)) => return answered,
            // Closing a connection that nobody used is no failure.
            Err(ClusterError::Broken(_)) if reused => return answered,
            Err(_) => Outcome::Failed,
        };
        cluster.answered(&endpoint, outcome);
        answered
    }

    /// Sends a request over a connection and waits for the head of the answer.
    async fn exchange(
        &self,
        connection: Connection,
        cluster: &Arc<Cluster>,
        parts: http::request::Parts,
        body: Body,
    ) -> Result<Response<Body>, ClusterError> {
        let Connection { mut session, endpoint, peer, in_use, place } = connection;
        let is_h2 = matches!(session, HttpSession::H2(_));
        let head = request_head(parts, cluster, &endpoint, &body, is_h2).map_err(|error| broken(&error))?;
        let patience = peer.options.read_timeout;
        session.set_read_timeout(patience);
        session.set_write_timeout(peer.options.write_timeout);
        session.write_request_header(Box::new(head)).await.map_err(|error| failure(&error))?;
        let was_sent_whole = send_body(&mut session, body).await?;
        let answer = loop {
            session.read_response_header().await.map_err(|error| failure(&error))?;
            let head = session.response_header().ok_or_else(|| ClusterError::Broken("no head".to_owned()))?;
            if !head.status.is_informational() {
                break head.clone();
            }
        };
        let mut response = Response::new(());
        *response.status_mut() = answer.status;
        *response.headers_mut() = end_to_end(&answer.headers);
        // Uvicorn closes a connection after an exception without saying so. And behind a body that was not sent whole, the next
        // request would be taken for the rest of it.
        let is_failed = answer.status.is_server_error() && cluster.config.protocol == Protocol::Http1;
        let is_last = is_failed || !was_sent_whole;
        let connector = self.connector.clone();
        let reading =
            Reading { session, connector, peer, is_last, cluster: cluster.clone(), _in_use: in_use, _place: place };
        Ok(response.map(|()| reading.into_body()))
    }

    async fn connect(
        &self,
        cluster: &Arc<Cluster>,
        silence: Option<Duration>,
        value: Option<&[u8]>,
        tried: &mut Vec<PickedEndpoint>,
    ) -> Result<(Connection, bool), ClusterError> {
        let mut refused = Vec::new();
        let mut last = "no endpoint is known".to_owned();
        while refused.len() < MOST_ATTEMPTS {
            let wish = Wish { tried: &refused, value };
            let Taken { endpoint, place } = match cluster.take_or_wait(&wish).await {
                Ok(taken) => taken,
                Err(NotTaken::Full) => return Err(ClusterError::Full),
                Err(NotTaken::None) => break,
            };
            tried.push(endpoint.clone());
            let mut peer = *endpoint.for_request();
            if silence.is_some() {
                peer.options.read_timeout = silence;
            }
            match self.connector.get_http_session(&peer).await {
                Ok((session, reused)) => {
                    let in_use = cluster.metrics.connected(reused);
                    return Ok((Connection { session, endpoint, peer, in_use, place }, reused));
                }
                Err(error) => {
                    cluster.metrics.connect_failed();
                    cluster.answered(&endpoint, Outcome::Failed);
                    last = error.to_string();
                    refused.push(endpoint.address.clone());
                }
            }
        }
        Err(ClusterError::Unreachable(last))
    }
}

fn request_head(
    parts: http::request::Parts,
    cluster: &Cluster,
    endpoint: &EndpointPeer,
    body: &Body,
    is_h2: bool,
) -> Result<RequestHeader> {
    let mut head: RequestHeader = parts.into();
    head.set_version(if is_h2 { Version::HTTP_2 } else { Version::HTTP_11 });
    // Whoever wants the host kept has put it there.
    let sent = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let host = match (&cluster.config.host, &sent) {
        (HostHeader::Fixed(host), _) | (HostHeader::Preserve, Some(host)) => host.as_str(),
        (HostHeader::Endpoint | HostHeader::Preserve, _) => &endpoint.authority,
    };
    head.insert_header(header::HOST, host)?;
    if is_h2 {
        let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let scheme = if endpoint.peer.is_tls() { "https" } else { "http" };
        let uri = http::Uri::builder().scheme(scheme).authority(host).path_and_query(target).build();
        head.set_uri(uri.map_err(|error| Error::because(ErrorType::InvalidHTTPHeader, "no valid target", error))?);
    }
    head.remove_header(&header::CONTENT_LENGTH);
    match body.size_hint().exact() {
        Some(0) if matches!(head.method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS) => {}
        Some(length) => head.insert_header(header::CONTENT_LENGTH, length)?,
        None if is_h2 => {}
        None => head.insert_header(header::TRANSFER_ENCODING, "chunked")?,
    }
    Ok(head)
}

/// Sends a body. Whether all of it was sent: an endpoint may answer before it has read everything.
async fn send_body(session: &mut HttpSession<()>, mut body: Body) -> Result<bool, ClusterError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ClusterError::Request(error.to_string()))?;
        if let Ok(chunk) = frame.into_data()
            && !chunk.is_empty()
            && session.write_request_body(chunk, false).await.is_err()
        {
            return Ok(false);
        }
    }
    Ok(session.finish_request_body().await.is_ok())
}

/// A connection to an endpoint, before a request.
struct Connection {
    session: HttpSession<()>,
    endpoint: Arc<EndpointPeer>,
    peer: HttpPeer,
    in_use: UpstreamInUse,
    place: Outstanding,
}

/// An answer that is being read.
struct Reading {
    session: HttpSession<()>,
    connector: Arc<Connector<()>>,
    peer: HttpPeer,
    is_last: bool,
    cluster: Arc<Cluster>,
    _in_use: UpstreamInUse,
    _place: Outstanding,
}

impl Reading {
    fn into_body(self) -> Body {
        let frames = stream::unfold(Some(self), |reading| async move {
            let mut reading = reading?;
            match reading.session.read_response_body().await {
                Ok(Some(chunk)) => Some((Ok(Frame::data(chunk)), Some(reading))),
                Ok(None) => {
                    reading.finish().await;
                    None
                }
                Err(error) => Some((Err(BodyError::source(failure(&error))), None)),
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// Gives the connection back for the next call.
    async fn finish(self) {
        let Self { session, connector, peer, is_last, cluster, _in_use, _place } = self;
        if !is_last {
            connector.release_http_session(session, &peer, Some(cluster.config.timeouts.idle)).await;
        }
    }
}

/// The fields of an answer without those of its connection.
fn end_to_end(fields: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        if !crate::rewrite::is_hop_by_hop(name, fields) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

fn failure(error: &Error) -> ClusterError {
    match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => ClusterError::Silent(error.to_string()),
        _ => ClusterError::Broken(error.to_string()),
    }
}

fn broken(error: &Error) -> ClusterError {
    ClusterError::Broken(error.to_string())
}
