//! Who is sent copies of a route's requests, compiled.

use super::route::Target;
use crate::config;
use crate::shadow::{DifferenceKind, Mask, Pattern, Rules};
use crate::telemetry::{Metrics, ShadowMetrics};
use http::Method;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Who is sent copies of a route's requests.
#[derive(Debug)]
pub struct Shadow {
    /// Who gets them.
    pub target: Target,
    /// How many requests of a million are copied.
    pub sample: u32,
    /// Methods of requests that are copied.
    pub methods: Vec<Method>,
    /// Room for the copies that are under way.
    pub room: Arc<Semaphore>,
    /// Largest body of a request that is copied, in bytes.
    pub body: usize,
    /// Longest time for a copy to be answered.
    pub timeout: Duration,
    /// How the answers are compared, if they are.
    pub compare: Option<Compare>,
    /// What is counted.
    pub metrics: ShadowMetrics,
}

/// How answers are compared.
#[derive(Debug)]
pub struct Compare {
    /// What must be the same.
    pub rules: Arc<Rules>,
    /// Differences that are kept.
    pub keep: usize,
}

impl Shadow {
    pub(super) fn new(
        config: &config::Shadow,
        target: Target,
        namespace: &str,
        route: &str,
        metrics: &Metrics,
    ) -> Arc<Self> {
        let body = usize::try_from(config.body).unwrap_or(usize::MAX);
        let compare =
            |compare: &config::Compare| Compare { rules: Arc::new(rules(compare, body)), keep: compare.keep as usize };
        Arc::new(Self {
            target,
            sample: config.sample,
            methods: config.methods.clone(),
            room: Arc::new(Semaphore::new(config.concurrency as usize)),
            body,
            timeout: config.timeout,
            compare: config.compare.as_ref().map(compare),
            metrics: metrics.shadow(namespace, route, DifferenceKind::ALL.into_iter().map(DifferenceKind::label)),
        })
    }
}

/// The configuration was validated, so every pointer is one.
fn rules(compare: &config::Compare, most: usize) -> Rules {
    let patterns = |list: &[String]| list.iter().filter_map(|text| Pattern::parse(text).ok()).collect::<Vec<_>>();
    let (places, names): (Vec<String>, Vec<String>) =
        compare.mask.iter().cloned().partition(|listed| listed.starts_with('/'));
    Rules {
        headers: compare.headers.clone(),
        ignore: patterns(&compare.ignore),
        unordered: patterns(&compare.unordered),
        mask: Mask { names, places: patterns(&places) },
        most,
    }
}
