//! Every metric of the gateway, declared once.
//!
//! All names begin with `framex_gateway_`. Times are seconds, sizes bytes. Handles are resolved when a configuration
//! is compiled or a series is first needed, so that a request touches only atomics; series of what left the configuration
//! are removed.

mod limit_metrics;
mod plugin_metrics;
mod route_metrics;
mod shadow_metrics;
mod share_metrics;
mod upstream_metrics;

pub use limit_metrics::LimitMetrics;
pub use plugin_metrics::PluginMetrics;
pub use route_metrics::{CallInFlight, RouteMetrics};
pub use shadow_metrics::{ShadowMetrics, ShadowOutcome};
pub use share_metrics::ShareMetrics;
pub use upstream_metrics::{UpstreamInUse, UpstreamMetrics};

use crate::rejection::Reason;
use crate::request::Priority;
use prometheus::core::Collector;
use prometheus::{
    CounterVec, Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// From half a millisecond (a plugin) to five minutes (a long stream).
const DURATION_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

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
    requests: IntCounterVec("requests_total", ["namespace", "route", "backend_kind", "status"], "Requests that ended, by the class of the status sent to the client; namespace and route are empty where no route was found");
    duration: HistogramVec("request_duration_seconds", ["namespace", "route", "backend_kind", "status"], "Time from the head of a request to the end of its answer");
    first_byte: HistogramVec("first_byte_seconds", ["namespace", "route", "backend_kind"], "Time from the head of a request to the head of its answer, of answers that are streams");
    in_flight: IntGaugeVec("requests_in_flight", ["namespace", "route", "backend_kind"], "Requests that are being answered");
    bytes_in: IntCounterVec("request_body_bytes_total", ["namespace", "route", "backend_kind", "status"], "Bytes of request bodies received");
    bytes_out: IntCounterVec("response_body_bytes_total", ["namespace", "route", "backend_kind", "status"], "Bytes of answers' bodies sent");
    rejections: IntCounterVec("rejections_total", ["namespace", "code"], "Requests that the gateway itself answered or cut, by code; the namespace is empty where no route was found");
    fallbacks: IntCounterVec("fallbacks_total", ["namespace", "route", "to"], "Requests that a step of a route's chain of fallbacks was asked to answer because those before it could not; answer is the one that is written in the route");
    limit_refusals: IntCounterVec("limit_refusals_total", ["namespace", "route", "limit"], "Requests that a limit refused, by what it counts; the route is empty where the limit is one of the namespace");
    at_once_most: IntGaugeVec("concurrency_limit", ["namespace", "route"], "Requests that may run at once; the route is empty where the limit is one of the namespace");
    at_once_running: IntGaugeVec("concurrency_running", ["namespace", "route"], "Requests that run under a limit of requests at once");
    at_once_waiting: IntGaugeVec("concurrency_waiting", ["namespace", "route"], "Requests that wait for room under a limit of requests at once");
    shed_requests: IntCounterVec("shed_requests_total", ["priority"], "Requests that were refused for the sake of others, by their priority");
    shedding_level: IntGauge("shedding_level", [], "0 while nothing is shed, 1 for low, 2 for normal priorities as well, 3 for all");
    shedding_signal: IntGaugeVec("shedding_signal_percent", ["signal"], "What shedding looks at (memory, in_flight, event_loop_delay), in percent of its bound");
    shared_limits_connected: IntGaugeVec("shared_limits_connected", [], "1 while Redis counts the shared limits, 0 while each gateway counts its share alone; nothing without a Redis in gateway.yaml");
    shared_limit_requests: IntCounterVec("shared_limit_requests_total", ["counted"], "Requests under shared limits by who counted them: redis, or this gateway alone");
    shared_limit_failures: IntCounter("shared_limit_failures_total", [], "Calls of Redis that failed or took too long");
    share_requests: IntCounterVec("share_requests_total", ["namespace", "route", "to", "status"], "Requests that ended, of routes whose requests several share, by who was to answer and the class of the status; fallback where it could not and the route's fallback answered");
    share_duration: HistogramVec("share_duration_seconds", ["namespace", "route", "to"], "Time from the head of a request to the end of its answer, of routes whose requests several share, by who was to answer");
    shadow_requests: IntCounterVec("shadow_requests_total", ["namespace", "route", "outcome"], "Requests chosen to be copied, by what became of the copy: same, different, missing (no answer), sent (not compared), uncompared (there was no whole answer to compare with, or one in an unknown coding), too_large (an answer), dropped (too many copies at once), body_too_large (the request's) or unsent (the request's body did not come whole)");
    shadow_differences: IntCounterVec("shadow_differences_total", ["namespace", "route", "kind"], "Differences between the answers of a route and of its copies: status, header, body or missing; an exchange may have several");
    shadow_duration: HistogramVec("shadow_duration_seconds", ["namespace", "route"], "Time from the sending of a copy to the end of its answer");
    cache_requests: IntCounterVec("cache_requests_total", ["namespace", "route", "status"], "Requests to routes with a cache that were answered: hit, miss, refresh, bypass or disabled");
    cache_bytes: IntGauge("cache_bytes", [], "Memory that kept answers use");
    cache_evictions: IntCounter("cache_evictions_total", [], "Kept answers that had to make room for others");
    connections: IntGauge("client_connections", [], "Open client connections");
    connections_refused: IntCounter("client_connections_refused_total", [], "Client connections closed at once because of the connection limit");
    upstream_connections: IntCounterVec("upstream_connections_total", ["namespace", "backend", "state"], "Connections to a backend taken for a request: new or reused");
    upstream_in_use: IntGaugeVec("upstream_connections_in_use", ["namespace", "backend"], "Connections to a backend that carry a request; over HTTP/2 several may share one");
    upstream_failures: IntCounterVec("upstream_connect_failures_total", ["namespace", "backend"], "Connections to a backend that could not be made");
    upstream_ejections: IntCounterVec("upstream_ejections_total", ["namespace", "backend"], "Endpoints that were left alone for a while because of how they answered");
    upstream_circuit_openings: IntCounterVec("upstream_circuit_openings_total", ["namespace", "backend"], "Times a backend was left alone because it failed");
    upstream_retries: IntCounterVec("upstream_retries_total", ["namespace", "backend", "outcome"], "Requests sent to a backend a second time (sent), or not because its budget was spent (over_budget)");
    upstream_healthy: IntGaugeVec("upstream_endpoint_healthy", ["namespace", "backend", "endpoint"], "1 while the endpoint is healthy, 0 while it is not");
    learnt_endpoints: IntGaugeVec("learnt_endpoints", ["namespace", "backend"], "Endpoints that a backend's OpenAPI document names and that are routed");
    learning_age: IntGaugeVec("learnt_document_seen_timestamp_seconds", ["namespace", "backend"], "When a backend's OpenAPI document was last seen, in Unix time; 0 if never");
    plugin_calls: IntCounterVec("plugin_calls_total", ["namespace", "plugin", "outcome"], "Calls of a plugin by outcome: ok or the reason of the failure");
    plugin_cpu: CounterVec("plugin_cpu_seconds_total", ["namespace", "plugin"], "CPU time that a plugin's instances used");
    plugin_in_flight: IntGaugeVec("plugin_calls_in_flight", ["namespace", "plugin"], "Calls of a plugin that are running");
    plugin_memory: IntGaugeVec("plugin_memory_peak_bytes", ["namespace", "plugin"], "Most memory that one instance of the plugin's current version has used");
    plugin_versions: IntGaugeVec("plugin_versions", ["namespace", "plugin", "stage"], "Versions of a plugin by stage: loading, verifying, compiling, trying, serving, draining or unloading");
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

    /// Says of every endpoint of every backend whether it is healthy; whatever was said before is forgotten.
    pub fn set_endpoint_health<'a>(&self, endpoints: impl Iterator<Item = (&'a str, &'a str, Arc<str>, bool)>) {
        self.upstream_healthy.reset();
        for (namespace, backend, endpoint, healthy) in endpoints {
            self.upstream_healthy.with_label_values(&[namespace, backend, &*endpoint]).set(i64::from(healthy));
        }
    }

    /// Says of every backend with a document how many endpoints are learnt and when the document was seen, in seconds since 1970;
    /// whatever was said before is forgotten.
    pub fn set_learning<'a>(&self, backends: impl Iterator<Item = (&'a str, &'a str, usize, u64)>) {
        self.learnt_endpoints.reset();
        self.learning_age.reset();
        for (namespace, backend, endpoints, seen) in backends {
            let endpoints = i64::try_from(endpoints).unwrap_or(i64::MAX);
            self.learnt_endpoints.with_label_values(&[namespace, backend]).set(endpoints);
            let seen = i64::try_from(seen).unwrap_or(i64::MAX);
            self.learning_age.with_label_values(&[namespace, backend]).set(seen);
        }
    }

    /// Says how many versions of each plugin are in which stage; whatever was said before is forgotten.
    pub fn set_plugin_versions<'a>(&self, versions: impl Iterator<Item = (&'a str, &'a str, &'static str)>) {
        self.plugin_versions.reset();
        for (namespace, plugin, stage) in versions {
            self.plugin_versions.with_label_values(&[namespace, plugin, stage]).inc();
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

    /// Memory that kept answers use.
    #[must_use]
    pub fn cache_bytes(&self) -> &IntGauge {
        &self.cache_bytes
    }

    /// Kept answers that had to make room.
    #[must_use]
    pub fn cache_evictions(&self) -> &IntCounter {
        &self.cache_evictions
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

    /// Counts a request that was refused for the sake of others.
    pub fn shed(&self, priority: Priority) {
        self.shed_requests.with_label_values(&[priority.label()]).inc();
    }

    /// Says who is shed, and what the signals are in percent of their bounds.
    pub fn set_shedding<'a>(&self, level: u8, signals: impl Iterator<Item = (&'a str, u64)>) {
        self.shedding_level.set(level.into());
        for (signal, percent) in signals {
            self.shedding_signal.with_label_values(&[signal]).set(i64::try_from(percent).unwrap_or(i64::MAX));
        }
    }

    /// Says of every limit of requests at once how many may run, run and wait; whatever was said before is forgotten.
    pub fn set_at_once<'a>(&self, limits: impl Iterator<Item = (&'a str, &'a str, [u32; 3])>) {
        let gauges = [&self.at_once_most, &self.at_once_running, &self.at_once_waiting];
        gauges.iter().for_each(|gauge| gauge.reset());
        for (namespace, route, numbers) in limits {
            for (gauge, number) in gauges.iter().zip(numbers) {
                gauge.with_label_values(&[namespace, route]).set(number.into());
            }
        }
    }

    /// Says whether Redis counts the shared limits, and takes over the counts of requests and failures.
    pub fn set_shared_limits(&self, is_connected: bool, in_redis: u64, alone: u64, failures: u64) {
        self.shared_limits_connected.with_label_values::<&str>(&[]).set(i64::from(is_connected));
        for (counted, total) in [("redis", in_redis), ("alone", alone)] {
            let counter = self.shared_limit_requests.with_label_values(&[counted]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        self.shared_limit_failures.inc_by(failures.saturating_sub(self.shared_limit_failures.get()));
    }

    /// Takes over the access log's count of lost lines.
    pub fn set_access_log_dropped(&self, dropped: u64) {
        self.access_log_dropped.inc_by(dropped.saturating_sub(self.access_log_dropped.get()));
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
}
