//! What is counted of the limits of one route or namespace.

use super::Metrics;
use std::sync::Arc;

/// The metrics of the limits of one route, or of those that all routes of a namespace share.
#[derive(Clone, Debug)]
pub struct LimitMetrics {
    metrics: Metrics,
    namespace: Arc<str>,
    route: Arc<str>,
}

impl Metrics {
    /// The metrics of the limits of a route; its name is empty for those of the namespace.
    #[must_use]
    pub fn limits(&self, namespace: &str, route: &str) -> LimitMetrics {
        LimitMetrics { metrics: self.clone(), namespace: namespace.into(), route: route.into() }
    }

    /// Removes the series of limits that left the configuration.
    pub fn forget_limit(&self, namespace: &str, route: &str, limit: &str) {
        // A series that is not there needs no removing.
        let _ = self.limit_refusals.remove_label_values(&[namespace, route, limit]);
    }
}

impl LimitMetrics {
    /// Counts a request that the limit refused.
    pub fn refused(&self, limit: &str) {
        self.metrics.limit_refusals.with_label_values(&[&*self.namespace, &*self.route, limit]).inc();
    }
}
