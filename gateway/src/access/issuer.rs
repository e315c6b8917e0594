//! Whose tokens are accepted.

use super::key_set::{AlgorithmNames, KeySet, VerificationKey, hash_length};
use super::namespace_claim::check_pointer;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use std::time::Duration;

/// One token issuer. [`super::TokenVerifier::new`] checks it.
#[derive(Debug)]
pub struct Issuer {
    /// Its name in the configuration; unique.
    pub name: String,
    /// The exact `iss` claim of its tokens; unique.
    pub issuer: String,
    /// For whom its tokens must be meant.
    pub audiences: Audiences,
    /// The accepted signature algorithms; not empty.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock may differ from ours, in whole seconds; a fraction is dropped. 30 s is usual.
    pub leeway: Duration,
    /// JSON pointer (RFC 6901) to the claim with the namespaces a caller may use: a name, a list of names, or names
    /// separated by spaces; `*` is every namespace. `/namespaces` is usual.
    pub namespaces_claim: String,
    /// Its keys.
    pub keys: KeySet,
}

/// For whom tokens must be meant (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audiences {
    /// `aud` must name one of these; not empty.
    AnyOf(Vec<String>),
    /// `aud` is not looked at. Any token of the issuer opens the gateway, also one that was meant for another service.
    Unchecked,
}

/// An issuer that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("issuer `{issuer}`: {}{message}", key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default())]
pub struct IssuerError {
    /// The name of the issuer.
    pub issuer: String,
    /// The key that is wrong, if it is one.
    pub key: Option<String>,
    /// What is wrong; no full stop.
    pub message: String,
}

/// Everything that is wrong with one issuer taken for itself.
pub(super) fn check_issuer(issuer: &Issuer) -> Vec<IssuerError> {
    let mut errors = Vec::new();
    let mut report = |key: Option<&VerificationKey>, message: String| {
        let key = key.map(|key| key.label.clone());
        errors.push(IssuerError { issuer: issuer.name.clone(), key, message });
    };
    if issuer.issuer.is_empty() {
        report(None, "the `iss` claim of its tokens is empty".to_owned());
    }
    match &issuer.audiences {
        Audiences::AnyOf(names) if names.is_empty() || names.iter().any(String::is_empty) => {
            report(None, "name at least one audience, and none that is empty".to_owned());
        }
        Audiences::AnyOf(_) | Audiences::Unchecked => {}
    }
    if let Err(message) = check_pointer(&issuer.namespaces_claim) {
        report(None, format!("the namespaces claim `{}` {message}", issuer.namespaces_claim));
    }
    if issuer.algorithms.is_empty() {
        report(None, "name at least one algorithm".to_owned());
        return errors;
    }
    check_keys(issuer, &mut report);
    errors
}

fn check_keys(issuer: &Issuer, report: &mut impl FnMut(Option<&VerificationKey>, String)) {
    let keys = issuer.keys.keys();
    let allowed = AlgorithmNames(&issuer.algorithms);
    let is_fit = |key: &VerificationKey| key.algorithms.iter().any(|algorithm| issuer.algorithms.contains(algorithm));
    if !keys.iter().any(is_fit) {
        report(None, format!("it has no key for {allowed}"));
    }
    for key in keys.iter().filter(|key| key.chosen && !is_fit(key)) {
        let message = format!("it verifies {}, and the issuer allows only {allowed}", AlgorithmNames(&key.algorithms));
        report(Some(key), message);
    }
    for algorithm in &issuer.algorithms {
        let fitting: Vec<&VerificationKey> = keys.iter().filter(|key| key.algorithms.contains(algorithm)).collect();
        if fitting.is_empty() && algorithm.family() == AlgorithmFamily::Hmac {
            report(None, format!("{algorithm:?} needs a secret of {} bytes or more", hash_length(*algorithm)));
        }
        if fitting.len() < 2 {
            continue;
        }
        for (index, key) in fitting.iter().enumerate() {
            if key.kid.is_none() {
                report(Some(key), format!("without a `kid` it must be the only key for {algorithm:?}"));
            } else if let Some(twin) = fitting[..index].iter().find(|other| other.kid == key.kid) {
                report(Some(key), format!("{} has the same `kid` for {algorithm:?}", twin.label));
            }
        }
    }
}
