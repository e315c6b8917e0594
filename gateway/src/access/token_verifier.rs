//! From a token to a caller.

use super::issuer::{Audiences, Issuer, IssuerError, check_issuer};
use super::key_set::VerificationKey;
use super::namespace_claim::read_grant;
use super::token_error::{Shown, TokenError};
use super::token_parts::TokenParts;
use super::token_time::{OutOfTime, Validity};
use crate::identity::Caller;
use crate::request::field::field_value;
use jsonwebtoken::Algorithm;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The longest token in bytes. It fits what identity providers issue and bounds the work for one that is refused.
pub const LONGEST_TOKEN: usize = 8 * 1024;

/// Verifies the tokens of a set of issuers. Immutable.
#[derive(Debug, Default)]
pub struct TokenVerifier {
    /// By the `iss` claim.
    issuers: HashMap<String, (Arc<str>, Issuer)>,
}

/// A caller, and when the token that names it is valid.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    pub(super) caller: Arc<Caller>,
    validity: Validity,
}

impl Verified {
    pub(super) fn check_time(&self, now: u64) -> Result<(), TokenError> {
        let issuer = || Arc::clone(&self.caller.issuer);
        self.validity.check(now).map_err(|out_of_time| match out_of_time {
            OutOfTime::TooEarly(from) => TokenError::NotYetValid { issuer: issuer(), from, now },
            OutOfTime::TooLate(before) => TokenError::Expired { issuer: issuer(), before, now },
        })
    }
}

impl TokenVerifier {
    /// A verifier for these issuers; with none, every token is refused.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the issuers, each with its name and key.
    pub fn new(issuers: Vec<Issuer>) -> Result<Self, Vec<IssuerError>> {
        let mut errors: Vec<IssuerError> = issuers.iter().flat_map(check_issuer).collect();
        for (index, issuer) in issuers.iter().enumerate() {
            let mut report = |message| errors.push(IssuerError { issuer: issuer.name.clone(), key: None, message });
            if issuers[..index].iter().any(|other| other.name == issuer.name) {
                report("there is another issuer of this name".to_owned());
            }
            if let Some(other) = issuers[..index].iter().find(|other| other.issuer == issuer.issuer) {
                report(format!("issuer `{}` has the same `iss` claim", other.name));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let by_iss = |issuer: Issuer| (issuer.issuer.clone(), (Arc::from(issuer.name.as_str()), issuer));
        Ok(Self { issuers: issuers.into_iter().map(by_iss).collect() })
    }

    /// Verifies a token at `now`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Why the token is not accepted. Time is checked last: a token is called expired only if it was good once.
    pub fn verify(&self, token: &str, now: u64) -> Result<Arc<Caller>, TokenError> {
        let verified = self.verify_signed(token)?;
        verified.check_time(now)?;
        Ok(verified.caller)
    }

    /// Verifies everything but the time.
    pub(super) fn verify_signed(&self, token: &str) -> Result<Verified, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::TooLong { length: token.len() });
        }
        let parts = TokenParts::read(token)?;
        let iss = parts.claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let Some((name, issuer)) = self.issuers.get(iss) else {
            return Err(TokenError::UnknownIssuer { iss: Shown::new(iss) });
        };
        verify_signature(&parts, name, issuer)?;
        read_caller(parts.claims, name, issuer)
    }
}

fn verify_signature(parts: &TokenParts<'_>, name: &Arc<str>, issuer: &Issuer) -> Result<(), TokenError> {
    let algorithm = parts.algorithm;
    if !issuer.algorithms.contains(&algorithm) {
        return Err(TokenError::AlgorithmNotAllowed { issuer: Arc::clone(name), algorithm });
    }
    let Some(key) = choose_key(issuer.keys.keys(), algorithm, parts.kid.as_deref()) else {
        let kid = Shown::new(parts.kid.as_deref().unwrap_or_default());
        return Err(TokenError::UnknownKey { issuer: Arc::clone(name), algorithm, kid });
    };
    match jsonwebtoken::crypto::verify(parts.signature, parts.message.as_bytes(), &key.material, algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => {
            Err(TokenError::BadSignature { issuer: Arc::clone(name), algorithm, key: key.label.clone() })
        }
    }
}

/// The one key that may verify the token. Never more than one is tried: `kid` names it, or it is the only one.
fn choose_key<'a>(keys: &'a [VerificationKey], algorithm: Algorithm, kid: Option<&str>) -> Option<&'a VerificationKey> {
    let mut fitting = keys.iter().filter(|key| key.algorithms.contains(&algorithm));
    match kid {
        Some(kid) => fitting.find(|key| key.kid.as_deref().is_none_or(|own| own == kid)),
        None => fitting.next().filter(|_| fitting.next().is_none()),
    }
}

fn read_caller(claims: Value, name: &Arc<str>, issuer: &Issuer) -> Result<Verified, TokenError> {
    let bad = |claim: &str, problem| TokenError::BadClaim { issuer: Arc::clone(name), claim: claim.into(), problem };
    let validity = Validity::read(&claims, issuer.leeway.as_secs()).map_err(|(claim, problem)| bad(claim, problem))?;
    if !is_meant_for(&claims, &issuer.audiences) {
        let audience = claims.get("aud").map(ToString::to_string).unwrap_or_default();
        return Err(TokenError::WrongAudience { issuer: Arc::clone(name), audience: Shown::new(&audience) });
    }
    let subject = match claims.get("sub") {
        None => String::new(),
        Some(Value::String(subject)) => subject.clone(),
        Some(_) => return Err(bad("sub", "is no string")),
    };
    let pointer = &issuer.namespaces_claim;
    let namespaces = read_grant(&claims, pointer).map_err(|problem| bad(pointer, problem))?;
    let subject_field = (!subject.is_empty()).then(|| field_value(&subject));
    let caller = Caller {
        subject,
        subject_field,
        issuer: Arc::clone(name),
        namespaces,
        dialect: None,
        claims,
        key: None,
        priority: None,
    };
    Ok(Verified { caller: Arc::new(caller), validity })
}

/// `aud` is one name or a list of names (RFC 7519 §4.1.3).
fn is_meant_for(claims: &Value, audiences: &Audiences) -> bool {
    let Audiences::AnyOf(accepted) = audiences else { return true };
    let is_accepted = |name: &Value| name.as_str().is_some_and(|name| accepted.iter().any(|accepted| accepted == name));
    match claims.get("aud") {
        Some(Value::Array(names)) => names.iter().all(Value::is_string) && names.iter().any(is_accepted),
        Some(name) => is_accepted(name),
        None => false,
    }
}
