//! The value that decides which endpoint of a backend answers.

use crate::backends::Cluster;
use crate::config::{Affinity, Balance};
use crate::identity::Identity;
use crate::request::cookie_value;
use crate::snapshot::Route;
use http::HeaderMap;

/// The value of this request, where its backend goes by one and it has one. Allocates nothing.
pub(crate) fn affinity_value<'a>(
    cluster: &'a Cluster,
    route: &Route,
    headers: &'a HeaderMap,
    identity: &'a Identity,
    path: &'a str,
) -> Option<&'a [u8]> {
    let value = match &cluster.config.balance {
        Balance::RoundRobin | Balance::LeastOutstanding => None,
        Balance::Sticky(name) | Balance::Hash(Affinity::Cookie(name)) => cookie_value(headers, name),
        Balance::Hash(Affinity::Header(name)) => headers.get(name).map(|value| value.as_bytes()),
        Balance::Hash(Affinity::Subject) => identity.subject().map(str::as_bytes),
        Balance::Hash(Affinity::Path(name)) => {
            let pattern = route.pattern.as_ref()?;
            let index = pattern.param_names().position(|parameter| parameter == name)?;
            let value = pattern.capture(path)?.get(index, path)?;
            // The text is the path's own, so that it may outlive what was captured.
            let start = value.as_ptr() as usize - path.as_ptr() as usize;
            path.get(start..start + value.len()).map(str::as_bytes)
        }
    };
    value.filter(|value| !value.is_empty())
}
