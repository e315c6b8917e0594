//! From a route of the configuration to one that requests can take.

use super::route::{Route, Target};
use super::route_cache::RouteCache;
use super::shadow::Shadow;
use super::split::{Canary, Split};
use super::traffic::{Owner, Traffic};
use crate::access::{AccessRule, ClaimRule};
use crate::backends::{Cluster, LocalPlugin};
use crate::config::{self, Namespace};
use crate::limits::SharedCounters;
use crate::request::Dialect;
use crate::request::field::field_value;
use crate::rewrite::RouteRewrite;
use crate::router::{HeaderCondition, PathPattern, ValueTest};
use crate::sharing::Lot;
use crate::telemetry::Metrics;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes the routes of one namespace.
pub(super) struct RouteMaker<'a> {
    pub(super) config: &'a Namespace,
    pub(super) clusters: &'a BTreeMap<String, Arc<Cluster>>,
    pub(super) plugins: &'a BTreeMap<String, Arc<LocalPlugin>>,
    pub(super) traffic: &'a Arc<Traffic>,
    pub(super) metrics: &'a Metrics,
    pub(super) shared: Option<&'a Arc<SharedCounters>>,
}

impl RouteMaker<'_> {
    /// Makes a route; `old` is the one of its name until now, `streams` whether its answers are known to be streams of events.
    /// `None` when nobody is there who answers.
    pub(super) fn make(&self, route: &config::Route, old: Option<&Arc<Route>>, streams: bool) -> Option<Arc<Route>> {
        let owner = Owner { namespace: &self.config.name, route: Some(&route.name) };
        let own_traffic =
            Traffic::carry(old.map(|old| &old.traffic[0]), &route.limits, owner, self.metrics, self.shared);
        let (first, others) = route.targets.split_first()?;
        let shadow = route.shadow.as_ref().and_then(|shadow| self.make_shadow(route, shadow));
        let shadow = shadow.as_ref();
        let others = others.iter().map(|share| {
            Some((
                Lot::new(share.target.name(), share.weight),
                self.make_share(route, share, &own_traffic, None, shadow, streams)?,
            ))
        });
        let others: Vec<_> = others.collect::<Option<_>>()?;
        let split = (!others.is_empty()).then(|| Split {
            own: Lot::new(first.target.name(), first.weight),
            others,
            sticky: route.sticky.clone(),
            canaries: route.canaries.iter().filter_map(|canary| make_canary(canary, &route.targets)).collect(),
        });
        self.make_share(route, first, &own_traffic, split, shadow, streams)
    }

    /// Makes the route by which functions of a FrameX instance are called.
    pub(super) fn make_function_route(&self, backend: &str) -> Option<Arc<Route>> {
        let route = config::Route {
            name: format!("functions of {backend}"),
            matches: config::Match::default(),
            targets: vec![config::Share { target: config::Target::Backend(backend.to_owned()), weight: 1 }],
            fallbacks: Vec::new(),
            last_answer: None,
            public: false,
            invoke: config::Invoke::default(),
            timeout: None,
            timeouts: config::RouteTimeouts::default(),
            retry: config::Retry::default(),
            answered_by: false,
            heartbeat: None,
            limits: config::TrafficLimits::default(),
            rewrite: config::Rewrite::default(),
            dialect: Some(Dialect::Framex),
            envelope: false,
            sticky: None,
            canaries: Vec::new(),
            shadow: None,
            cache: None,
        };
        self.make(&route, None, false)
    }

    fn make_share(
        &self,
        route: &config::Route,
        share: &config::Share,
        own_traffic: &Arc<Traffic>,
        split: Option<Split>,
        shadow: Option<&Arc<Shadow>>,
        streams: bool,
    ) -> Option<Arc<Route>> {
        let config = self.config;
        let fallbacks: Vec<&Arc<Cluster>> = route.fallbacks.iter().filter_map(|name| self.clusters.get(name)).collect();
        let target = self.target(&share.target, fallbacks.first().copied())?;
        let is_target =
            |cluster: &Arc<Cluster>| matches!(&target, Target::Cluster(target) if Arc::ptr_eq(target, cluster));
        Some(Arc::new(Route {
            namespace: config.name.as_str().into(),
            namespace_field: field_value(&config.name),
            name: route.name.clone(),
            rule: access_rule(config, route),
            preflight: config.preflight && matches!(target, Target::Cluster(_)),
            // Whoever answers needs no copy.
            shadow: shadow.filter(|shadow| shadow.target.name() != target.name()).cloned(),
            timeout: route.timeout,
            timeouts: route.timeouts,
            retry: route.retry.clone(),
            answered_by: route.answered_by,
            heartbeat: route.heartbeat,
            priority: route.limits.priority.or(config.limits.priority).unwrap_or_default(),
            sizes: route.limits.sizes.and(config.limits.sizes),
            rewrite: route_rewrite(&route.rewrite),
            pattern: match &target {
                Target::Cluster(cluster) if goes_by_path(cluster) => PathPattern::parse(&route.matches.path).ok(),
                _ => None,
            },
            dialect: route.dialect,
            envelope: route.envelope,
            cache: self.cache(route, &target),
            streams,
            metrics: self.metrics.route(&config.name, &route.name, target.kind()),
            share_metrics: (route.targets.len() > 1)
                .then(|| self.metrics.share(&config.name, &route.name, share.target.name())),
            traffic: [own_traffic.clone(), self.traffic.clone()],
            fallbacks: fallbacks.into_iter().filter(|cluster| !is_target(cluster)).cloned().collect(),
            last_answer: route.last_answer.clone().map(Arc::new),
            target,
            split,
        }))
    }

    /// `None` when nobody is there who could get the copies.
    fn make_shadow(&self, route: &config::Route, shadow: &config::Shadow) -> Option<Arc<Shadow>> {
        let target = self.target(&shadow.to, None)?;
        Some(Shadow::new(shadow, target, &self.config.name, &route.name, self.metrics))
    }

    /// What of the answers of a backend is kept.
    fn cache(&self, route: &config::Route, target: &Target) -> Option<RouteCache> {
        let Target::Cluster(cluster) = target else { return None };
        route.cache.as_ref().map(|caching| RouteCache::compile(caching, self.config, route, cluster))
    }

    fn target(&self, target: &config::Target, fallback: Option<&Arc<Cluster>>) -> Option<Target> {
        match target {
            // A package may turn out to be a worker.
            config::Target::Plugin(name) => match self.plugins.get(name) {
                Some(plugin) => Some(Target::Plugin(plugin.clone())),
                // An optional one that is not here leaves its place to the fallback.
                None => self.clusters.get(name).or(fallback).cloned().map(Target::Cluster),
            },
            config::Target::Backend(name) => self.clusters.get(name).cloned().map(Target::Cluster),
        }
    }
}

