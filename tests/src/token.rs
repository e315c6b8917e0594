//! Tokens of the issuer that every test configuration knows.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The `iss` claim.
pub(crate) const ISSUER: &str = "https://issuer.test";
/// The `aud` claim.
pub(crate) const AUDIENCE: &str = "framex-gateway";
/// The shared secret, long enough for HS256.
pub(crate) const SECRET: &str = "a secret for tests that is longer than 32 bytes";

/// A token that is about to be signed.
#[derive(Clone, Debug)]
pub struct Token(Value);

impl Token {
    /// A token of `subject` for these namespaces, good for an hour.
    #[must_use]
    pub fn of(subject: &str, namespaces: &[&str]) -> Self {
        Self(json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "namespaces": namespaces, "exp": now() + 3600 }))
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.0[name] = value;
        self
    }

    /// Expired `seconds` ago.
    #[must_use]
    pub fn expired(self, seconds: u64) -> Self {
        let exp = now() - seconds;
        self.claim("exp", exp.into())
    }

    /// Signs it with the issuer's secret.
    #[must_use]
    pub fn sign(&self) -> String {
        sign(&self.0, SECRET)
    }
}

/// Signs claims (HS256).
///
/// # Panics
/// Never: JSON can always be signed.
#[must_use]
pub fn sign(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("JSON can be signed")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}
