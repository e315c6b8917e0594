//! What is counted of one route.

use super::Metrics;
use crate::telemetry::{BackendKind, CallRecord};
use prometheus::IntCounterVec;
use prometheus::core::Collector;
use prometheus::{Histogram, IntCounter, IntGauge};
use std::sync::{Arc, OnceLock};

/// Status classes in the order of [`status_class`].
pub(super) const STATUS_CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// What the cache may have to do with an answer.
const CACHE_STATUSES: [&str; 5] = ["hit", "miss", "refresh", "bypass", "disabled"];

/// The metrics of one route, or of all requests that have none.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    requests: [IntCounter; STATUS_CLASSES.len()],
    in_flight: IntGauge,
    /// A route answers in few classes; a class that was never seen has no series.
    classes: Arc<[OnceLock<Class>; STATUS_CLASSES.len()]>,
    first_byte: Arc<OnceLock<Histogram>>,
    metrics: Metrics,
    namespace: Arc<str>,
    route: Arc<str>,
    kind: BackendKind,
}

#[derive(Debug)]
struct Class {
    duration: Histogram,
    bytes_in: IntCounter,
    bytes_out: IntCounter,
}

impl Metrics {
    /// The metrics of one route; names are empty for requests without one.
    #[must_use]
    pub fn route(&self, namespace: &str, route: &str, kind: BackendKind) -> RouteMetrics {
        let labels = [namespace, route, kind.label()];
        RouteMetrics {
            requests: STATUS_CLASSES
                .map(|class| self.requests.with_label_values(&[namespace, route, kind.label(), class])),
            in_flight: self.in_flight.with_label_values(&labels),
            classes: Arc::default(),
            first_byte: Arc::default(),
            metrics: self.clone(),
            namespace: namespace.into(),
            route: route.into(),
            kind,
        }
    }

    /// Removes the series of a route that left the configuration.
    pub fn forget_route(&self, namespace: &str, route: &str, kind: BackendKind) {
        let labels = [namespace, route, kind.label()];
        // A series that is not there needs no removing.
        for class in STATUS_CLASSES {
            let labels = [namespace, route, kind.label(), class];
            let _ = self.requests.remove_label_values(&labels);
            let _ = self.duration.remove_label_values(&labels);
            let _ = self.bytes_in.remove_label_values(&labels);
            let _ = self.bytes_out.remove_label_values(&labels);
        }
        forget_where(&self.fallbacks, &[("namespace", namespace), ("route", route)]);
        for status in CACHE_STATUSES {
            let _ = self.cache_requests.remove_label_values(&[namespace, route, status]);
        }
        let _ = self.first_byte.remove_label_values(&labels);
        let _ = self.in_flight.remove_label_values(&labels);
    }
}

impl RouteMetrics {
    /// Counts a request that ended.
    pub fn record(&self, record: &CallRecord<'_>) {
        let index = status_class(record.outcome.unwrap_or(record.status));
        self.requests[index].inc();
        let class = self.classes[index].get_or_init(|| self.class(index));
        class.duration.observe(record.duration.as_secs_f64());
        if record.bytes_in > 0 {
            class.bytes_in.inc_by(record.bytes_in);
        }
        class.bytes_out.inc_by(record.bytes_out);
        if let Some(cache) = record.cache {
            self.metrics.cache_requests.with_label_values(&[&*self.namespace, &*self.route, cache]).inc();
        }
        if let Some(first_byte) = record.first_byte.filter(|_| record.streamed) {
            self.first_byte_histogram().observe(first_byte.as_secs_f64());
        }
    }

    /// Counts a request that the step `to` of the chain of fallbacks is asked to answer.
    pub fn fell_back(&self, to: &str) {
        self.metrics.fallbacks.with_label_values(&[&*self.namespace, &*self.route, to]).inc();
    }

    /// Counts a request as running until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> CallInFlight {
        self.in_flight.inc();
        CallInFlight(self.in_flight.clone())
    }

    fn class(&self, index: usize) -> Class {
        let labels = [&*self.namespace, &*self.route, self.kind.label(), STATUS_CLASSES[index]];
        Class {
            duration: self.metrics.duration.with_label_values(&labels),
            bytes_in: self.metrics.bytes_in.with_label_values(&labels),
            bytes_out: self.metrics.bytes_out.with_label_values(&labels),
        }
    }

    fn first_byte_histogram(&self) -> &Histogram {
        self.first_byte.get_or_init(|| {
            self.metrics.first_byte.with_label_values(&[&*self.namespace, &*self.route, self.kind.label()])
        })
    }
}

/// A running request.
#[derive(Debug)]
pub struct CallInFlight(IntGauge);

impl Drop for CallInFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

pub(super) fn status_class(status: u16) -> usize {
    match status / 100 {
        class @ 1..=5 => usize::from(class),
        _ => 0,
    }
}

/// Removes every series with these labels.
fn forget_where(counters: &IntCounterVec, labels: &[(&str, &str)]) {
    for family in counters.collect() {
        for metric in family.get_metric() {
            let values = metric.get_label();
            let value = |name: &str| values.iter().find(|label| label.name() == name).map_or("", |label| label.value());
            if labels.iter().all(|(name, wanted)| value(name) == *wanted) {
                let _ = counters.remove_label_values(&["namespace", "route", "to"].map(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.expose()).expect("UTF-8")
    }

    #[test]
    fn a_forgotten_route_leaves_no_series_behind() {
        let metrics = Metrics::new();
        let route = metrics.route("demo", "/gone", BackendKind::Http);
        drop(route.enter());
        let _ = (route.class(2), route.first_byte_histogram());
        assert!(text(&metrics).contains("/gone"));
        metrics.forget_route("demo", "/gone", BackendKind::Http);
        assert!(!text(&metrics).contains("/gone"));
    }

    #[test]
    fn a_route_whose_kind_of_backend_changed_keeps_its_new_series() {
        let metrics = Metrics::new();
        let _old = metrics.route("demo", "all", BackendKind::Http);
        let new = metrics.route("demo", "all", BackendKind::Framex);
        metrics.forget_route("demo", "all", BackendKind::Http);
        let _running = new.enter();
        let of_new = "framex_gateway_requests_in_flight{backend_kind=\"framex\",namespace=\"demo\",route=\"all\"} 1";
        assert!(text(&metrics).contains(of_new));
        assert!(!text(&metrics).contains("backend_kind=\"http\""));
    }
}
