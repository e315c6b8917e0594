//! The API that a plugin serves, as an OpenAPI 3.1 document.

use crate::problem::{ProblemList, ValuePath};
use serde_json::Value;

/// Checks that `document` is an OpenAPI 3.1 document as far as its version and its paths say; what stands below the paths is
/// passed on as it is.
pub(super) fn check_endpoints(document: Value, path: &ValuePath, problems: &mut ProblemList) -> Option<Value> {
    let Value::Object(keys) = &document else {
        problems.report(path.clone(), "must be an OpenAPI 3.1 document: a mapping with `openapi` and `paths`");
        return None;
    };
    match keys.get("openapi") {
        Some(Value::String(version)) if version.starts_with("3.1.") => {}
        Some(_) => problems.report(path.key("openapi"), "must be the version of OpenAPI as text, 3.1.x, like `3.1.0`"),
        None => problems.report(path.clone(), "`openapi` is missing; write `openapi: 3.1.0`"),
    }
    match keys.get("paths") {
        Some(Value::Object(paths)) => {
            for key in paths.keys().filter(|key| !key.starts_with('/') && !key.starts_with("x-")) {
                problems.report(path.key("paths").key(key), "a path begins with `/`");
            }
        }
        Some(_) => problems.report(path.key("paths"), "must be a mapping of paths"),
        None => problems.report(path.clone(), "`paths` is missing"),
    }
    problems.is_empty().then_some(document)
}
