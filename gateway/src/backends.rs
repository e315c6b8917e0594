//! What answers: clusters of network endpoints, and plugins in the process.
//!
//! [`Cluster`] picks endpoints (pingora-load-balancing) and knows their health; [`LocalPlugin`] runs a component.
//! Whoever proxies takes a ready Pingora peer from the picked endpoint; nothing is resolved or built per request.

mod calling_plugin;
mod cluster;
mod cluster_client;
mod health_check;
mod local_plugin;
mod name_lookup;
mod outbound_client;
mod peer;
mod plugin_versions;
mod public_address;
mod worker_passes;
mod worker_plugin;
mod worker_runtime;

pub use calling_plugin::{CallingPlugin, Requirements};
pub use cluster::{Cluster, PickedEndpoint};
pub use cluster_client::{ClusterClient, ClusterError};
pub use local_plugin::{LocalPlugin, PluginCode};
pub use name_lookup::NameLookup;
pub use outbound_client::{OutboundClient, OutboundError};
pub use peer::{CaFileError, EndpointPeer, PeerBuilder};
pub use plugin_versions::{KnownVersion, PluginStage, PluginVersion, PluginVersions};
pub use worker_passes::{WorkerPass, WorkerPasses};
pub use worker_plugin::WorkerPlugin;
pub use worker_runtime::{DoorListeners, StartWorkerError, WorkerRuntime};
