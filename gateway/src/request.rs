//! The read-only view of a request that routing and access decide on.
//!
//! A view borrows from the request head; building one allocates nothing. It is the only thing the pure
//! modules (`router`, `access`, `limits`) see of a request, so they are tested without a socket.

use http::{HeaderMap, Method};

/// A request head in the gateway's normal form (see [`normal_path`]).
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The request method.
    pub method: &'a Method,
    /// Host without port, lower case. Empty when the client sent none (HTTP/1.0).
    pub host: &'a str,
    /// Absolute path in normal form, without the query. Starts with `/`.
    pub path: &'a str,
    /// The query without its `?`, as the client sent it.
    pub query: Option<&'a str>,
    /// The header fields.
    pub headers: &'a HeaderMap,
}

mod client_address;
mod cookie;
mod dialect;
pub mod field;
mod normal_form;
mod priority;

pub use client_address::{ClientAddress, client_address};
pub use cookie::{cookie_value, session_cookie};
pub use dialect::Dialect;
pub use normal_form::{HostError, TargetError, normal_host, normal_path};
pub use priority::Priority;
