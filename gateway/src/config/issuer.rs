//! Who may sign tokens.

use super::name::check_name;
use super::problem::{ProblemList, ValuePath, suggest};
use super::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One token issuer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawIssuer {
    /// The exact `iss` claim of its tokens.
    issuer: String,
    /// Accepted `aud` values; a token must name at least one of them.
    audiences: Vec<String>,
    /// Accepted signature algorithms: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.
    algorithms: Vec<String>,
    /// Where its keys are.
    keys: RawKeys,
    /// How far its clock may differ from ours. Default: 30s. At most 10m: a larger one keeps stolen tokens alive.
    leeway: Option<Span>,
    /// JSON pointer (RFC 6901) to the claim that lists the namespaces a caller may use: a list of names, one name,
    /// names separated by spaces, or `"*"` for all. Default: `/namespaces`.
    namespaces_claim: Option<String>,
}

/// Where an issuer's keys are. Files are read at every reload; nothing is fetched from the network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawKeys {
    /// File with the secret of HS256/384/512 tokens, at least 32/48/64 bytes; white space around it does not count.
    SecretFile(PathBuf),
    /// File with a JSON Web Key Set (RFC 7517).
    JwksFile(PathBuf),
    /// Public keys in PEM files.
    Pem(Vec<RawPemKey>),
}

/// A public key in a PEM file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawPemKey {
    /// The PEM file (SubjectPublicKeyInfo, `BEGIN PUBLIC KEY`); relative to the configuration file.
    file: PathBuf,
    /// The `kid` of tokens signed with it. Needed when there is more than one key.
    kid: Option<String>,
}

/// One token issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name in the configuration.
    pub name: String,
    /// The exact `iss` claim.
    pub issuer: String,
    /// Accepted `aud` values.
    pub audiences: Vec<String>,
    /// Accepted algorithm names, as in RFC 7518.
    pub algorithms: Vec<String>,
    /// Where its keys are.
    pub keys: Keys,
    /// How far its clock may differ from ours.
    pub leeway: Duration,
    /// JSON pointer to the claim with the namespaces.
    pub namespaces_claim: String,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// A file with a shared secret.
    SecretFile(PathBuf),
    /// A file with a JSON Web Key Set.
    JwksFile(PathBuf),
    /// PEM files with public keys and the `kid` of each.
    Pem(Vec<(PathBuf, Option<String>)>),
}

const ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

impl RawIssuer {
    pub(super) fn validate(self, name: &str, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Issuer {
        let Self { issuer, audiences, algorithms, keys, leeway, namespaces_claim } = self;
        check_name("issuer", name, path, problems);
        if issuer.is_empty() {
            problems.report(path.key("issuer"), "must be the `iss` claim of the issuer's tokens");
        }
        if audiences.is_empty() {
            problems.report_absence(
                &path.key("audiences"),
                "name at least one audience; without it any token of this issuer would open the gateway",
            );
        }
        if algorithms.is_empty() {
            problems.report_absence(&path.key("algorithms"), "name at least one algorithm");
        }
        for (index, algorithm) in algorithms.iter().enumerate() {
            let path = path.key("algorithms").index(index);
            if algorithm.eq_ignore_ascii_case("none") {
                problems.report(path, "unsigned tokens are never accepted");
            } else if !ALGORITHMS.contains(&algorithm.as_str()) {
                problems.report(path, format!("`{algorithm}` is unknown; {}", suggest(algorithm, &ALGORITHMS)));
            }
        }
        let secret = matches!(keys, RawKeys::SecretFile(_));
        if secret && algorithms.iter().any(|name| !name.starts_with("HS")) {
            problems.report(path.key("algorithms"), "a shared secret verifies only HS256, HS384 and HS512");
        }
        if matches!(keys, RawKeys::Pem(_)) && algorithms.iter().any(|name| name.starts_with("HS")) {
            problems.report(path.key("algorithms"), "a public key never verifies HS256, HS384 or HS512");
        }
        let leeway = leeway.map_or(Duration::from_secs(30), |span| span.0);
        if leeway > LONGEST_LEEWAY {
            problems.report(path.key("leeway"), "at most 10m");
        }
        let namespaces_claim = namespaces_claim.unwrap_or_else(|| "/namespaces".to_owned());
        if !namespaces_claim.starts_with('/') {
            problems.report(path.key("namespaces_claim"), "a JSON pointer starts with `/`, like `/namespaces`");
        }
        let keys = keys.validate(&path.key("keys"), base, problems);
        Issuer { name: name.to_owned(), issuer, audiences, algorithms, keys, leeway, namespaces_claim }
    }
}

impl RawKeys {
    fn validate(self, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Keys {
        match self {
            Self::SecretFile(file) => Keys::SecretFile(base.join(file)),
            Self::JwksFile(file) => Keys::JwksFile(base.join(file)),
            Self::Pem(keys) => {
                if keys.is_empty() {
                    problems.report_absence(&path.key("pem"), "name at least one key file");
                }
                Keys::Pem(keys.into_iter().map(|RawPemKey { file, kid }| (base.join(file), kid)).collect())
            }
        }
    }
}
