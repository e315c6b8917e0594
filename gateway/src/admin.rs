//! The second listener: metrics, health, and the admin API.
//!
//! It has no access control of its own and belongs on a loopback or management network.
//!
//! | request | answer |
//! |---|---|
//! | `GET /metrics` | Prometheus text format 0.0.4 |
//! | `GET /livez` | 200 while the process runs |
//! | `GET /readyz` | 200 once a configuration is applied, the listeners are up and every backend with `openapi` was asked (for 10 s at most), else 503 with the reason |
//! | `GET /admin/v1/status` | revision, last reload, problems, namespaces with the health of their backends and plugins |
//! | `GET /admin/v1/routes` | every route in the order of precedence |
//! | `GET /admin/v1/differences` | how copies of requests (`shadow`) were answered otherwise than the requests: counts and the last ones; `?namespace=` and `?route=` choose |
//! | `POST /admin/v1/reload` | reloads and waits, also for new workers: 200 applied or unchanged, 422 rejected, with every problem |

mod differences;
mod learning;
mod status;

use crate::backends::EndpointStatus;
use crate::backends::PluginVersions;
use crate::learning::Documents;
use crate::lifecycle::Lifecycle;
use crate::limits::{SharedCounters, Shedder};
use crate::reload::{Answer, Reloader, Trigger};
use crate::shadow::KeptDifferences;
use crate::snapshot::Snapshot;
use crate::telemetry::{AccessLog, Metrics};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::{Method, Response, StatusCode, header};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;
use serde::Serialize;
use std::sync::Arc;

/// Answers the admin listener's requests.
#[derive(Debug)]
pub struct Admin {
    /// The configuration in force.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The way to a reload.
    pub reloader: Reloader,
    /// What is exposed.
    pub metrics: Metrics,
    /// Counts its lost lines.
    pub access_log: Arc<AccessLog>,
    /// What the process is doing.
    pub lifecycle: Lifecycle,
    /// Every version of every plugin.
    pub versions: PluginVersions,
    /// What the backends say that they have.
    pub documents: Documents,
    /// How copies of requests were answered otherwise than the requests.
    pub differences: KeptDifferences,
    /// What is counted together with other gateways.
    pub shared_counters: Option<Arc<SharedCounters>>,
    /// Who is refused for the sake of others.
    pub shedder: Arc<Shedder>,
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        let (method, path) = (request.method.clone(), request.uri.path().to_owned());
        let is_read = matches!(method, Method::GET | Method::HEAD);
        let mut answer = match path.as_str() {
            "/metrics" if is_read => self.metrics(),
            "/livez" if is_read => text(StatusCode::OK, "ok\n"),
            "/readyz" if is_read => match self.lifecycle.readiness() {
                Ok(()) => {
                    let snapshot = self.snapshot.load();
                    let (workers, learning) =
                        (status::failing_workers(&snapshot), learning::failing(&snapshot, &self.documents));
                    text(StatusCode::OK, &format!("ready\n{workers}{learning}"))
                }
                Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {reason}\n")),
            },
            "/admin/v1/status" if is_read => json(
                StatusCode::OK,
                &status::status(
                    &self.snapshot.load(),
                    &self.reloader.status(),
                    &self.lifecycle,
                    &self.versions,
                    &self.documents,
                ),
            ),
            "/admin/v1/routes" if is_read => json(StatusCode::OK, &status::routes(&self.snapshot.load())),
            "/admin/v1/differences" if is_read => json(
                StatusCode::OK,
                &differences::report(&self.snapshot.load(), &self.differences, request.uri.query()),
            ),
            "/admin/v1/reload" if method == Method::POST => self.reload().await,
            "/metrics" | "/livez" | "/readyz" | "/admin/v1/status" | "/admin/v1/routes" | "/admin/v1/differences" => {
                not_allowed("GET, HEAD")
            }
            "/admin/v1/reload" => not_allowed("POST"),
            _ => text(
                StatusCode::NOT_FOUND,
                "not found; see /metrics, /livez, /readyz, /admin/v1/status, /admin/v1/routes, /admin/v1/differences\n",
            ),
        };
        if method == Method::HEAD {
            answer.body_mut().clear();
        }
        answer
    }
}

impl Admin {
    fn metrics(&self) -> Response<Vec<u8>> {
        let snapshot = self.snapshot.load();
        for plugin in snapshot.namespaces.values().flat_map(|part| part.plugins.values()) {
            plugin.tell_metrics();
        }
        let clusters = snapshot.namespaces.iter().flat_map(|(namespace, part)| {
            part.clusters.iter().map(move |(backend, cluster)| (namespace.as_str(), backend.as_str(), cluster))
        });
        self.metrics.set_endpoint_health(clusters.flat_map(|(namespace, backend, cluster)| {
            let endpoints =
                cluster.endpoints().into_iter().filter(|(_, status, _)| *status != EndpointStatus::Draining);
            endpoints
                .map(move |(endpoint, status, _)| (namespace, backend, endpoint, status == EndpointStatus::Healthy))
        }));
        self.metrics.set_plugin_versions(
            self.versions
                .list()
                .iter()
                .map(|version| (version.namespace.as_str(), version.plugin.as_str(), version.stage.label())),
        );
        self.metrics.set_learning(learning::counts(&snapshot, &self.documents).into_iter());
        self.metrics.set_access_log_dropped(self.access_log.dropped());
        let of_namespaces = snapshot.namespaces.iter().map(|(name, part)| (name.as_str(), "", part.traffic()));
        let of_routes =
            snapshot.routes_in_order().map(|(_, route)| (&*route.namespace, &*route.name, &route.traffic[0]));
        let at_once = of_namespaces.chain(of_routes);
        self.metrics.set_at_once(
            at_once.filter_map(|(namespace, route, traffic)| Some((namespace, route, traffic.at_once()?))),
        );
        let signals = self.shedder.seen().map(|(signal, percent)| (signal.label(), percent));
        self.metrics.set_shedding(self.shedder.level(), signals);
        if let Some(shared) = self.shared_counters.as_ref().map(|shared| shared.status()) {
            self.metrics.set_shared_limits(shared.is_connected, shared.in_redis, shared.alone, shared.failures);
        }
        respond(StatusCode::OK, self.metrics.content_type(), self.metrics.expose())
    }

    async fn reload(&self) -> Response<Vec<u8>> {
        match self.reloader.reload_to_the_end(Trigger::Admin).await {
            Some(answer @ Answer::Rejected { .. }) => json(StatusCode::UNPROCESSABLE_ENTITY, &answer),
            Some(answer) => json(StatusCode::OK, &answer),
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping\n"),
        }
    }
}

fn text(status: StatusCode, body: &str) -> Response<Vec<u8>> {
    respond(status, "text/plain; charset=utf-8", body.as_bytes().to_vec())
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Vec<u8>> {
    match serde_json::to_vec_pretty(value) {
        Ok(mut body) => {
            body.push(b'\n');
            respond(status, "application/json", body)
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
    }
}

fn not_allowed(allow: &'static str) -> Response<Vec<u8>> {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    answer.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static(allow));
    answer
}

fn respond(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let length = body.len();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, http::HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    answer
}
