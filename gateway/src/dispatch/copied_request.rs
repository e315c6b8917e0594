//! The request that a copy is of, and what is said of the two answers.

use crate::shadow::{Answer, Comparison, Difference, DifferenceKind, Exchange, KeptDifferences, Uncompared, compare};
use crate::snapshot::{Compare, Route, Shadow};
use crate::telemetry::ShadowOutcome;
use http::{HeaderMap, Method};
use std::time::SystemTime;

/// The request that a copy is of.
#[derive(Debug)]
pub(crate) struct CopiedRequest {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
}

impl CopiedRequest {
    /// Compares what the caller got with what the copy got, keeps a difference, and counts what comes of it.
    pub(super) fn judge(
        &self,
        answer: &Answer,
        copy: Result<&Answer, &str>,
        route: &Route,
        shadow: &Shadow,
        compared: &Compare,
        kept: &KeptDifferences,
    ) {
        let rules = &*compared.rules;
        let comparison = copy.map_or_else(|_failure| Comparison::missing(), |copy| compare(answer, copy, rules));
        let kinds = comparison.kinds.clone();
        let outcome = match (kinds.as_slice(), comparison.uncompared) {
            ([DifferenceKind::Missing], _) => ShadowOutcome::Missing,
            ([_, ..], _) => ShadowOutcome::Different,
            ([], Some(Uncompared::TooLarge)) => ShadowOutcome::TooLarge,
            ([], Some(Uncompared::Encoded)) => ShadowOutcome::Uncompared,
            ([], None) => ShadowOutcome::Same,
        };
        if !kinds.is_empty() {
            let exchange = Exchange {
                time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
                request_id: &self.id,
                namespace: &route.namespace,
                route: &route.name,
                method: &self.method,
                path: &self.path,
                query: self.query.as_deref(),
                headers: &self.headers,
                answer: (route.target.name(), Some(answer)),
                copy: (shadow.target.name(), copy),
            };
            // Whoever sees it counted finds it.
            kept.keep(Difference::new(&exchange, comparison, rules), compared.keep);
        }
        for kind in kinds {
            shadow.metrics.differs(kind.label());
        }
        shadow.metrics.count(outcome);
    }
}
