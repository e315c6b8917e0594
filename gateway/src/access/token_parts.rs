//! Taking a token apart, before anything in it is believed.

use super::token_error::{Shown, TokenError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

/// A token in compact form (RFC 7515 §7.1), decoded but not verified.
pub(super) struct TokenParts<'a> {
    /// What is signed: header and claims as they stand in the token.
    pub(super) message: &'a str,
    /// The signature, encoded.
    pub(super) signature: &'a str,
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// An object.
    pub(super) claims: Value,
}

impl<'a> TokenParts<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        let malformed = |problem| TokenError::Malformed { problem };
        let (message, signature) = token.rsplit_once('.').ok_or(malformed("it does not have three parts"))?;
        let (header, claims) = message.split_once('.').ok_or(malformed("it does not have three parts"))?;
        if claims.contains('.') {
            return Err(malformed("it does not have three parts"));
        }
        let header = decode_object(header).ok_or(malformed("its header is no JSON object in base64url"))?;
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let algorithm = read_algorithm(&header)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(malformed("its `kid` is no string")),
        };
        let claims = decode_object(claims).ok_or(malformed("its claims are no JSON object in base64url"))?;
        Ok(Self { message, signature, algorithm, kid, claims: Value::Object(claims) })
    }
}

fn read_algorithm(header: &Map<String, Value>) -> Result<Algorithm, TokenError> {
    let Some(name) = header.get("alg").and_then(Value::as_str) else {
        return Err(TokenError::Malformed { problem: "its header has no `alg`" });
    };
    match name.parse() {
        Ok(algorithm) => Ok(algorithm),
        Err(_) => Err(TokenError::UnknownAlgorithm { algorithm: Shown::new(name) }),
    }
}

fn decode_object(part: &str) -> Option<Map<String, Value>> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}
