//! The composition root: the only place where things are wired together. Its text is the start-up order.

mod certificates;
mod control;
mod file_limit;
mod listen;
mod logging;
mod prebound;

use crate::admin::Admin;
use crate::backends::{Names, OutboundClient, WorkerRuntime};
use crate::config::{self, AccessLog as AccessLogConfig, Gateway, Problem};
use crate::dispatch::{InternalCalls, ShadowCalls};
use crate::lifecycle::Lifecycle;
use crate::limits::{SharedCounters, Shedder};
use crate::proxy::{AnswerStore, Edge, EdgeLimits, GatewayProxy, Shared};
use crate::reload::{StartError, Worker};
use crate::snapshot::{Compiled, Compiler, Trials};
use crate::telemetry::{AccessLog, BackendKind, Metrics};
use crate::worker_door::WorkerDoor;
use control::{Control, StopSignal};
use framex_plugin_host::component::{ComponentHost, HostSettings};
use framex_plugin_host::{DenyOutgoing, Outgoing};
use listen::{Bound, BoundListeners};
use pingora_core::apps::HttpServerOptions;
use pingora_core::protocols::http::v2::server::default_h2_options;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server};
use pingora_core::services::background::background_service;
use pingora_core::services::listening::Service;
use prebound::Prebound;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Idle connections to backends that are kept, over all of them; a small pool costs half as much again per request.
const UPSTREAM_POOL: usize = 4096;
/// A connection that a client resets this often without waiting for answers is closed (HTTP/2 rapid reset).
const H2_RESETS: usize = 20;

/// How the gateway is started.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// `gateway.yaml`.
    pub config: PathBuf,
    /// Where the bound addresses are written as JSON, for whoever lets the system choose ports.
    pub ports_file: Option<PathBuf>,
}

/// Starts a component host as the configuration wants it.
///
/// # Errors
/// When the WebAssembly engine or its threads cannot be started.
pub fn component_host(gateway: &Gateway, outgoing: Arc<dyn Outgoing>) -> anyhow::Result<ComponentHost> {
    let defaults = HostSettings::default();
    let settings = HostSettings {
        guest_threads: gateway.components.threads.unwrap_or(defaults.guest_threads),
        heavy_threads: gateway.components.heavy_threads.unwrap_or(defaults.heavy_threads),
        max_instances: gateway.components.instances,
        max_memory_per_instance: gateway.components.largest_memory,
        wasi_03: gateway.components.wasi_03,
        cache_directory: gateway.components.cache_directory.clone(),
        outgoing,
    };
    Ok(ComponentHost::start(settings)?)
}

/// Compiles a configuration that nothing is going to serve: for its problems, or for a question about it.
///
/// # Errors
/// When the WebAssembly engine or its threads cannot be started.
pub fn compile(file: &Path) -> anyhow::Result<Compiled> {
    let sources = config::load(file);
    let gateway = sources.gateway.content.as_ref().filter(|_| sources.gateway.is_sound());
    let host = match gateway {
        Some(gateway) => component_host(gateway, Arc::new(DenyOutgoing))?,
        // Whatever limits gateway.yaml means to set, the plugins can be tried.
        None => ComponentHost::start(HostSettings { max_memory_per_instance: 4 << 30, ..HostSettings::default() })?,
    };
    let names = Names::new(gateway.map_or(&[], |gateway| &gateway.dns));
    Ok(Compiler::new(host, Metrics::new()).with_names(names).compile(sources, None, Trials::default()))
}

