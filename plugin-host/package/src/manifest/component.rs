//! A plugin that is a WebAssembly component.

use super::draft::Named;
use crate::package_path::PackagePath;
use crate::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A WebAssembly component that runs in the gateway's process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawComponent {
    /// The component, by its path in the package: `wasi:http` 0.2 or 0.3.
    file: String,
    /// Calls that one instance serves. Default: 1, so that nothing one call leaves in memory is seen by the next. More saves the
    /// start of an instance; the component must be made for it.
    #[schemars(range(min = 1))]
    reuse: Option<u32>,
    /// Calls that one instance serves at the same time. Default: 1. More needs a component that says so (`wasi:http` 0.3) and
    /// a `reuse` at least as large.
    #[schemars(range(min = 1, max = 1024))]
    concurrent: Option<u32>,
}

/// A WebAssembly component that runs in the gateway's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// The component, in the package.
    pub file: PackagePath,
    /// Calls that one instance serves, at least 1.
    pub reuse: u32,
    /// Calls that one instance serves at the same time, at least 1 and at most `reuse`.
    pub concurrent: u32,
}

impl RawComponent {
    pub(super) fn validate(self, path: &ValuePath, named: &mut Named, problems: &mut ProblemList) -> Option<Component> {
        let Self { file, reuse, concurrent } = self;
        let (reuse, concurrent) = (reuse.unwrap_or(1), concurrent.unwrap_or(1));
        if concurrent > reuse {
            let message = format!("is more than the {reuse} that an instance serves in all; raise `reuse` too");
            problems.report(path.key("concurrent"), message);
        }
        let file = named.add(&file, path.key("file"), problems)?;
        Some(Component { file, reuse, concurrent })
    }
}
