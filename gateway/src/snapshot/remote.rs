//! The gateway's default remote: who answers what plugins call and nothing here does.

use super::route::{Route, Target};
use super::route_maker::route_rewrite;
use super::traffic::{Owner, Traffic};
use crate::access::AccessRule;
use crate::backends::{Cluster, FirstLookup, Names, Parts, PeerBuilder};
use crate::config::{ProblemList, Remote, Retry, RouteTimeouts, SizeLimits, TrafficLimits, ValuePath};
use crate::request::Priority;
use crate::request::field::field_value;
use crate::telemetry::Metrics;
use std::sync::Arc;

/// In place of a namespace: it belongs to none.
const NOWHERE: &str = "";

/// The route to the default remote; the one of `previous` if it is the same. `None` without one, or when problems were reported.
pub(super) fn compile(
    remote: Option<&Remote>,
    previous: Option<&Arc<Route>>,
    metrics: &Metrics,
    names: &Names,
    problems: &mut ProblemList,
) -> Option<Arc<Route>> {
    let Remote { backend, rewrite } = remote?;
    let rewrite = route_rewrite(rewrite);
    let builder = match PeerBuilder::new(NOWHERE, backend) {
        Ok(builder) => builder,
        Err(error) => {
            problems.report(ValuePath::default().key("remote"), error.to_string());
            return None;
        }
    };
    let same_cluster = |route: &Arc<Route>| match &route.target {
        Target::Cluster(old) if old.is_same(backend, &builder) => Some(old.clone()),
        Target::Cluster(_) | Target::Plugin(_) => None,
    };
    let known = previous.and_then(same_cluster);
    if let Some(previous) = previous.filter(|previous| known.is_some() && previous.rewrite == rewrite) {
        return Some(previous.clone());
    }
    let cluster = known.unwrap_or_else(|| {
        let lookup = FirstLookup::run(std::iter::once(backend), names);
        let previous = previous.and_then(|route| match &route.target {
            Target::Cluster(cluster) => Some(&**cluster),
            Target::Plugin(_) => None,
        });
        let parts = Parts {
            builder,
            found: lookup.of(&backend.name),
            names: names.clone(),
            metrics: metrics.upstream(NOWHERE, &backend.name),
            worker: None,
            previous,
        };
        Arc::new(Cluster::new(NOWHERE, backend, parts))
    });
    let target = Target::Cluster(cluster);
    let owner = Owner { namespace: NOWHERE, route: Some(&backend.name) };
    let traffic = Traffic::carry(None, &TrafficLimits::default(), owner, metrics, None);
    Some(Arc::new(Route {
        namespace: NOWHERE.into(),
        namespace_field: field_value(NOWHERE),
        name: backend.name.clone(),
        // Only plugins come here, and with what their `requires` names.
        rule: AccessRule {
            public: true,
            namespace: String::new(),
            issuers: None,
            claims: Vec::new(),
            plugins: Vec::new(),
        },
        preflight: false,
        timeout: None,
        timeouts: RouteTimeouts::default(),
        retry: Retry::default(),
        answered_by: false,
        heartbeat: None,
        priority: Priority::default(),
        sizes: SizeLimits::default(),
        rewrite,
        pattern: None,
        dialect: None,
        envelope: false,
        cache: None,
        streams: false,
        metrics: metrics.route(NOWHERE, &backend.name, target.kind()),
        share_metrics: None,
        shadow: None,
        traffic: [traffic.clone(), traffic],
        fallbacks: Vec::new(),
        last_answer: None,
        target,
        split: None,
    }))
}
