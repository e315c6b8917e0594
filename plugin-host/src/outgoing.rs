//! Where a plugin's own HTTP requests leave the host.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};

use crate::{Body, CallContext};

/// Answers the requests plugins make. The host opens no connection by itself: whatever is not answered here is refused.
#[async_trait]
pub trait Outgoing: Send + Sync + 'static {
    /// Sends a plugin's request. It runs outside the plugin's CPU time but inside its wall time; when the plugin's call
    /// ends first, this future is dropped.
    async fn send(&self, request: Request<Body>, caller: &Caller) -> Result<Response<Body>, OutgoingError>;
}

/// Which plugin makes a request, and during which call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name the plugin was loaded under.
    pub plugin: Arc<str>,
    /// The context of the call the plugin is answering.
    pub context: CallContext,
}

/// Why a plugin's request got no response. The plugin sees the matching `wasi:http` error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// The plugin may not call this: `HTTP-request-denied`.
    #[error("the request is not allowed")]
    Denied,
    /// Nothing goes by this name: `destination-not-found`.
    #[error("the destination is not known")]
    NotFound,
    /// It is known but cannot answer now: `destination-unavailable`.
    #[error("the destination is not available")]
    Unavailable,
    /// Too many plugins call each other: `loop-detected`.
    #[error("the calls go round in a loop")]
    Loop,
    /// It did not answer in time: `HTTP-response-timeout`.
    #[error("the destination did not answer in time")]
    Timeout,
    /// The connection or the callee broke: `connection-terminated`.
    #[error("the destination broke off")]
    Broken,
}

/// Refuses every request: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DenyOutgoing;

#[async_trait]
impl Outgoing for DenyOutgoing {
    async fn send(&self, _request: Request<Body>, _caller: &Caller) -> Result<Response<Body>, OutgoingError> {
        Err(OutgoingError::Denied)
    }
}
