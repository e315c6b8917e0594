//! What is counted of one of several that share the requests of a route.

use super::Metrics;
use super::route_metrics::{STATUS_CLASSES, status_class};
use crate::rejection::Reason;
use crate::telemetry::CallRecord;
use prometheus::{Histogram, IntCounter};

/// In place of a status class: the share could not answer and the route's fallback did.
const FALLBACK: &str = "fallback";

/// The metrics of one share.
#[derive(Clone, Debug)]
pub struct ShareMetrics {
    requests: [IntCounter; STATUS_CLASSES.len()],
    fallbacks: IntCounter,
    duration: Histogram,
    to: Box<str>,
}

impl Metrics {
    /// The metrics of what a route sends to `to`.
    #[must_use]
    pub fn share(&self, namespace: &str, route: &str, to: &str) -> ShareMetrics {
        let requests = |class| self.share_requests.with_label_values(&[namespace, route, to, class]);
        ShareMetrics {
            requests: STATUS_CLASSES.map(requests),
            fallbacks: requests(FALLBACK),
            duration: self.share_duration.with_label_values(&[namespace, route, to]),
            to: to.into(),
        }
    }

    /// Removes the series of a share that left the configuration.
    pub fn forget_share(&self, namespace: &str, route: &str, to: &str) {
        // A series that is not there needs no removing.
        for class in STATUS_CLASSES.into_iter().chain([FALLBACK]) {
            let _ = self.share_requests.remove_label_values(&[namespace, route, to, class]);
        }
        let _ = self.share_duration.remove_label_values(&[namespace, route, to]);
    }
}

impl ShareMetrics {
    /// Counts a request that ended.
    pub fn record(&self, record: &CallRecord<'_>) {
        // An answer that broke off began with a good status.
        let broke_off = record.reason.map(Reason::status).filter(|status| *status >= 500);
        let status = broke_off.or(record.outcome).unwrap_or(record.status);
        let counter = if record.fallback { &self.fallbacks } else { &self.requests[status_class(status)] };
        counter.inc();
        self.duration.observe(record.duration.as_secs_f64());
    }

    /// Whose share it is.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }
}
