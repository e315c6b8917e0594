//! What is counted of the copies of a route's requests.

use super::Metrics;
use prometheus::{Histogram, IntCounter};
use std::collections::BTreeMap;
use std::time::Duration;

/// What became of a request that was chosen to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowOutcome {
    /// The copy got the same answer.
    Same,
    /// The copy got another answer.
    Different,
    /// The copy got no answer.
    Missing,
    /// The copy got an answer, which was to be compared with nothing.
    Sent,
    /// There was no whole answer to compare with, or one in an unknown coding.
    Uncompared,
    /// An answer was too large to be compared.
    TooLarge,
    /// There were too many copies at once.
    Dropped,
    /// The request's body was too large to be copied.
    BodyTooLarge,
    /// The request's body did not come whole.
    Unsent,
}

impl ShadowOutcome {
    const ALL: [Self; 9] = [
        Self::Same,
        Self::Different,
        Self::Missing,
        Self::Sent,
        Self::Uncompared,
        Self::TooLarge,
        Self::Dropped,
        Self::BodyTooLarge,
        Self::Unsent,
    ];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Missing => "missing",
            Self::Sent => "sent",
            Self::Uncompared => "uncompared",
            Self::TooLarge => "too_large",
            Self::Dropped => "dropped",
            Self::BodyTooLarge => "body_too_large",
            Self::Unsent => "unsent",
        }
    }
}

/// The metrics of the copies of one route's requests.
#[derive(Clone, Debug)]
pub struct ShadowMetrics {
    outcomes: [IntCounter; ShadowOutcome::ALL.len()],
    differences: Vec<(&'static str, IntCounter)>,
    duration: Histogram,
}

impl Metrics {
    /// The metrics of the copies of one route's requests; `kinds` are those in which answers may differ.
    #[must_use]
    pub fn shadow(&self, namespace: &str, route: &str, kinds: impl Iterator<Item = &'static str>) -> ShadowMetrics {
        let outcome =
            |outcome: ShadowOutcome| self.shadow_requests.with_label_values(&[namespace, route, outcome.label()]);
        let kind = |kind| (kind, self.shadow_differences.with_label_values(&[namespace, route, kind]));
        ShadowMetrics {
            outcomes: ShadowOutcome::ALL.map(outcome),
            differences: kinds.map(kind).collect(),
            duration: self.shadow_duration.with_label_values(&[namespace, route]),
        }
    }

    /// Removes the series of a route that has no copies any more.
    pub fn forget_shadow(&self, namespace: &str, route: &str, kinds: impl Iterator<Item = &'static str>) {
        // A series that is not there needs no removing.
        for outcome in ShadowOutcome::ALL {
            let _ = self.shadow_requests.remove_label_values(&[namespace, route, outcome.label()]);
        }
        for kind in kinds {
            let _ = self.shadow_differences.remove_label_values(&[namespace, route, kind]);
        }
        let _ = self.shadow_duration.remove_label_values(&[namespace, route]);
    }
}

impl ShadowMetrics {
    /// Counts what became of a request that was chosen.
    pub fn count(&self, outcome: ShadowOutcome) {
        self.outcomes[outcome as usize].inc();
    }

    /// Counts a difference.
    pub fn differs(&self, kind: &str) {
        if let Some((_, counter)) = self.differences.iter().find(|(known, _)| *known == kind) {
            counter.inc();
        }
    }

    /// Notes how long a copy took.
    pub fn took(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }

    /// What became of the requests so far, without what never happened.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<&'static str, u64> {
        let counted =
            ShadowOutcome::ALL.iter().zip(&self.outcomes).map(|(outcome, counter)| (outcome.label(), counter.get()));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// The differences so far by kind, without what never happened.
    #[must_use]
    pub fn differences(&self) -> BTreeMap<&'static str, u64> {
        let counted = self.differences.iter().map(|(kind, counter)| (*kind, counter.get()));
        counted.filter(|(_, count)| *count > 0).collect()
    }
}
