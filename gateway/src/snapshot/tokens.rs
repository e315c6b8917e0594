//! From the issuers of the configuration to something that checks tokens.

use crate::access::{Algorithm, ApiKeys, Audiences, Issuer, KeySet, TokenCache, TokenVerifier};
use crate::config::{self, ApiKey, Keys, ProblemList, ValuePath};
use crate::identity::{Caller, NamespaceGrant};
use crate::request::field::field_value;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Tokens whose check is remembered. A token is below 8 KiB, so this is at most 80 MB when all are that long.
const CACHED_TOKENS: usize = 10_000;

/// What access rules call the issuer of static keys.
const KEYS: &str = "keys";

/// What the verifier was made from; equal fingerprints mean equal verifiers.
pub(super) type Fingerprint = [u8; 32];

/// The digest of the issuers' settings and of the content of their key files.
pub(super) fn fingerprint(issuers: &[config::Issuer], keys: &[ApiKey]) -> Fingerprint {
    let mut digest = Sha256::new();
    digest.update(format!("{issuers:?}{keys:?}"));
    for key in keys {
        // Secrets are not in the text above.
        digest.update(Sha256::digest(key.key.reveal()));
    }
    for file in issuers.iter().flat_map(|issuer| key_files(&issuer.keys)) {
        // A file that cannot be read is reported when it is compiled.
        let content = std::fs::read(file).unwrap_or_default();
        digest.update(Sha256::digest(content));
    }
    digest.finalize().into()
}

/// Every file that holds keys.
pub(super) fn key_files(keys: &Keys) -> Vec<&Path> {
    match keys {
        Keys::SecretFile(file) | Keys::JwksFile(file) => vec![file],
        Keys::Pem(keys) => keys.iter().map(|(file, _)| file.as_path()).collect(),
    }
}

/// Reads the keys and makes the verifier. `None` when problems were reported.
pub(super) fn compile(issuers: &[config::Issuer], keys: &[ApiKey], problems: &mut ProblemList) -> Option<TokenCache> {
    let before = problems.len();
    let root = ValuePath::default().key("issuers");
    let compiled: Vec<Issuer> = issuers
        .iter()
        .map(|issuer| Issuer {
            name: issuer.name.clone(),
            issuer: issuer.issuer.clone(),
            audiences: Audiences::AnyOf(issuer.audiences.clone()),
            algorithms: issuer.algorithms.iter().filter_map(|name| name.parse::<Algorithm>().ok()).collect(),
            leeway: issuer.leeway,
            namespaces_claim: issuer.namespaces_claim.clone(),
            keys: read_keys(&issuer.keys, &root.key(issuer.name.clone()).key("keys"), problems),
        })
        .collect();
    if problems.len() > before {
        return None;
    }
    match TokenVerifier::new(compiled) {
        Ok(verifier) => Some(TokenCache::new(verifier, CACHED_TOKENS).with_keys(compile_keys(keys))),
        Err(errors) => {
            for error in errors {
                problems.report(root.key(error.issuer.clone()), error.to_string());
            }
            None
        }
    }
}

fn compile_keys(keys: &[ApiKey]) -> ApiKeys {
    let mut compiled = ApiKeys::default();
    for key in keys {
        let namespaces = if key.namespaces.iter().any(|name| name == "*") {
            NamespaceGrant::All
        } else {
            NamespaceGrant::Only(key.namespaces.clone().into())
        };
        let holder = Caller {
            subject: key.subject.clone(),
            subject_field: Some(field_value(&key.subject)),
            issuer: KEYS.into(),
            namespaces,
            dialect: key.dialect,
            claims: key.claims.clone().into_iter().collect(),
            key: Some(key.name.as_str().into()),
            priority: key.priority,
        };
        compiled.add(key.key.reveal(), holder);
    }
    compiled
}

fn read_keys(keys: &Keys, path: &ValuePath, problems: &mut ProblemList) -> KeySet {
    let mut set = KeySet::new();
    match keys {
        Keys::SecretFile(file) => {
            let path = path.key("secret_file");
            if let Some(secret) = read(file, &path, problems)
                && let Err(error) = set.add_secret(None, secret.trim_ascii())
            {
                problems.report(path, format!("{}: {error}", file.display()));
            }
        }
        Keys::JwksFile(file) => {
            let path = path.key("jwks_file");
            let Some(json) = read(file, &path, problems) else { return set };
            match set.add_jwks(&String::from_utf8_lossy(&json)) {
                Ok(notes) => {
                    for note in notes {
                        tracing::warn!(file = %file.display(), "{note}");
                    }
                }
                Err(errors) => {
                    for error in errors {
                        problems.report(path.clone(), format!("{}: {error}", file.display()));
                    }
                }
            }
        }
        Keys::Pem(keys) => {
            for (index, (file, kid)) in keys.iter().enumerate() {
                let path = path.key("pem").index(index).key("file");
                if let Some(pem) = read(file, &path, problems)
                    && let Err(error) = set.add_pem(kid.clone(), &pem)
                {
                    problems.report(path, format!("{}: {error}", file.display()));
                }
            }
        }
    }
    set
}

fn read(file: &Path, path: &ValuePath, problems: &mut ProblemList) -> Option<Vec<u8>> {
    match std::fs::read(file) {
        Ok(content) => Some(content),
        Err(error) => {
            problems.report(path.clone(), format!("cannot read {}: {error}", file.display()));
            None
        }
    }
}
