//! The APIs of others that a plugin calls.

use super::name::check_name;
use crate::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An API of a namespace that the plugin calls. Calls to what is not listed are refused.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequiredApi {
    /// The namespace that serves it.
    namespace: String,
    /// Its path, in the words of routes: `/api/v1/research/summary`, `/items/{id}`, `/files/**`.
    path: String,
    /// Its methods, like `POST`. Default: every method.
    methods: Option<Vec<String>>,
}

/// An API of a namespace that a plugin calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequiredApi {
    /// The namespace that serves it.
    pub namespace: String,
    /// Its path, a pattern as of a route. Begins with `/`; what is a good pattern is for the gateway's router to say.
    pub path: String,
    /// Its methods in upper case; empty for every method.
    pub methods: Vec<String>,
}

/// Longest path, in bytes.
const LONGEST_PATH: usize = 1024;

impl RawRequiredApi {
    fn validate(self, at: &ValuePath, problems: &mut ProblemList) -> RequiredApi {
        let Self { namespace, path, methods } = self;
        check_name("namespace", &namespace, &at.key("namespace"), problems);
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\".contains(&byte));
        let goes_up = path.split('/').any(|segment| segment == "." || segment == "..");
        if !path.starts_with('/') || !is_plain || goes_up || path.len() > LONGEST_PATH {
            let message = format!(
                "`{path}` is no path; it begins with `/`, is percent-encoded, and has no query and no `.` or `..`"
            );
            problems.report(at.key("path"), message);
        }
        if methods.as_ref().is_some_and(Vec::is_empty) {
            problems.report(at.key("methods"), "names no method; leave it out for every method");
        }
        let methods = methods.unwrap_or_default();
        for (index, method) in methods.iter().enumerate() {
            if method.is_empty()
                || method.len() > 32
                || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
            {
                let message = format!("`{method}` is no method; write it in upper case, like `POST`");
                problems.report(at.key("methods").index(index), message);
            }
        }
        RequiredApi { namespace, path, methods }
    }
}

pub(super) fn validate_requires(raw: Vec<RawRequiredApi>, problems: &mut ProblemList) -> Vec<RequiredApi> {
    let at = ValuePath::default().key("requires");
    raw.into_iter().enumerate().map(|(index, api)| api.validate(&at.index(index), problems)).collect()
}
