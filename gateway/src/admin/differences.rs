//! What the admin API says about copies of requests.

use crate::router::query_value;
use crate::shadow::{Difference, KeptDifferences};
use crate::snapshot::{Route, Snapshot};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The answer of `/admin/v1/differences`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Routes with copies.
    routes: Vec<Counts>,
    /// The last differences, the newest of each route first.
    differences: Vec<Difference>,
}

/// What became of the copies of one route's requests since the gateway was started.
#[derive(Debug, Serialize)]
struct Counts {
    namespace: String,
    route: String,
    /// Who answers.
    to: String,
    /// Who gets the copies.
    shadow: String,
    outcomes: BTreeMap<&'static str, u64>,
    differences: BTreeMap<&'static str, u64>,
}

pub(super) fn report(snapshot: &Snapshot, kept: &KeptDifferences, query: Option<&str>) -> Report {
    let asked = |name: &str| query.and_then(|query| query_value(query, name));
    let (namespace, route) = (asked("namespace"), asked("route"));
    let with_copies: Vec<&Arc<Route>> =
        snapshot.routes_in_order().map(|(_, route)| route).filter(|route| shadow_of(route).is_some()).collect();
    kept.retain(|namespace, name| with_copies.iter().any(|route| *route.namespace == *namespace && route.name == name));
    let is_meant = |found: &&&Arc<Route>| {
        namespace.as_ref().is_none_or(|namespace| **namespace == *found.namespace)
            && route.as_ref().is_none_or(|route| *route == found.name)
    };
    let counts = |route: &&Arc<Route>| {
        let (shadow, metrics) = shadow_of(route)?;
        Some(Counts {
            namespace: route.namespace.to_string(),
            route: route.name.clone(),
            to: route.describe_target(),
            shadow: shadow.to_owned(),
            outcomes: metrics.outcomes(),
            differences: metrics.differences(),
        })
    };
    Report {
        routes: with_copies.iter().filter(is_meant).filter_map(counts).collect(),
        differences: kept.list(namespace.as_deref(), route.as_deref()),
    }
}

/// Who gets the copies of a route's requests: one of several that share it gets none of its own.
fn shadow_of(route: &Arc<Route>) -> Option<(&str, &crate::telemetry::ShadowMetrics)> {
    let shadow = route.shares().find_map(|(_, share)| share.shadow.as_ref())?;
    Some((shadow.target.name(), &shadow.metrics))
}
