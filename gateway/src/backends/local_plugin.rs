//! A plugin in the process: a component with its limits, and what was told to the metrics of it.

use super::calling_plugin::{CallingPlugin, Requirements};
use super::circuit_breaker::{CircuitBreaker, Pass, Turn};
use super::plugin_versions::{PluginStage, PluginVersion};
use crate::config;
use crate::telemetry::PluginMetrics;
use framex_plugin_host::CallErrorKind;
use framex_plugin_host::component::{Component, ComponentHost, ComponentLimits, ComponentStats, LoadError};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A plugin that can be called.
#[derive(Debug)]
pub struct LocalPlugin {
    /// What the configuration says.
    pub config: config::Plugin,
    /// The loaded component.
    pub component: Component,
    /// Who it is when it calls others, and whom it may call.
    pub calling: Arc<CallingPlugin>,
    /// The name it is told it was called by.
    pub authority: Box<str>,
    /// Where its component came from.
    pub origin: PathBuf,
    /// Its version, if its package says one.
    pub version: Option<String>,
    digest: [u8; 32],
    /// It, among all versions of all plugins.
    pub stage: PluginVersion,
    breaker: Option<Arc<CircuitBreaker>>,
    metrics: PluginMetrics,
    /// What the metrics have been told already.
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    stats: ComponentStats,
    ok: u64,
}

/// The code of a plugin, read from a file or a package.
#[derive(Debug)]
pub struct PluginCode {
    /// The component.
    pub wasm: Vec<u8>,
    /// Where it came from, for messages.
    pub origin: PathBuf,
    /// Its environment, its configuration included.
    pub environment: Vec<(String, String)>,
    /// Its version, if a package says one.
    pub version: Option<String>,
    /// It, among all versions of all plugins.
    pub stage: PluginVersion,
}

impl PluginCode {
    /// A component by itself.
    #[must_use]
    pub fn of_file(path: &Path, wasm: Vec<u8>, stage: PluginVersion) -> Self {
        Self { wasm, origin: path.to_owned(), environment: Vec::new(), version: None, stage }
    }

    /// What tells two versions apart: the component and everything it is told.
    fn digest(&self) -> [u8; 32] {
        if self.environment.is_empty() {
            // What people get from `sha256sum`.
            return Sha256::digest(&self.wasm).into();
        }
        let mut digest = Sha256::new();
        digest.update(Sha256::digest(&self.wasm));
        for (name, value) in &self.environment {
            digest.update(format!("{name}={value}\0"));
        }
        digest.finalize().into()
    }
}

impl LocalPlugin {
    /// Compiles and tries the component (blocking); takes the one of `known` over about which nothing changed.
    ///
    /// # Errors
    /// When it is no component that can run here.
    pub fn load<'a>(
        namespace: &str,
        config: &config::Plugin,
        code: PluginCode,
        host: &ComponentHost,
        metrics: PluginMetrics,
        requires: Requirements,
        mut known: impl Iterator<Item = &'a Arc<Self>>,
    ) -> Result<Arc<Self>, LoadError> {
        let digest = code.digest();
        if let Some(same) = known.find(|known| known.digest == digest && known.config == *config) {
            return Ok(same.clone());
        }
        let PluginCode { wasm, origin, environment, version, stage } = code;
        stage.describe(version.as_deref(), &short(&digest));
        stage.enter(PluginStage::Compiling);
        let limits = ComponentLimits {
            memory: config.limits.memory,
            cpu: config.limits.cpu,
            wall: config.limits.timeout,
            concurrency: config.limits.concurrency as usize,
            queue: config.limits.queue as usize,
            response_body: config.limits.response_body,
            outgoing_calls: config.limits.outgoing_calls,
            table_elements: config.limits.table_elements,
            log: config.limits.log,
            reuse: config.reuse.calls,
            idle: config.reuse.idle,
        };
        let calling = CallingPlugin::new(namespace, &config.name, requires, config.outbound.clone());
        let compiled = || stage.enter(PluginStage::Trying);
        let component = host.load_with(&calling.identity.name, &wasm, &limits, &environment, &compiled)?;
        Ok(Arc::new(Self {
            config: config.clone(),
            component,
            calling: Arc::new(calling),
            authority: format!("{}.{namespace}.framex.internal", config.name).into(),
            origin,
            version,
            digest,
            stage,
            breaker: config.breaker.map(|rules| Arc::new(CircuitBreaker::new(rules, Instant::now()))),
            metrics,
            told: Mutex::default(),
        }))
    }

    /// Leave to call it, by its circuit breaker; `None` without one.
    ///
    /// # Errors
    /// After how long to come back.
    pub fn enter(&self) -> Result<Option<Pass>, Duration> {
        self.breaker.as_ref().map(|breaker| breaker.enter(Instant::now())).transpose()
    }

    /// Notes what came of a call that had a pass: the status of its answer, or why there was none.
    pub fn left(&self, pass: Pass, outcome: Result<u16, CallErrorKind>) {
        use CallErrorKind as Kind;
        let failed = match outcome {
            Ok(status) => status >= 500,
            // The plugin has not been asked, or not by its own fault left without an answer.
            Err(Kind::Busy | Kind::Deadline | Kind::HostStopped) => return,
            Err(_) => true,
        };
        match pass.ended(failed, Instant::now()) {
            Turn::None => {}
            Turn::Opened => {
                tracing::warn!(plugin = %self.calling.identity.name, "the circuit is open: the plugin fails and is left alone for a while");
            }
            Turn::Closed => {
                tracing::info!(plugin = %self.calling.identity.name, "the circuit is closed: the plugin answers again")
            }
        }
    }

    /// Brings the metrics up to date.
    pub fn tell_metrics(&self) {
        let now = self.component.stats();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed = 0;
        for kind in CallErrorKind::ALL {
            let errors = now.errors(kind);
            failed += errors;
            self.metrics.add_failed(kind, errors.saturating_sub(told.stats.errors(kind)));
        }
        // The counters are read one after the other, so this sum may run a moment behind; it is only ever told upwards.
        let ok = now.calls.saturating_sub(now.in_flight + failed + now.cancelled).max(told.ok);
        self.metrics.add_ok(ok - told.ok);
        self.metrics.add_cancelled(now.cancelled.saturating_sub(told.stats.cancelled));
        self.metrics.add_cpu(now.cpu.saturating_sub(told.stats.cpu));
        self.metrics.set_current(now.in_flight, now.peak_memory);
        *told = Told { stats: now, ok };
    }

    /// The first bytes of the component's SHA-256, as people compare versions.
    #[must_use]
    pub fn short_digest(&self) -> String {
        short(&self.digest)
    }
}

fn short(digest: &[u8; 32]) -> String {
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Drop for LocalPlugin {
    fn drop(&mut self) {
        self.tell_metrics();
    }
}
