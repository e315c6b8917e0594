//! In which words the gateway's own answers speak.

/// In which words the gateway's own answers speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The true status, with problem details (RFC 9457).
    #[default]
    Http,
    /// As FrameX says it: 200 and the status in the body, or an error event in a stream. FrameX 0.4 takes anything else that is
    /// not 200 for a failure without a reason.
    Framex,
    /// `Framex` for callers that look like FrameX's own client, else `Http`.
    Auto,
}
