//! Why a call to a plugin failed. The variants are a stable vocabulary: rejections, metrics and tests build on them.

use std::time::Duration;

/// Why a plugin did not answer, or stopped in the middle of its answer (then inside [`crate::BodyError::Plugin`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin crashed: a panic, an `unreachable`, a bad memory access, a stack overflow, an exit.
    #[error("plugin trapped: {reason}")]
    Trapped {
        /// The trap in WebAssembly's words.
        reason: String,
    },
    /// The call used its CPU time.
    #[error("plugin used more than {limit:?} of CPU time")]
    CpuExhausted {
        /// The limit it ran into.
        limit: Duration,
    },
    /// The call, response body included, lasted longer than the plugin's wall-time limit.
    #[error("plugin took longer than {limit:?}")]
    WallExceeded {
        /// The limit it ran into.
        limit: Duration,
    },
    /// The caller's own deadline passed first.
    #[error("the caller's deadline passed before the plugin was done")]
    DeadlineExceeded,
    /// The plugin failed after it was refused more memory. Best effort: a plugin that copes with the refusal and fails
    /// later for another reason is counted here too.
    #[error("plugin needed more than {limit} bytes of memory")]
    MemoryExceeded {
        /// The limit it ran into, in bytes.
        limit: u64,
    },
    /// The response body was longer than it may be.
    #[error("plugin answered with more than {limit} bytes")]
    ResponseTooLarge {
        /// The limit it ran into, in bytes.
        limit: u64,
    },
    /// The plugin failed after it was refused a larger table. Best effort, as for memory.
    #[error("plugin needed a table of more than {limit} elements")]
    TableExceeded {
        /// The limit it ran into.
        limit: u32,
    },
    /// The plugin is already serving as many calls as it may and as many are waiting, or the host has no room for one
    /// more instance.
    #[error("plugin is busy with {limit} calls")]
    Busy {
        /// How many calls may run at once.
        limit: usize,
    },
    /// The plugin returned without ever setting a response.
    #[error("plugin returned without a response")]
    NoResponse,
    /// The plugin answered with a `wasi:http` error code instead of a response, or broke its own promise about the
    /// body, such as a wrong `content-length`.
    #[error("plugin reported an error: {code}")]
    GuestError {
        /// The error code in words.
        code: String,
    },
    /// No instance could be made.
    #[error("plugin could not be instantiated: {reason}")]
    Instantiate {
        /// What the instantiation failed with.
        reason: String,
    },
    /// The plugin host was shut down before the call was done.
    #[error("the plugin host was shut down")]
    HostStopped,
    /// The host itself is at fault.
    #[error("the plugin host failed: {reason}")]
    Internal {
        /// What went wrong.
        reason: String,
    },
}

impl CallError {
    /// The error without its details.
    pub fn kind(&self) -> CallErrorKind {
        match self {
            Self::Trapped { .. } => CallErrorKind::Trap,
            Self::CpuExhausted { .. } => CallErrorKind::Cpu,
            Self::WallExceeded { .. } => CallErrorKind::Wall,
            Self::DeadlineExceeded => CallErrorKind::Deadline,
            Self::MemoryExceeded { .. } => CallErrorKind::Memory,
            Self::ResponseTooLarge { .. } => CallErrorKind::Response,
            Self::TableExceeded { .. } => CallErrorKind::Table,
            Self::Busy { .. } => CallErrorKind::Busy,
            Self::NoResponse => CallErrorKind::NoResponse,
            Self::GuestError { .. } => CallErrorKind::GuestError,
            Self::Instantiate { .. } => CallErrorKind::Instantiate,
            Self::HostStopped => CallErrorKind::HostStopped,
            Self::Internal { .. } => CallErrorKind::Internal,
        }
    }
}

/// A [`CallError`] without details: a bounded set, fit for a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallErrorKind {
    /// [`CallError::Trapped`]
    Trap,
    /// [`CallError::CpuExhausted`]
    Cpu,
    /// [`CallError::WallExceeded`]
    Wall,
    /// [`CallError::DeadlineExceeded`]
    Deadline,
    /// [`CallError::MemoryExceeded`]
    Memory,
    /// [`CallError::ResponseTooLarge`]
    Response,
    /// [`CallError::TableExceeded`]
    Table,
    /// [`CallError::Busy`]
    Busy,
    /// [`CallError::NoResponse`]
    NoResponse,
    /// [`CallError::GuestError`]
    GuestError,
    /// [`CallError::Instantiate`]
    Instantiate,
    /// [`CallError::HostStopped`]
    HostStopped,
    /// [`CallError::Internal`]
    Internal,
}

impl CallErrorKind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::Trap,
        Self::Cpu,
        Self::Wall,
        Self::Deadline,
        Self::Memory,
        Self::Response,
        Self::Table,
        Self::Busy,
        Self::NoResponse,
        Self::GuestError,
        Self::Instantiate,
        Self::HostStopped,
        Self::Internal,
    ];

    /// The kind as a metric's label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Response => "response",
            Self::Table => "table",
            Self::Busy => "busy",
            Self::NoResponse => "no_response",
            Self::GuestError => "guest_error",
            Self::Instantiate => "instantiate",
            Self::HostStopped => "host_stopped",
            Self::Internal => "internal",
        }
    }
}
