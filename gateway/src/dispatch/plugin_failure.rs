//! What a failed call of a plugin means to its caller.

use crate::backends::{LocalPlugin, Pass};
use crate::rejection::{Reason, Rejection};
use framex_plugin_host::{Body, BodyError, CallError};
use http::Response;
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

/// Leave to call the plugin, by its circuit breaker.
///
/// # Errors
/// The refusal while the circuit is open.
pub(crate) fn enter_plugin(plugin: &LocalPlugin) -> Result<Option<Pass>, Rejection> {
    plugin.enter().map_err(|after| {
        let detail = format!("the plugin `{}` fails and is left alone for a while", plugin.config.name);
        Rejection::new(Reason::CircuitOpen, detail).with_retry_after(after)
    })
}

/// Tells the circuit breaker of the plugin what came of a call.
pub(crate) fn leave_plugin(plugin: &LocalPlugin, pass: Option<Pass>, answered: &Result<Response<Body>, CallError>) {
    if let Some(pass) = pass {
        plugin.left(pass, answered.as_ref().map(|answer| answer.status().as_u16()).map_err(CallError::kind));
    }
}

/// The rejection for an answer that broke off.
pub(crate) fn cut_of(error: &BodyError, plugin: &LocalPlugin) -> Rejection {
    match error {
        BodyError::Plugin(error) => rejection_of(error, plugin),
        BodyError::Source(error) => Rejection::from(Reason::PluginNoAnswer).with_note(error.to_string()),
    }
}
