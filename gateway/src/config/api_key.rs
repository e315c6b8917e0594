//! Static keys of callers.

use super::concurrency::RawPriority;
use super::name::check_name;
use super::problem::{ProblemList, ValuePath};
use super::secret::Secret;
use crate::request::{Dialect, Priority};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A static key, for callers that cannot get tokens, like FrameX instances. Prefer tokens where they can be had: a key never
/// expires by itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawApiKey {
    /// The key, 16 characters of visible ASCII at least. Use `${VAR}`. The caller sends it in `Authorization`, as it is (as FrameX
    /// does) or after `Bearer`.
    key: String,
    /// Namespaces that it opens; `["*"]` for all.
    namespaces: Vec<String>,
    /// The subject in logs and to backends. Default: the name of the key.
    subject: Option<String>,
    /// Claims that routes may ask for, as of a token.
    #[serde(default)]
    claims: BTreeMap<String, serde_json::Value>,
    /// In which words the gateway's own answers speak to this caller: `http`, `framex` (200 and the status in the body), or
    /// `auto`. Default: what the route says.
    dialect: Option<RawDialect>,
    /// Who goes first when there is not room for all: `high`, `normal` or `low`. Default: what the route says.
    priority: Option<RawPriority>,
}

/// In which words the gateway's own answers speak.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawDialect {
    /// The true status, with problem details (RFC 9457).
    Http,
    /// As FrameX says it: 200 and the status in the body, or an error event in a stream.
    Framex,
    /// `framex` for callers that look like a FrameX instance (python-httpx and a key without a scheme), else `http`.
    Auto,
}

/// A static key of a caller.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// Its name.
    pub name: String,
    /// The key, without `Bearer`.
    pub key: Secret<String>,
    /// Namespaces that it opens; `*` for all.
    pub namespaces: Vec<String>,
    /// Who calls with it.
    pub subject: String,
    /// Claims that routes may ask for.
    pub claims: BTreeMap<String, serde_json::Value>,
    /// In which words the gateway's own answers speak to the caller.
    pub dialect: Option<Dialect>,
    /// Who goes first when there is not room for all, in place of what the route says.
    pub priority: Option<Priority>,
}

/// As few as a key may have: shorter ones are guessed.
const SHORTEST: usize = 16;

impl RawDialect {
    pub(super) fn validate(self) -> Dialect {
        match self {
            Self::Http => Dialect::Http,
            Self::Framex => Dialect::Framex,
            Self::Auto => Dialect::Auto,
        }
    }
}

impl RawApiKey {
    fn validate(self, name: &str, path: &ValuePath, problems: &mut ProblemList) -> ApiKey {
        let Self { key, namespaces, subject, claims, dialect, priority } = self;
        check_name("key", name, path, problems);
        let key = match key.split_at_checked(7) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer ") => rest.trim().to_owned(),
            _ => key,
        };
        if key.len() < SHORTEST || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.report(path.key("key"), format!("a key has at least {SHORTEST} characters of visible ASCII"));
        }
        if namespaces.is_empty() {
            problems.report_absence(&path.key("namespaces"), "name at least one namespace; the key opens none");
        }
        let subject = subject.unwrap_or_else(|| name.to_owned());
        if subject.is_empty() || subject.chars().any(char::is_control) {
            problems.report(path.key("subject"), "must be printable text");
        }
        let dialect = dialect.map(RawDialect::validate);
        let priority = priority.map(RawPriority::validate);
        ApiKey { name: name.to_owned(), key: Secret::new(key), namespaces, subject, claims, dialect, priority }
    }
}

/// Validates all keys together.
pub(super) fn validate_keys(
    raw: BTreeMap<String, RawApiKey>,
    path: &ValuePath,
    problems: &mut ProblemList,
) -> Vec<ApiKey> {
    let mut keys: Vec<ApiKey> = Vec::with_capacity(raw.len());
    for (name, raw) in raw {
        let path = path.key(name.clone());
        let key = raw.validate(&name, &path, problems);
        if let Some(other) = keys.iter().find(|other| other.key == key.key && !key.key.reveal().is_empty()) {
            problems.report(path.key("key"), format!("is the same as that of `{}`", other.name));
        }
        keys.push(key);
    }
    keys
}
