//! Why a token is not accepted.

use super::challenge;
use super::token_verifier::LONGEST_TOKEN;
use crate::rejection::{Reason, Rejection};
use jsonwebtoken::Algorithm;
use std::fmt;
use std::sync::Arc;

/// Why a token is not accepted.
///
/// `Display` is the note for the operator: it names issuer, key and algorithm, never the token, and what it quotes from
/// a token is cut and escaped. [`TokenError::description`] is what the caller may read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The request has no bearer token.
    #[error("the request has no bearer token")]
    Missing,
    /// `Authorization` is no token and none of the keys.
    #[error("the Authorization field is neither a bearer token nor a known key")]
    UnknownApiKey,
    /// There is more than one `Authorization` field; servers disagree on which counts.
    #[error("the request has more than one Authorization field")]
    Repeated,
    /// `Bearer` is not followed by exactly one token.
    #[error("the Authorization field is not `Bearer` and one token")]
    NotBearer,
    /// The token is longer than [`LONGEST_TOKEN`].
    #[error("the token has {length} bytes, more than {LONGEST_TOKEN}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The token is no JWT in compact form.
    #[error("the token is malformed: {problem}")]
    Malformed {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The header demands that an extension be understood.
    #[error("the token's header has `crit`")]
    Critical,
    /// The header names an algorithm that does not exist here, such as `none`.
    #[error("the token's algorithm `{algorithm}` is unknown")]
    UnknownAlgorithm {
        /// As the token names it.
        algorithm: Shown,
    },
    /// No issuer with this `iss` claim is configured, or there is no such claim.
    #[error("the token's issuer `{iss}` is unknown")]
    UnknownIssuer {
        /// The claim; empty if there is none.
        iss: Shown,
    },
    /// The issuer does not use this algorithm.
    #[error("issuer `{issuer}` does not use {algorithm:?}")]
    AlgorithmNotAllowed {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// The algorithm of the token.
        algorithm: Algorithm,
    },
    /// The issuer has no such key, or the token names none and there is more than one.
    #[error("issuer `{issuer}` has no key `{kid}` for {algorithm:?}")]
    UnknownKey {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// The algorithm of the token.
        algorithm: Algorithm,
        /// The `kid` of the token; empty if it has none.
        kid: Shown,
    },
    /// The signature is not that of the key.
    #[error("the signature is not that of {key} of issuer `{issuer}` for {algorithm:?}")]
    BadSignature {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// The algorithm of the token.
        algorithm: Algorithm,
        /// Which key was tried.
        key: String,
    },
    /// A claim is missing or not what it must be.
    #[error("the claim `{claim}` of a token of issuer `{issuer}` {problem}")]
    BadClaim {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// The name of the claim, or the pointer to it.
        claim: Box<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The token is meant for others.
    #[error("a token of issuer `{issuer}` is meant for `{audience}`")]
    WrongAudience {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// The `aud` claim as JSON.
        audience: Shown,
    },
    /// The token is not valid yet.
    #[error("a token of issuer `{issuer}` is valid from {from}, now it is {now}")]
    NotYetValid {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// Seconds since 1970, leeway included.
        from: u64,
        /// Seconds since 1970.
        now: u64,
    },
    /// The token's time is over.
    #[error("a token of issuer `{issuer}` was valid before {before}, now it is {now}")]
    Expired {
        /// The name of the issuer.
        issuer: Arc<str>,
        /// Seconds since 1970, leeway included.
        before: u64,
        /// Seconds since 1970.
        now: u64,
    },
}

impl TokenError {
    /// The reason in the table of all rejections.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::TokenMissing,
            Self::Expired { .. } => Reason::TokenExpired,
            _ => Reason::TokenInvalid,
        }
    }

    /// What the caller may read: the kind of failure, nothing from the token and nothing about keys.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is needed",
            Self::UnknownApiKey => "the key is not known",
            Self::Repeated => "the Authorization field must occur once",
            Self::NotBearer => "the Authorization field must be Bearer and one token",
            Self::TooLong { .. } => "the token is too long",
            Self::Malformed { .. } | Self::Critical | Self::UnknownAlgorithm { .. } => "the token is malformed",
            Self::UnknownIssuer { .. }
            | Self::AlgorithmNotAllowed { .. }
            | Self::UnknownKey { .. }
            | Self::BadSignature { .. } => "the token is not signed by an accepted issuer",
            Self::BadClaim { .. } => "a claim of the token is missing or malformed",
            Self::WrongAudience { .. } => "the token is meant for another audience",
            Self::NotYetValid { .. } => "the token is not valid yet",
            Self::Expired { .. } => "the token has expired",
        }
    }

    /// The 401 for a route of `namespace`.
    pub(super) fn reject(&self, namespace: &str) -> Rejection {
        let mut rejection = Rejection::new(self.reason(), self.description()).with_note(self.to_string());
        rejection.headers.www_authenticate = Some(match self {
            Self::Missing => challenge::token_needed(namespace),
            _ => challenge::invalid_token(namespace, self.description()),
        });
        rejection
    }
}

/// Text from a token, cut and escaped for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(Box<str>);

/// The most characters of a value that a note shows.
const MOST_CHARACTERS: usize = 64;

impl Shown {
    pub(super) fn new(text: &str) -> Self {
        let mut shown: String = text.chars().take(MOST_CHARACTERS).flat_map(char::escape_debug).collect();
        if text.chars().nth(MOST_CHARACTERS).is_some() {
            shown.push('…');
        }
        Self(shown.into())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
