//! Which route answers a request.
//!
//! A [`RouteTable`] is built once per configuration from the [`RouteMatch`] of every route and is then only read.
//! [`RouteTable::find`] allocates nothing on the way to a route. The module knows nothing of targets, namespaces or
//! access: it answers with the index of a route.
//!
//! # What matches
//!
//! - **Host**: `api.example.com` exactly; `*.example.com` is one or more labels to the left (`a.example.com`,
//!   `a.b.example.com`, not `example.com`). A route without hosts answers for any host, also for none.
//! - **Path**, segment by segment: `/a/b` exactly; `{name}` is one segment that is not empty, with a fixed prefix or
//!   suffix if written so (`v{version}`, `{name}.json`); a last `**` or `{name...}` is the rest, which may be empty:
//!   `/a/**` matches `/a`, `/a/` and `/a/b/c`, not `/ab`. Otherwise a trailing slash counts: `/a` is not `/a/`.
//!   Letter case counts. Paths are compared in the normal form of [`crate::request::RequestView`].
//! - **Methods**: those named; all when none is. A route that names GET answers HEAD too (RFC 9110 §9.3.2). OPTIONS is
//!   a method like any other: nothing is answered automatically.
//! - **Headers**: a value exactly (of a field that occurs exactly once), present, or absent.
//! - **Query**: the same for the first parameter of a name; `%XX` and `+` are decoded before comparing.
//!
//! # Which route wins
//!
//! Never the order in the files. Of all routes that match the whole request:
//!
//! 1. an exact host, before a wildcard with more labels, before one with fewer, before any host;
//! 2. then the paths are compared segment by segment from the left, and the first difference decides: a literal, before
//!    a `{name}` with prefix or suffix (the longer fixed text, then the longer prefix, first), before a bare `{name}`,
//!    before a rest. A path that ends comes before a rest that is empty there;
//! 3. then more header and query conditions before fewer;
//! 4. then a route that names the method, before one that names GET and is asked HEAD, before one for all methods.
//!
//! A route that fails on its method or a condition is passed over and the next one is tried, so a less specific route
//! that takes the method wins over a 405. Only when no route matches in full, and some route matches in everything but
//! the method, the answer is [`Lookup::MethodNotAllowed`] with the methods of all such routes.
//!
//! # Conflicts
//!
//! Two routes that these rules cannot order and that one request could match both are a [`Conflict`]: same host
//! pattern, same path but for the names of parameters, as many conditions, a method in common, and no condition that
//! keeps them apart (different exact values of one name, or present against absent).

mod condition;
mod conflict;
mod explain;
mod host_pattern;
mod host_table;
mod method_set;
mod params;
mod path_pattern;
mod path_tree;
mod pattern_error;
mod precedence;
mod query;
mod route_match;
mod route_table;
mod segment_hash;
mod template;
#[cfg(test)]
mod tests;

pub use condition::{HeaderCondition, QueryCondition, ValueTest};
pub use conflict::Conflict;
pub use explain::{Explanation, Outcome};
pub use host_pattern::HostPattern;
pub use method_set::{MethodError, MethodSet};
pub use params::Params;
pub use path_pattern::PathPattern;
pub use pattern_error::PatternError;
pub use query::query_value;
pub use route_match::RouteMatch;
pub use route_table::{Found, Lookup, RouteTable};
pub use template::router_pattern;