fn goes_by_path(cluster: &Cluster) -> bool {
    matches!(cluster.config.balance, config::Balance::Hash(config::Affinity::Path(_)))
}

pub(super) fn route_rewrite(rewrite: &config::Rewrite) -> RouteRewrite {
    let config::Rewrite { strip_prefix, add_prefix, links, request_headers, response_headers } = rewrite.clone();
    RouteRewrite {
        prefix_field: strip_prefix.as_deref().map(field_value),
        strip_prefix,
        add_prefix,
        links,
        remove_request: request_headers.remove,
        set_request: request_headers.set,
        remove_response: response_headers.remove,
        set_response: response_headers.set,
    }
}

fn make_canary(canary: &config::Canary, targets: &[config::Share]) -> Option<Canary> {
    let header = |(name, test): &(http::HeaderName, config::Test)| HeaderCondition {
        name: name.clone(),
        test: value_test(test),
    };
    Some(Canary {
        to: targets.iter().position(|share| share.target == canary.to)?,
        headers: canary.headers.iter().map(header).collect(),
        claims: claim_rules(canary.claims.iter()),
    })
}

pub(super) fn value_test(test: &config::Test) -> ValueTest {
    match test {
        config::Test::Exact(text) => ValueTest::Exact(text.clone()),
        config::Test::Present(present) => ValueTest::Present(*present),
    }
}

fn claim_rules<'a>(claims: impl Iterator<Item = &'a (String, Vec<serde_json::Value>)>) -> Vec<ClaimRule> {
    claims.map(|(pointer, any_of)| ClaimRule { pointer: pointer.clone(), any_of: any_of.clone() }).collect()
}

pub(super) fn access_rule(namespace: &Namespace, route: &config::Route) -> AccessRule {
    let claims = namespace.invoke.claims.iter().chain(&route.invoke.claims);
    let plugins = namespace.invoke.plugins.iter().chain(&route.invoke.plugins);
    // A route may narrow the namespace's issuers, never widen them.
    let issuers = match (&namespace.invoke.issuers, &route.invoke.issuers) {
        (Some(of_namespace), Some(of_route)) => {
            Some(of_route.iter().filter(|issuer| of_namespace.contains(issuer)).cloned().collect())
        }
        (one, two) => one.as_ref().or(two.as_ref()).cloned(),
    };
    AccessRule {
        public: route.public,
        namespace: namespace.name.clone(),
        issuers,
        claims: claim_rules(claims),
        plugins: plugins.cloned().collect(),
    }
}
