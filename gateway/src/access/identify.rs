//! The step of a request that finds out who calls.

use super::access_rule::AccessRule;
use super::bearer::bearer_token;
use super::token_cache::TokenCache;
use super::token_error::TokenError;
use crate::identity::Identity;
use crate::rejection::Rejection;
use http::HeaderMap;

/// Finds out who calls, at `now` in seconds since 1970.
///
/// On a public route nobody is asked: a token is not looked at, good or bad, and the caller is anonymous. So an expired
/// token never closes a public route, and what such a route does cannot depend on a token by accident.
///
/// # Errors
///
/// A 401 with its `WWW-Authenticate` when there is no token or it is not accepted.
pub fn identify(rule: &AccessRule, tokens: &TokenCache, headers: &HeaderMap, now: u64) -> Result<Identity, Rejection> {
    if rule.public {
        return Ok(Identity::Anonymous);
    }
    let caller = bearer_token(headers)
        .and_then(|token| token.ok_or(TokenError::Missing))
        .and_then(|token| tokens.verify(token, now))
        .map_err(|error| error.reject(&rule.namespace))?;
    Ok(Identity::Caller(caller))
}
