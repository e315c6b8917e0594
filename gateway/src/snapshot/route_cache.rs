//! What of a route's answers is kept, compiled.

use super::route_maker::access_rule;
use crate::backends::Cluster;
use crate::config::{self, CacheRules, Caching, NetworkKind};
use http::HeaderName;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// FrameX's own default.
const FRAMEX_TTL: Duration = Duration::from_secs(60);

/// What of a route's answers is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCache {
    /// By which rules.
    pub rules: CacheRules,
    /// How long, where the rules do not say otherwise.
    pub ttl: Option<Duration>,
    /// Whether answers to GET are kept.
    pub gets: bool,
    /// Whether answers to POST are kept.
    pub posts: bool,
    /// Whether all callers share them.
    pub shared: bool,
    /// Header fields on which answers depend.
    pub vary: Vec<HeaderName>,
    /// Whether the backend sees what callers send in `Authorization`.
    pub shows_authorization: bool,
    /// Another one when anything is configured otherwise of which answers, or who may see them, depend: answers that were kept
    /// before are not found then.
    pub scope: u64,
}

impl RouteCache {
    pub(super) fn compile(
        caching: &Caching,
        namespace: &config::Namespace,
        route: &config::Route,
        cluster: &Cluster,
    ) -> Self {
        let is_framex = matches!(cluster.config.kind, NetworkKind::Framex { .. });
        let rules = caching.rules.unwrap_or(match caching.posts {
            Some(true) => CacheRules::Framex,
            _ if is_framex => CacheRules::Framex,
            _ => CacheRules::Http,
        });
        let mut scope = DefaultHasher::new();
        // Debug output of configuration is complete but for secrets.
        let said = format!(
            "{} {} {:?} {:?} {:?} {:?}",
            namespace.name,
            route.name,
            caching,
            route.rewrite,
            access_rule(namespace, route),
            cluster.config
        );
        (said, cluster.key_field.as_ref().map(http::HeaderValue::as_bytes)).hash(&mut scope);
        Self {
            rules,
            ttl: caching.ttl.or((rules == CacheRules::Framex).then_some(FRAMEX_TTL)),
            gets: caching.gets,
            posts: rules == CacheRules::Framex && caching.posts.unwrap_or(true),
            shared: caching.shared,
            vary: caching.vary.clone(),
            shows_authorization: route.public
                || matches!(cluster.config.kind, NetworkKind::Http { forward_token: true }),
            scope: scope.finish(),
        }
    }
}
