//! Who calls, and whether they may.
//!
//! A request that a route does not make public must carry `Authorization: Bearer <JWT>` (RFC 6750 §2.1; never a query
//! parameter or a form field). [`TokenCache::verify`] turns the token into a [`crate::identity::Caller`],
//! [`AccessRule::authorise`] decides whether that caller may use the route, and [`identify()`] is the step before it.
//! Nothing here reads a clock, a file or the network: time and key material are arguments.
//!
//! # What a token must be
//!
//! - A JWS in compact form (RFC 7515 §7.1) of at most 8 KiB, signed with HS256/384/512, RS256/384/512, PS256/384/512,
//!   ES256, ES384 or EdDSA (Ed25519). Unsigned tokens do not exist here: `none` is no algorithm.
//! - From a configured [`Issuer`]: the `iss` claim chooses the issuer, and from then on only that issuer's algorithms
//!   and keys count. A key that the token brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) is never looked at;
//!   `typ` and `cty` are ignored; a header with `crit` is refused, because no extension is understood (RFC 7515 §4.1.11).
//! - Signed by the key that its `kid` names. A key that was configured without `kid` serves any token of its algorithm,
//!   and there can be only one such key for an algorithm; a token without `kid` needs an issuer with exactly one key of
//!   its algorithm. Each key belongs to one family of algorithms, so a public key can never be taken for a secret.
//! - Meant for us (`aud`), not expired (`exp`, which must be there) and already valid (`nbf`, if there), each with the
//!   issuer's leeway. The dates may have fractions (RFC 7519 §2).
//!
//! # Static keys
//!
//! Callers that cannot get tokens may have a key ([`ApiKeys`]): the whole of `Authorization`, as FrameX sends it, or what follows
//! `Bearer`. A key stands for a caller with claims and namespaces of its own and is the issuer `keys` to access rules.
//!
//! # What a caller learns
//!
//! The description in a 401 names the kind of failure and nothing that helps to guess: that the signature or the issuer
//! is wrong is one answer. The log's note says which issuer, key and algorithm it was, never the token.

mod access_rule;
mod api_keys;
mod bearer;
mod challenge;
mod explain;
mod identify;
mod issuer;
mod key_set;
mod mint;
mod namespace_claim;
#[cfg(test)]
mod tests;
mod token_cache;
mod token_error;
mod token_parts;
mod token_time;
mod token_verifier;

pub use access_rule::{AccessRule, ClaimRule};
pub use api_keys::ApiKeys;
pub use bearer::bearer_token;
pub use explain::explain;
pub use identify::{identify, identify_caller, identify_if_shown};
pub use issuer::{Audiences, Issuer, IssuerError};
/// The signature algorithms (RFC 7518 §3.1); [`std::str::FromStr`] reads their names.
pub use jsonwebtoken::Algorithm;
pub use key_set::{KeyError, KeySet};
pub use mint::{MintError, TokenRequest, mint};
pub use token_cache::TokenCache;
pub use token_error::{Shown, TokenError};
pub use token_verifier::{LONGEST_TOKEN, TokenVerifier};
