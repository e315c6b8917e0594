//! What is counted of one network backend.

use super::Metrics;
use prometheus::{IntCounter, IntGauge};

/// The metrics of one network backend.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    new_connections: IntCounter,
    reused_connections: IntCounter,
    in_use: IntGauge,
    connect_failures: IntCounter,
    ejections: IntCounter,
    circuit_openings: IntCounter,
    retries: IntCounter,
    refused_retries: IntCounter,
}

impl Metrics {
    /// The metrics of one network backend.
    #[must_use]
    pub fn upstream(&self, namespace: &str, backend: &str) -> UpstreamMetrics {
        UpstreamMetrics {
            new_connections: self.upstream_connections.with_label_values(&[namespace, backend, "new"]),
            reused_connections: self.upstream_connections.with_label_values(&[namespace, backend, "reused"]),
            in_use: self.upstream_in_use.with_label_values(&[namespace, backend]),
            connect_failures: self.upstream_failures.with_label_values(&[namespace, backend]),
            ejections: self.upstream_ejections.with_label_values(&[namespace, backend]),
            circuit_openings: self.upstream_circuit_openings.with_label_values(&[namespace, backend]),
            retries: self.upstream_retries.with_label_values(&[namespace, backend, "sent"]),
            refused_retries: self.upstream_retries.with_label_values(&[namespace, backend, "over_budget"]),
        }
    }

    /// Removes the series of a backend that left the configuration.
    pub fn forget_upstream(&self, namespace: &str, backend: &str) {
        for state in ["new", "reused"] {
            let _ = self.upstream_connections.remove_label_values(&[namespace, backend, state]);
        }
        let _ = self.upstream_in_use.remove_label_values(&[namespace, backend]);
        for each in [&self.upstream_failures, &self.upstream_ejections, &self.upstream_circuit_openings] {
            let _ = each.remove_label_values(&[namespace, backend]);
        }
        for what in ["sent", "over_budget"] {
            let _ = self.upstream_retries.remove_label_values(&[namespace, backend, what]);
        }
    }
}

impl UpstreamMetrics {
    /// Counts a connection taken for a request, as in use until the guard is dropped.
    #[must_use]
    pub fn connected(&self, reused: bool) -> UpstreamInUse {
        if reused {
            self.reused_connections.inc()
        } else {
            self.new_connections.inc()
        }
        self.in_use.inc();
        UpstreamInUse(self.in_use.clone())
    }

    /// Counts a connection that could not be made.
    pub fn connect_failed(&self) {
        self.connect_failures.inc();
    }

    /// Counts an endpoint that is left alone for a while.
    pub fn ejected(&self) {
        self.ejections.inc();
    }

    /// Counts a circuit that has opened.
    pub fn circuit_opened(&self) {
        self.circuit_openings.inc();
    }

    /// Counts a request that is sent a second time, or that is not because the backend's budget is spent.
    pub fn retried(&self, sent: bool) {
        if sent { self.retries.inc() } else { self.refused_retries.inc() }
    }
}

/// A connection to a backend that carries a request.
#[derive(Debug)]
pub struct UpstreamInUse(IntGauge);

impl Drop for UpstreamInUse {
    fn drop(&mut self) {
        self.0.dec();
    }
}
