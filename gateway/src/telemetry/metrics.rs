//! Every metric of the gateway, declared once.
//!
//! All names begin with `framex_gateway_`. Times are seconds, sizes bytes. Handles are resolved when a configuration
//! is compiled, so that a request touches only atomics; series of routes that left the configuration are removed.

use super::{BackendKind, CallRecord};
use crate::rejection::Reason;
use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// From half a millisecond (a plugin) to five minutes (a long stream).
const DURATION_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Status classes in the order of [`status_class`].
const STATUS_CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

macro_rules! metrics {
    ($($name:ident: $kind:ident($metric:literal, [$($label:literal),*], $help:literal);)*) => {
        /// Every metric, registered in one registry.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            registry: Registry,
            $($name: $kind,)*
        }

        impl Metrics {
            /// Declares every metric in a registry of its own.
            ///
            /// # Panics
            /// Never: the names below are valid and distinct, which a test checks.
            #[must_use]
            pub fn new() -> Self {
                let registry = Registry::new();
                $(let $name: $kind = declare(&registry, <$kind as Declare>::declared(concat!("framex_gateway_", $metric), $help, &[$($label),*]));)*
                let process = prometheus::process_collector::ProcessCollector::for_self();
                registry.register(Box::new(process)).expect("metric names are distinct");
                let metrics = Self { registry, $($name,)* };
                metrics.start_at_zero();
                metrics
            }
        }
    };
}

metrics! {
    requests: IntCounterVec("requests_total", ["namespace", "route", "backend_kind", "status"], "Requests that ended, by the class of the status sent to the client");
    duration: HistogramVec("request_duration_seconds", ["namespace", "route", "backend_kind"], "Time from the head of a request to the end of its answer");
    first_byte: HistogramVec("first_byte_seconds", ["namespace", "route", "backend_kind"], "Time from the head of a request to the head of its answer");
    in_flight: IntGaugeVec("requests_in_flight", ["namespace", "route"], "Requests that are being answered");
    bytes_in: IntCounterVec("request_body_bytes_total", ["namespace", "route"], "Bytes of request bodies received");
    bytes_out: IntCounterVec("response_body_bytes_total", ["namespace", "route"], "Bytes of answers' bodies sent");
    rejections: IntCounterVec("rejections_total", ["namespace", "code"], "Requests that the gateway itself answered or cut, by code; the namespace is empty where no route was found");
    connections: IntGauge("client_connections", [], "Open client connections");
    connections_refused: IntCounter("client_connections_refused_total", [], "Client connections closed at once because of the connection limit");
    upstream_connections: IntCounterVec("upstream_connections_total", ["namespace", "backend", "state"], "Connections to a backend taken for a request: new or reused");
    upstream_failures: IntCounterVec("upstream_connect_failures_total", ["namespace", "backend"], "Connections to a backend that could not be made");
    upstream_healthy: IntGaugeVec("upstream_endpoint_healthy", ["namespace", "backend", "endpoint"], "1 while the endpoint is healthy, 0 while it is not");
    plugin_calls: IntCounterVec("plugin_calls_total", ["namespace", "plugin", "outcome"], "Calls of a plugin by outcome: ok or the reason of the failure");
    plugin_cpu: CounterVec("plugin_cpu_seconds_total", ["namespace", "plugin"], "CPU time that a plugin's instances used");
    plugin_in_flight: IntGaugeVec("plugin_calls_in_flight", ["namespace", "plugin"], "Calls of a plugin that are running");
    plugin_memory: IntGaugeVec("plugin_memory_peak_bytes", ["namespace", "plugin"], "Most memory that one instance of the plugin's current version has used");
    reloads: IntCounterVec("reloads_total", ["result"], "Reloads of the configuration: applied, unchanged, partial (a team keeps its last good part) or rejected");
    revision: IntGauge("config_revision", [], "Revision of the running configuration");
    reload_time: IntGauge("config_last_applied_timestamp_seconds", [], "When the running configuration was applied, in Unix time");
    namespace_valid: IntGaugeVec("config_namespace_valid", ["namespace"], "1 while a namespace's file is in force, 0 while an older version of it serves or nothing does");
    access_log_dropped: IntCounter("access_log_dropped_total", [], "Access log lines lost because their reader was too slow");
    build: IntGaugeVec("build_info", ["version"], "Always 1; the labels say what runs");
}

