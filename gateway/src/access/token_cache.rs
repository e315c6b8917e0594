//! Remembering which tokens are good.

use super::api_keys::ApiKeys;
use super::token_error::TokenError;
use super::token_verifier::{TokenVerifier, Verified};
use crate::identity::Caller;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// A [`TokenVerifier`] that remembers the callers of good tokens.
///
/// The whole token is the key and is compared in full, so one token never gives another's caller; the hash before it is
/// keyed at random. The time is checked at each use exactly as without the cache. Tokens that are refused are not
/// remembered: most fail before any cryptography, and whoever forges one can make each try different, so remembering
/// would only push good tokens out.
///
/// The verifier is inside, so a cache cannot outlive its issuers: a reload that changes them builds a new cache.
#[derive(Debug)]
pub struct TokenCache {
    verifier: TokenVerifier,
    keys: ApiKeys,
    callers: Cache<Box<str>, Verified>,
}

impl TokenCache {
    /// How many tokens to remember when nothing else is said.
    pub const DEFAULT_CAPACITY: usize = 10_000;

    /// A cache that remembers about `capacity` tokens, each with its claims; the least used go first.
    #[must_use]
    pub fn new(verifier: TokenVerifier, capacity: usize) -> Self {
        Self { verifier, keys: ApiKeys::default(), callers: Cache::new(capacity) }
    }

    /// Accepts these keys, too.
    #[must_use]
    pub fn with_keys(mut self, keys: ApiKeys) -> Self {
        self.keys = keys;
        self
    }

    /// The static keys that are accepted.
    #[must_use]
    pub fn keys(&self) -> &ApiKeys {
        &self.keys
    }

    /// Verifies a token at `now`, in seconds since 1970. For a token that is remembered this allocates nothing.
    ///
    /// # Errors
    ///
    /// As [`TokenVerifier::verify`].
    pub fn verify(&self, token: &str, now: u64) -> Result<Arc<Caller>, TokenError> {
        if let Some(verified) = self.callers.get(token) {
            return match verified.check_time(now) {
                Ok(()) => Ok(verified.caller),
                Err(error) => {
                    if matches!(error, TokenError::Expired { .. }) {
                        self.callers.remove(token);
                    }
                    Err(error)
                }
            };
        }
        let verified = self.verifier.verify_signed(token)?;
        verified.check_time(now)?;
        let caller = Arc::clone(&verified.caller);
        self.callers.insert(token.into(), verified);
        Ok(caller)
    }

    /// How many tokens are remembered, for metrics.
    #[must_use]
    pub fn len(&self) -> usize {
        self.callers.len()
    }

    /// Whether no token is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.callers.is_empty()
    }
}
