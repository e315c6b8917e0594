//! How the gateway behaves, seen from outside: the real program, real sockets, real backends.

mod cli;
mod components;
mod configurations;
mod demonstration;
mod fallback;
mod fastapi;
mod forwarding;
mod framex;
mod grants;
mod http_backend;
mod observability;
mod outbound;
mod packages;
mod plugin_calls;
mod readme;
mod rejections;
mod reload;
mod shutdown;
mod slow_clients;
mod smuggling;
mod streaming;
mod upstream_failures;
mod worker_calls;
mod workers;
