//! The body of a request to a plugin and of its response: a stream of frames, pulled by its reader.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};

use crate::CallError;

/// A streamed body. Nothing is produced before it is asked for, so a slow reader slows its writer down.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body ended before its end. Whoever forwards the body must not let it look complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The plugin that was writing this response body failed.
    #[error("the plugin failed in the middle of its response")]
    Plugin(#[source] CallError),
    /// The other side of the network stopped sending, or sent something malformed.
    #[error("the body could not be read to its end")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BodyError {
    /// Wraps the error of a network or file stream.
    pub fn source(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Source(error.into())
    }
}

/// A body without a byte.
pub fn empty_body() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of one chunk that is already in memory.
pub fn full_body(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}
