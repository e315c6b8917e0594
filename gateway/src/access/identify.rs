//! The step of a request that finds out who calls.

use super::access_rule::AccessRule;
use super::bearer::{bearer_token, whole_authorization};
use super::token_cache::TokenCache;
use super::token_error::TokenError;
use crate::identity::{Caller, Identity};
use crate::rejection::Rejection;
use http::HeaderMap;
use std::sync::Arc;

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
    let caller = find_caller(tokens, headers, now).map_err(|error| error.reject(&rule.namespace))?;
    Ok(Identity::Caller(caller))
}

/// Finds out who calls where it is not known yet to which namespace, and nobody may without saying who.
///
/// # Errors
///
/// A 401 as of [`identify()`].
pub fn identify_caller(tokens: &TokenCache, headers: &HeaderMap, now: u64) -> Result<Identity, Rejection> {
    find_caller(tokens, headers, now).map(Identity::Caller).map_err(|error| error.reject(""))
}

/// Finds out whose credentials a request shows.
fn find_caller(tokens: &TokenCache, headers: &HeaderMap, now: u64) -> Result<Arc<Caller>, TokenError> {
    let keys = tokens.keys();
    match bearer_token(headers) {
        Ok(Some(token)) => match keys.holder(token) {
            Some(holder) => Ok(holder.clone()),
            None => tokens.verify(token, now),
        },
        // A key may look like no bearer token: FrameX sends whatever it is told to.
        unread => match whole_authorization(headers).map(|key| (keys.holder(key), keys.is_empty())) {
            Some((Some(holder), _)) => Ok(holder.clone()),
            Some((None, false)) if matches!(unread, Ok(None)) => Err(TokenError::UnknownApiKey),
            _ => Err(unread.err().unwrap_or(TokenError::Missing)),
        },
    }
}

/// Finds out who calls where nobody has to say it: without credentials, nobody known.
///
/// # Errors
///
/// A 401 when the credentials are not accepted.
pub fn identify_if_shown(tokens: &TokenCache, headers: &HeaderMap, now: u64) -> Result<Identity, Rejection> {
    match find_caller(tokens, headers, now) {
        Ok(caller) => Ok(Identity::Caller(caller)),
        Err(TokenError::Missing) => Ok(Identity::Anonymous),
        Err(error) => Err(error.reject("")),
    }
}
