//! Who may call.

use super::problem::{ProblemList, Spot, ValuePath};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a caller's token must show beside the namespace itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawInvoke {
    /// Accepted issuers, by their names in `gateway.yaml`. Default: every issuer.
    issuers: Option<Vec<String>>,
    /// Claims the token must hold: a claim name or a JSON pointer (`/realm/roles`), and the value or one of the values
    /// that it must be or contain.
    claims: BTreeMap<String, serde_json::Value>,
    /// Plugins of other namespaces that may call: `namespace/plugin`, or `namespace/*` for all of one. Default: none. The
    /// namespace's own plugins always may.
    plugins: Vec<String>,
}

/// Rules for the callers of a namespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawNamespaceAccess {
    /// Who may call the namespace's routes, beside the rule that the token grants the namespace.
    invoke: RawInvoke,
    /// Whether what a browser asks before a request from another origin (a CORS preflight, which never carries a token) goes on to
    /// the backend, which answers it. Default: false: it is refused like every request without a token. Plugins in the process get
    /// none.
    preflight: bool,
}

/// What a caller's token must show beside the namespace itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Invoke {
    /// Accepted issuers; `None` for every one.
    pub issuers: Option<Vec<String>>,
    /// JSON pointer of a claim, and the values of which it must be or contain one.
    pub claims: Vec<(String, Vec<serde_json::Value>)>,
    /// Plugins of other namespaces that may call, as `namespace/plugin` or `namespace/*`.
    pub plugins: Vec<String>,
}

impl RawNamespaceAccess {
    pub(super) fn validate(
        self,
        path: &ValuePath,
        issuers: Option<&[String]>,
        problems: &mut ProblemList,
    ) -> (Invoke, bool) {
        let Self { invoke, preflight } = self;
        (invoke.validate(&path.key("invoke"), issuers, problems), preflight)
    }
}

impl RawInvoke {
    /// `known_issuers` are those of gateway.yaml, if it says clearly which there are.
    pub(super) fn validate(
        self,
        path: &ValuePath,
        known_issuers: Option<&[String]>,
        problems: &mut ProblemList,
    ) -> Invoke {
        let Self { issuers, claims, plugins } = self;
        for (index, issuer) in issuers.iter().flatten().enumerate() {
            if let Some(known_issuers) = known_issuers.filter(|known| !known.contains(issuer)) {
                let known: Vec<&str> = known_issuers.iter().map(String::as_str).collect();
                let hint = super::problem::suggest(issuer, &known);
                problems.report(
                    path.key("issuers").index(index),
                    format!("`{issuer}` is no issuer of gateway.yaml; {hint}"),
                );
            }
        }
        if issuers.as_ref().is_some_and(Vec::is_empty) {
            problems.report_absence(&path.key("issuers"), "an empty list admits nobody; leave it out for every issuer");
        }
        let claims = validate_claims(claims, &path.key("claims"), problems);
        for (index, plugin) in plugins.iter().enumerate() {
            let is_name = |part: &str| !part.is_empty() && !part.contains(['/', '*']);
            let is_plugin = plugin
                .split_once('/')
                .is_some_and(|(namespace, name)| is_name(namespace) && (name == "*" || is_name(name)));
            if !is_plugin {
                let message =
                    format!("`{plugin}` is no plugin; write `namespace/plugin`, or `namespace/*` for all of one");
                problems.report(path.key("plugins").index(index), message);
            }
        }
        Invoke { issuers, claims, plugins }
    }
}

/// Claims as they are written, as JSON pointers with the accepted values.
pub(super) fn validate_claims(
    claims: BTreeMap<String, serde_json::Value>,
    path: &ValuePath,
    problems: &mut ProblemList,
) -> Vec<(String, Vec<serde_json::Value>)> {
    let mut validated = Vec::with_capacity(claims.len());
    for (claim, value) in claims {
        let any_of = match value {
            serde_json::Value::Array(values) if !values.is_empty() => values,
            serde_json::Value::Array(_) | serde_json::Value::Null | serde_json::Value::Object(_) => {
                let message = "write the value that the claim must hold, or a list of accepted values";
                problems.report(path.key(claim), message);
                continue;
            }
            value => vec![value],
        };
        if !claim.starts_with('/') {
            validated.push((format!("/{}", escape_pointer(&claim)), any_of));
        } else if is_json_pointer(&claim) {
            validated.push((claim, any_of));
        } else {
            problems.report_at(path.key(claim), Spot::Key, NO_JSON_POINTER);
        }
    }
    validated
}

/// A claim name as one step of a JSON pointer (RFC 6901 §3).
fn escape_pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What is wrong with a JSON pointer, and what would be right.
const NO_JSON_POINTER: &str = "is no JSON pointer: it starts with `/`, and in a name `~0` stands for `~` and `~1` for `/`, like `/realm~1access/roles`";

/// RFC 6901 §3.
pub(super) fn is_json_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_pointer_escapes_its_tildes() {
        for text in ["/", "/a", "/realm/roles", "/a~1b", "/~0", "/~01"] {
            assert!(is_json_pointer(text), "{text}");
        }
        for text in ["", "a", "/~", "/a~", "/a~2", "/~~0"] {
            assert!(!is_json_pointer(text), "{text}");
        }
        assert!(is_json_pointer(&format!("/{}", escape_pointer("https://id.example.com/~me"))));
    }
}
