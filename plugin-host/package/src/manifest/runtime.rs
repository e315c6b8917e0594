//! What runs: exactly one kind of program.

use super::component::{Component, RawComponent};
use super::draft::Named;
use super::worker::{RawWorker, Worker};
use crate::problem::{ProblemList, ValuePath};
use serde::Serialize;

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// A WebAssembly component in the gateway's process.
    Component(Component),
    /// A program of its own, started and supervised by the gateway.
    Worker(Worker),
}

impl Runtime {
    /// Its kind as the manifest's key: `component` or `worker`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Component(_) => "component",
            Self::Worker(_) => "worker",
        }
    }
}

pub(super) fn validate_runtime(
    component: Option<RawComponent>,
    worker: Option<RawWorker>,
    named: &mut Named,
    problems: &mut ProblemList,
) -> Option<Runtime> {
    let root = ValuePath::default();
    match (component, worker) {
        (Some(component), None) => component.validate(&root.key("component"), named, problems).map(Runtime::Component),
        (None, Some(worker)) => Some(Runtime::Worker(worker.validate(&root.key("worker"), problems))),
        (None, None) => {
            problems.report(root, "says not what runs; write `component: { file: … }` or `worker: { command: … }`");
            None
        }
        (Some(_), Some(_)) => {
            problems.report(root.key("worker"), "stands beside `component`; a plugin is one or the other");
            None
        }
    }
}