/// Runs the gateway until it is told to stop; then the process ends.
///
/// # Errors
/// When the platform team's configuration cannot be used or a listener cannot be bound.
pub fn run(options: &RunOptions) -> anyhow::Result<()> {
    let gateway = read_gateway(&options.config)?;
    logging::start(gateway.level);
    // The same cryptography that Pingora would choose; certificates are loaded before it does.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let metrics = Metrics::new();
    let lifecycle = Lifecycle::default();

    file_limit::raise(gateway.connections.connections);
    let mut bound = BoundListeners::bind(&gateway)?;
    // Why a log cannot be opened is said by the compiler, with its place in the file.
    let access_log = open_access_log(&gateway).map(Arc::new);
    let of_calls = access_log.as_ref().map_or_else(|_failed| Arc::new(AccessLog::off()), Arc::clone);
    let calls = Arc::new(InternalCalls::new(metrics.clone(), of_calls, OutboundClient::new()?));
    let workers = Arc::new(WorkerRuntime::start()?);
    let shared_counters = gateway.redis.as_ref().map(SharedCounters::start).transpose()?.map(Arc::new);
    let compiler = Compiler::new(component_host(&gateway, calls.clone())?, metrics.clone())
        .with_workers(workers.clone())
        .with_shared_counters(shared_counters.clone())
        .with_names(Names::new(&gateway.dns));
    let tasks = TaskTracker::new();
    let (worker, reloader) = Worker::start(&options.config, compiler, metrics.clone(), tasks.clone())?;
    bound.load_certificates(&gateway)?;
    let access_log = access_log?;
    lifecycle.set_configured();
    let snapshot = worker.snapshot();
    if let Some(listeners) = workers.take_door() {
        let door = WorkerDoor { passes: workers.passes().clone(), calls: calls.clone(), snapshot: snapshot.clone() };
        workers.handle().spawn(async move {
            if let Err(error) = door.serve(listeners).await {
                tracing::error!(%error, "workers cannot call the gateway");
            }
        });
    }

    let shadows = Arc::new(ShadowCalls::default());
    let shared = Shared {
        snapshot: snapshot.clone(),
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        lifecycle: lifecycle.clone(),
        calls,
        client: Arc::default(),
        shadows: shadows.clone(),
        answers: AnswerStore::start(gateway.cache, &metrics),
        shedder: Arc::new(Shedder::new(&gateway.shedding)),
        unrouted: metrics.route("", "", BackendKind::None),
    };
    let mut server = Server::new_with_opt_and_conf(None, server_conf(&gateway));
    server.bootstrap();
    bound.announce(options.ports_file.as_deref())?;
    let (listeners, admin) = (bound.listeners, bound.admin);
    // One room for the connections of all listeners.
    let room = Arc::new(Semaphore::new(gateway.connections.connections));
    let certificates = listeners.iter().filter_map(|bound| bound.certificate.clone()).collect();
    let (with_h2c, without): (Vec<Bound>, Vec<Bound>) = listeners.into_iter().partition(|bound| bound.h2c);
    for (h2c, group) in [(true, with_h2c), (false, without)] {
        if !group.is_empty() {
            let edge = edge(&gateway, &shared, &server, h2c, room.clone());
            let service = Service::new("gateway".to_owned(), edge);
            server.add_service(Prebound::new(service, group).with_beat(shared.shedder.clone()));
        }
    }
    let answers = Admin {
        snapshot: snapshot.clone(),
        reloader: reloader.clone(),
        metrics,
        access_log: access_log.clone(),
        lifecycle: lifecycle.clone(),
        versions: worker.versions(),
        documents: worker.documents(),
        differences: shadows.kept().clone(),
        shared_counters,
        shedder: shared.shedder.clone(),
    };
    let mut service = Service::new("admin".to_owned(), answers);
    service.threads = Some(1);
    server.add_service(Prebound::new(service, vec![admin]));

    let worker_documents = worker.documents();
    let control = Control {
        worker: std::sync::Mutex::new(Some(worker)),
        reloader,
        snapshot: snapshot.clone(),
        config: options.config.clone(),
        access_log,
        lifecycle: lifecycle.clone(),
        documents: worker_documents,
        tasks,
        certificates,
        worker_runtime: workers,
        shedder: shared.shedder.clone(),
    };
    server.add_service(background_service("control", control));
    let shutdown_signal = Box::new(StopSignal { lifecycle, snapshot });
    server.run(RunArgs { shutdown_signal });
    Ok(())
}

/// The platform team's part alone: it says with what the process itself is started.
fn read_gateway(file: &Path) -> anyhow::Result<Gateway> {
    let gateway = config::load(file).gateway;
    match gateway.content {
        Some(content) if gateway.problems.is_empty() => Ok(content),
        // All that is wrong, not only what is known so far.
        _ => Err(StartError(compile(file)?.problems.iter().map(Problem::to_string).collect()).into()),
    }
}

fn open_access_log(gateway: &Gateway) -> anyhow::Result<AccessLog> {
    match &gateway.access_log {
        AccessLogConfig::Off => Ok(AccessLog::off()),
        AccessLogConfig::Stdout => Ok(AccessLog::stdout()?),
        AccessLogConfig::File(path) => AccessLog::file(path.clone())
            .map_err(|error| anyhow::anyhow!("cannot open the access log {}: {error}", path.display())),
    }
}

fn server_conf(gateway: &Gateway) -> ServerConf {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    ServerConf {
        threads: gateway.threads.unwrap_or(cores),
        work_stealing: true,
        upstream_keepalive_pool_size: UPSTREAM_POOL,
        // `Control` ends the process when the last request is done; Pingora's own wait is only the upper bound.
        grace_period_seconds: Some(gateway.shutdown_grace.as_secs() + 5),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    }
}

fn edge(
    gateway: &Gateway,
    shared: &Shared,
    server: &Server,
    h2c: bool,
    room: Arc<Semaphore>,
) -> Edge<pingora_proxy::HttpProxy<GatewayProxy>> {
    let connections = &gateway.connections;
    let mut proxy = pingora_proxy::http_proxy(&server.configuration, GatewayProxy::new(shared.clone()));
    let mut options = HttpServerOptions::default();
    options.h2c = h2c;
    options.h2_idle_timeout = Some(connections.idle_timeout);
    proxy.server_options = Some(options);
    // Pingora's defaults carry its memory bounds; an empty set of options would lose them.
    let mut h2 = default_h2_options();
    h2.max_concurrent_streams(connections.h2_streams);
    h2.max_header_list_size(u32::try_from(connections.head_size).unwrap_or(u32::MAX));
    h2.max_pending_accept_reset_streams(H2_RESETS);
    h2.max_local_error_reset_streams(Some(1024));
    proxy.h2_options = Some(h2);
    let limits = EdgeLimits {
        head_timeout: connections.head_timeout,
        idle_timeout: connections.idle_timeout,
        // A head above the limit still gets its 431; one far above is cut.
        head_bytes: connections.head_size.saturating_mul(4),
        connections: connections.connections,
    };
    let metrics = &shared.metrics;
    Edge::new(proxy, limits, room, metrics.client_connections().clone(), metrics.client_connections_refused().clone())
}
