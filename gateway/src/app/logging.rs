//! The gateway's own log: one line per event on stderr. The access log is another thing (`telemetry::AccessLog`).

use tracing_subscriber::EnvFilter;

/// Starts logging at `level`; `RUST_LOG` overrides it. A second call changes nothing.
pub(super) fn start(level: &str) {
    // Pingora logs each connection's start at info; what matters of it is in the access log.
    let default = format!("{level},pingora_core=warn,pingora_proxy=warn,pingora_load_balancing=error");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
}
