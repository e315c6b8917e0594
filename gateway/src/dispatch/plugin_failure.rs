//! What a failed call of a plugin means to its caller.

use crate::backends::LocalPlugin;
use crate::rejection::{Reason, Rejection};
use framex_plugin_host::{BodyError, CallError};
use std::time::Duration;

/// When a plugin or the gateway is full, trying again soon is the right thing: calls are short.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(1);

/// The rejection for a call that was not answered.
pub(crate) fn rejection_of(error: &CallError, plugin: &LocalPlugin) -> Rejection {
    let name = &plugin.config.name;
    let reason = match error {
        CallError::Trapped { .. } => Reason::PluginTrapped,
        CallError::MemoryExceeded { .. } => Reason::PluginMemory,
        CallError::TableExceeded { .. } => Reason::PluginTable,
        CallError::ResponseTooLarge { .. } => Reason::PluginResponse,
        CallError::CpuExhausted { .. } => Reason::PluginCpu,
        CallError::WallExceeded { .. } | CallError::DeadlineExceeded => Reason::PluginTimeout,
        CallError::NoResponse | CallError::GuestError { .. } => Reason::PluginNoAnswer,
        CallError::Busy { .. } => Reason::Busy,
        CallError::HostStopped => Reason::Unavailable,
        CallError::Instantiate { .. } => Reason::PluginNotStarted,
        CallError::Internal { .. } => Reason::Internal,
    };
    let rejection = Rejection::new(reason, format!("plugin `{name}`")).with_note(error.to_string());
    match reason {
        Reason::Busy | Reason::Unavailable | Reason::PluginNotStarted => rejection.with_retry_after(RETRY_WHEN_BUSY),
        _ => rejection,
    }
}

/// The rejection for an answer that broke off.
pub(crate) fn cut_of(error: &BodyError, plugin: &LocalPlugin) -> Rejection {
    match error {
        BodyError::Plugin(error) => rejection_of(error, plugin),
        BodyError::Source(error) => Rejection::from(Reason::PluginNoAnswer).with_note(error.to_string()),
    }
}
