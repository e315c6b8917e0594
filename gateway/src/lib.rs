//! FrameX Gateway: one namespaced, access-controlled, metered and observable API over plugins in the process, FrameX
//! instances and HTTP services. `docs/architecture.md` is the map of this crate.

pub mod access;
pub mod admin;
pub mod app;
pub mod backends;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod identity;
pub mod learning;
pub mod lifecycle;
pub mod limits;
pub mod proxy;
pub mod rejection;
pub mod reload;
pub mod request;
pub mod rewrite;
pub mod router;
pub mod shadow;
pub mod sharing;
pub mod snapshot;
pub mod telemetry;
pub mod worker_door;
