//! What the admin listener says about backends' documents.

use crate::learning::{Documents, Learnt};
use crate::snapshot::{LearntPart, NamespacePart, Snapshot};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

/// A backend's document.
#[derive(Debug, Serialize)]
pub(super) struct Learning {
    /// `known`, `stale` (the backend gives none now, the last good one serves) or `waiting` (there was none yet).
    state: &'static str,
    /// Endpoints that are routed, by path.
    endpoints: usize,
    /// When the document was last seen, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Parts of the document that could not be understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Endpoints that are not routed, each with its reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

pub(super) fn status(
    part: &NamespacePart,
    learnt: Option<&Arc<LearntPart>>,
    documents: &Documents,
) -> BTreeMap<String, Learning> {
    let of_backend = |backend: &String| {
        let known = documents.of(&part.config.name, backend);
        let left_out = learnt.iter().flat_map(|learnt| learnt.left_out()).filter(|left| left.backend == *backend);
        let learning = Learning {
            state: state(&known),
            endpoints: learnt.map_or(0, |learnt| endpoints(learnt, backend)),
            seen: known.seen.map(|seen| humantime::format_rfc3339_millis(seen).to_string()),
            notes: known.document.iter().flat_map(|document| document.notes()).map(ToString::to_string).collect(),
            left_out: left_out.map(|left| format!("{}: {}", left.path, left.reason)).collect(),
            problem: known.problem,
        };
        (backend.clone(), learning)
    };
    part.config.learning.keys().map(of_backend).collect()
}

/// Which backends give no document, a line each, for whoever asks whether the gateway is ready.
pub(super) fn failing(snapshot: &Snapshot, documents: &Documents) -> String {
    let mut text = String::new();
    for (namespace, part) in &snapshot.namespaces {
        for backend in part.config.learning.keys() {
            let known = documents.of(namespace, backend);
            if let Some(problem) = &known.problem {
                let what = if known.document.is_some() { "are its last known ones" } else { "are not known" };
                let _ = writeln!(text, "degraded: the endpoints of {namespace}/{backend} {what}: {problem}");
            }
        }
    }
    text
}

/// Of every backend with a document: its namespace, its name, how many endpoints are routed, and when the document was seen.
pub(super) fn counts<'a>(snapshot: &'a Snapshot, documents: &Documents) -> Vec<(&'a str, &'a str, usize, u64)> {
    let of_namespace = |(namespace, part): (&'a String, &'a Arc<NamespacePart>)| {
        let learnt = snapshot.learnt.get(namespace);
        let of_backend = |backend: &'a String| {
            let seen = documents.of(namespace, backend).seen;
            let seen = seen.and_then(|seen| seen.duration_since(SystemTime::UNIX_EPOCH).ok());
            let count = learnt.map_or(0, |learnt| endpoints(learnt, backend));
            (namespace.as_str(), backend.as_str(), count, seen.map_or(0, |seen| seen.as_secs()))
        };
        part.config.learning.keys().map(of_backend).collect::<Vec<_>>()
    };
    snapshot.namespaces.iter().flat_map(of_namespace).collect()
}

fn endpoints(learnt: &LearntPart, backend: &str) -> usize {
    let names = learnt.routes().filter(|(_, route)| route.target.name() == backend).map(|(_, route)| &route.name);
    names.collect::<HashSet<_>>().len()
}

fn state(known: &Learnt) -> &'static str {
    match (&known.document, &known.problem) {
        (Some(_), None) => "known",
        (Some(_), Some(_)) => "stale",
        (None, _) => "waiting",
    }
}
