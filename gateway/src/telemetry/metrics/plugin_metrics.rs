//! What is counted of one plugin.

use super::Metrics;
use framex_plugin_host::CallErrorKind;
use prometheus::{Counter, IntCounter, IntGauge};
use std::time::Duration;

/// The metrics of one plugin, brought up to date when they are read.
#[derive(Clone, Debug)]
pub struct PluginMetrics {
    ok: IntCounter,
    cancelled: IntCounter,
    failed: [IntCounter; CallErrorKind::ALL.len()],
    cpu: Counter,
    in_flight: IntGauge,
    memory: IntGauge,
}

impl Metrics {
    /// The metrics of one plugin.
    #[must_use]
    pub fn plugin(&self, namespace: &str, plugin: &str) -> PluginMetrics {
        let outcome = |outcome: &str| self.plugin_calls.with_label_values(&[namespace, plugin, outcome]);
        PluginMetrics {
            ok: outcome("ok"),
            cancelled: outcome("cancelled"),
            failed: CallErrorKind::ALL.map(|kind| outcome(kind.as_str())),
            cpu: self.plugin_cpu.with_label_values(&[namespace, plugin]),
            in_flight: self.plugin_in_flight.with_label_values(&[namespace, plugin]),
            memory: self.plugin_memory.with_label_values(&[namespace, plugin]),
        }
    }

    /// Removes the series of a plugin that left the configuration.
    pub fn forget_plugin(&self, namespace: &str, plugin: &str) {
        let failures = CallErrorKind::ALL.into_iter().map(CallErrorKind::as_str);
        for outcome in failures.chain(["ok", "cancelled"]) {
            let _ = self.plugin_calls.remove_label_values(&[namespace, plugin, outcome]);
        }
        let _ = self.plugin_cpu.remove_label_values(&[namespace, plugin]);
        let _ = self.plugin_in_flight.remove_label_values(&[namespace, plugin]);
        let _ = self.plugin_memory.remove_label_values(&[namespace, plugin]);
    }
}

impl PluginMetrics {
    /// Adds calls that were answered in full.
    pub fn add_ok(&self, calls: u64) {
        self.ok.inc_by(calls);
    }

    /// Adds calls whose caller went away.
    pub fn add_cancelled(&self, calls: u64) {
        self.cancelled.inc_by(calls);
    }

    /// Adds calls that failed in this way.
    pub fn add_failed(&self, kind: CallErrorKind, calls: u64) {
        self.failed[kind as usize].inc_by(calls);
    }

    /// Adds CPU time.
    pub fn add_cpu(&self, time: Duration) {
        self.cpu.inc_by(time.as_secs_f64());
    }

    /// Sets what is true now: running calls and the largest memory of one instance.
    pub fn set_current(&self, in_flight: u64, peak_memory: u64) {
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
        self.memory.set(i64::try_from(peak_memory).unwrap_or(i64::MAX));
    }
}
