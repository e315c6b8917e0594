//! What answers: clusters of network endpoints, and plugins in the process.
//!
//! [`Cluster`] picks endpoints (pingora-load-balancing) and knows their health; [`LocalPlugin`] runs a component.
//! Whoever proxies takes a ready Pingora peer from the picked endpoint; nothing is resolved or built per request.

mod calling_plugin;
mod circuit_breaker;
mod cluster;
mod cluster_client;
mod discovery;
mod endpoint_state;
mod health_check;
mod local_plugin;
mod members;
mod names;
mod outbound_client;
mod outliers;
mod peer;
mod plugin_versions;
mod public_address;
mod retry_budget;
mod worker_passes;
mod worker_plugin;
mod worker_runtime;

pub use calling_plugin::{CallingPlugin, Requirements};
pub use circuit_breaker::{Circuit, CircuitBreaker, Pass, Turn};
pub use cluster::{Cluster, EndpointStatus, NotTaken, Parts, Taken};
pub use cluster_client::{ClusterClient, ClusterError};
pub use discovery::{FirstLookup, Found};
pub use endpoint_state::{EndpointState, Outcome, Outstanding};
pub use local_plugin::{LocalPlugin, PluginCode};
pub use members::Wish;
pub use names::Names;
pub use outbound_client::{OutboundClient, OutboundError};
pub use peer::{CaFileError, EndpointPeer, PeerBuilder, PickedEndpoint};
pub use plugin_versions::{KnownVersion, PluginStage, PluginVersion, PluginVersions};
pub use worker_passes::{WorkerPass, WorkerPasses};
pub use worker_plugin::WorkerPlugin;
pub use worker_runtime::{DoorListeners, StartWorkerError, WorkerRuntime};
