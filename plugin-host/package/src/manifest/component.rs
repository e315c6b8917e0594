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
}

/// A WebAssembly component that runs in the gateway's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// The component, in the package.
    pub file: PackagePath,
    /// Calls that one instance serves, at least 1.
    pub reuse: u32,
}

impl RawComponent {
    pub(super) fn validate(self, path: &ValuePath, named: &mut Named, problems: &mut ProblemList) -> Option<Component> {
        let Self { file, reuse } = self;
        let file = named.add(&file, path.key("file"), problems)?;
        Some(Component { file, reuse: reuse.unwrap_or(1) })
    }
}
