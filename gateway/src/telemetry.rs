//! What operators see: metrics, the access log, trace context.
//!
//! One [`CallRecord`] is built per request, at its end; metrics and access log are both made from it, so they cannot
//! disagree. Labels come from configuration only, never from what a client sends.

mod access_log;
mod call_record;
mod metrics;
mod trace_context;

pub use access_log::AccessLog;
pub use call_record::{BackendKind, CallRecord};
pub use metrics::{
    CallInFlight, LimitMetrics, Metrics, PluginMetrics, ReloadOutcome, RouteMetrics, ShadowMetrics, ShadowOutcome,
    ShareMetrics, UpstreamInUse, UpstreamMetrics,
};
pub use trace_context::{RequestId, TraceContext};