/// How a kind of metric is made from its declaration.
trait Declare: Sized {
    fn declared(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

macro_rules! declare_vec {
    ($($kind:ident),*) => {
        $(impl Declare for $kind {
            fn declared(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
                Self::new(Opts::new(name, help), labels)
            }
        })*
    };
}
declare_vec!(IntCounterVec, IntGaugeVec, CounterVec);

impl Declare for HistogramVec {
    fn declared(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(HistogramOpts::new(name, help).buckets(DURATION_BUCKETS.to_vec()), labels)
    }
}

impl Declare for IntGauge {
    fn declared(name: &str, help: &str, _: &[&str]) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Declare for IntCounter {
    fn declared(name: &str, help: &str, _: &[&str]) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

/// Registers a metric. Its declaration above is fixed text, so a failure is a defect that every test run would show.
fn declare<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("metric names and labels are valid");
    registry.register(Box::new(metric.clone())).expect("metric names are distinct");
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// All of it is in force.
    Applied,
    /// Nothing had changed.
    Unchanged,
    /// Some namespaces keep their last good part.
    Partial,
    /// Nothing of it is in force.
    Rejected,
}

impl ReloadOutcome {
    const ALL: [Self; 4] = [Self::Applied, Self::Unchanged, Self::Partial, Self::Rejected];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Partial => "partial",
            Self::Rejected => "rejected",
        }
    }
}

impl Metrics {
    /// Series that exist before their first event, so that rates and alerts on them work from the start.
    fn start_at_zero(&self) {
        for reason in Reason::ALL {
            self.rejections.with_label_values(&["", reason.code()]);
        }
        for outcome in ReloadOutcome::ALL {
            self.reloads.with_label_values(&[outcome.label()]);
        }
        self.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    }

    /// The text exposition format 0.0.4 of everything.
    #[must_use]
    pub fn expose(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(64 << 10);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "cannot encode the metrics");
        }
        text
    }

    /// The content type of [`Self::expose`].
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        "text/plain; version=0.0.4; charset=utf-8"
    }

    /// The handles of one route.
    #[must_use]
    pub fn route(&self, namespace: &str, route: &str, kind: BackendKind) -> RouteMetrics {
        let labels = [namespace, route, kind.label()];
        RouteMetrics {
            requests: STATUS_CLASSES
                .map(|class| self.requests.with_label_values(&[namespace, route, kind.label(), class])),
            duration: self.duration.with_label_values(&labels),
            first_byte: self.first_byte.with_label_values(&labels),
            in_flight: self.in_flight.with_label_values(&[namespace, route]),
            bytes_in: self.bytes_in.with_label_values(&[namespace, route]),
            bytes_out: self.bytes_out.with_label_values(&[namespace, route]),
        }
    }

    /// Removes the series of a route that left the configuration.
    pub fn forget_route(&self, namespace: &str, route: &str, kind: BackendKind) {
        let labels = [namespace, route, kind.label()];
        // A series that is not there needs no removing.
        for class in STATUS_CLASSES {
            let _ = self.requests.remove_label_values(&[namespace, route, kind.label(), class]);
        }
        let _ = self.duration.remove_label_values(&labels);
        let _ = self.first_byte.remove_label_values(&labels);
        for counter in [&self.bytes_in, &self.bytes_out] {
            let _ = counter.remove_label_values(&[namespace, route]);
        }
        let _ = self.in_flight.remove_label_values(&[namespace, route]);
    }

    /// The handles of one network backend.
    #[must_use]
    pub fn upstream(&self, namespace: &str, backend: &str) -> UpstreamMetrics {
        UpstreamMetrics {
            new_connections: self.upstream_connections.with_label_values(&[namespace, backend, "new"]),
            reused_connections: self.upstream_connections.with_label_values(&[namespace, backend, "reused"]),
            connect_failures: self.upstream_failures.with_label_values(&[namespace, backend]),
            healthy: self.upstream_healthy.clone(),
            namespace: namespace.into(),
            backend: backend.into(),
        }
    }

    /// The handles of one plugin.
    #[must_use]
    pub fn plugin(&self, namespace: &str, plugin: &str) -> PluginGauges {
        PluginGauges {
            calls: self.plugin_calls.clone(),
            cpu: self.plugin_cpu.with_label_values(&[namespace, plugin]),
            in_flight: self.plugin_in_flight.with_label_values(&[namespace, plugin]),
            memory: self.plugin_memory.with_label_values(&[namespace, plugin]),
            namespace: namespace.into(),
            plugin: plugin.into(),
        }
    }

    /// Counts a rejection for which no route is responsible, or one of a route's namespace.
    pub fn rejected(&self, namespace: &str, reason: Reason) {
        self.rejections.with_label_values(&[namespace, reason.code()]).inc();
    }

    /// Counts a reload; `revision` is what runs now.
    pub fn reloaded(&self, outcome: ReloadOutcome, revision: u64) {
        self.reloads.with_label_values(&[outcome.label()]).inc();
        let revision = i64::try_from(revision).unwrap_or(i64::MAX);
        // What was applied, and only that, has a revision of its own.
        if self.revision.get() != revision {
            self.revision.set(revision);
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
            self.reload_time.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        }
    }

    /// Says whether a namespace's file is in force; `None` when the file is gone.
    pub fn namespace_valid(&self, namespace: &str, valid: Option<bool>) {
        match valid {
            Some(valid) => self.namespace_valid.with_label_values(&[namespace]).set(i64::from(valid)),
            None => {
                let _ = self.namespace_valid.remove_label_values(&[namespace]);
            }
        }
    }

    /// Open client connections.
    #[must_use]
    pub fn client_connections(&self) -> &IntGauge {
        &self.connections
    }

    /// Client connections closed at once because of the connection limit.
    #[must_use]
    pub fn client_connections_refused(&self) -> &IntCounter {
        &self.connections_refused
    }

    /// Takes over the access log's count of lost lines.
    pub fn set_access_log_dropped(&self, dropped: u64) {
        self.access_log_dropped.inc_by(dropped.saturating_sub(self.access_log_dropped.get()));
    }
}

/// The handles of one route.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    requests: [IntCounter; 6],
    duration: Histogram,
    first_byte: Histogram,
    in_flight: IntGauge,
    bytes_in: IntCounter,
    bytes_out: IntCounter,
}

impl RouteMetrics {
    /// Counts a request that ended.
    pub fn record(&self, record: &CallRecord<'_>) {
        self.requests[status_class(record.status)].inc();
        self.duration.observe(record.duration.as_secs_f64());
        if let Some(first_byte) = record.first_byte {
            self.first_byte.observe(first_byte.as_secs_f64());
        }
        self.bytes_in.inc_by(record.bytes_in);
        self.bytes_out.inc_by(record.bytes_out);
    }

    /// Counts a request as running until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> CallInFlight {
        self.in_flight.inc();
        CallInFlight(self.in_flight.clone())
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

fn status_class(status: u16) -> usize {
    match status / 100 {
        class @ 1..=5 => usize::from(class),
        _ => 0,
    }
}

/// The handles of one network backend.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    new_connections: IntCounter,
    reused_connections: IntCounter,
    connect_failures: IntCounter,
    healthy: IntGaugeVec,
    namespace: Arc<str>,
    backend: Arc<str>,
}

impl UpstreamMetrics {
    /// Counts a connection taken for a request.
    pub fn connected(&self, reused: bool) {
        if reused { self.reused_connections.inc() } else { self.new_connections.inc() }
    }

    /// Counts a connection that could not be made.
    pub fn connect_failed(&self) {
        self.connect_failures.inc();
    }

    /// Says whether an endpoint is healthy.
    pub fn set_healthy(&self, endpoint: &str, healthy: bool) {
        self.healthy.with_label_values(&[&*self.namespace, &*self.backend, endpoint]).set(i64::from(healthy));
    }

    /// Removes the series of an endpoint that is gone.
    pub fn forget_endpoint(&self, endpoint: &str) {
        let _ = self.healthy.remove_label_values(&[&*self.namespace, &*self.backend, endpoint]);
    }
}

/// The handles of one plugin, brought up to date when metrics are read.
#[derive(Clone, Debug)]
pub struct PluginGauges {
    calls: IntCounterVec,
    cpu: Counter,
    in_flight: IntGauge,
    memory: IntGauge,
    namespace: Arc<str>,
    plugin: Arc<str>,
}

impl PluginGauges {
    /// Adds calls that ended with `outcome`.
    pub fn add_calls(&self, outcome: &str, calls: u64) {
        self.calls.with_label_values(&[&*self.namespace, &*self.plugin, outcome]).inc_by(calls);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_valid_name_and_the_gateways_prefix() {
        let metrics = Metrics::new();
        let text = String::from_utf8(metrics.expose()).expect("UTF-8");
        assert!(text.contains("framex_gateway_build_info{version="));
        assert!(text.contains("framex_gateway_rejections_total{code=\"route_not_found\",namespace=\"\"} 0"));
        assert!(text.contains("process_cpu_seconds_total"));
    }

    #[test]
    fn a_forgotten_route_leaves_no_series_behind() {
        let metrics = Metrics::new();
        let route = metrics.route("demo", "/gone", BackendKind::Http);
        drop(route.enter());
        assert!(String::from_utf8_lossy(&metrics.expose()).contains("/gone"));
        metrics.forget_route("demo", "/gone", BackendKind::Http);
        assert!(!String::from_utf8_lossy(&metrics.expose()).contains("/gone"));
    }
}
