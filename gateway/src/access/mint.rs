//! Development tokens.

use super::key_set::KeySet;
use super::namespace_claim::{EVERY_NAMESPACE, check_pointer, pointer_steps};
use crate::identity::NamespaceGrant;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value};
use std::time::Duration;

/// What a development token shall say.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The `iss` claim.
    pub issuer: String,
    /// The `aud` claim, if there shall be one.
    pub audience: Option<String>,
    /// The `sub` claim.
    pub subject: String,
    /// The namespaces it opens.
    pub namespaces: NamespaceGrant,
    /// JSON pointer (RFC 6901) to the claim for the namespaces; objects on the way are created.
    pub namespaces_claim: String,
    /// `iat` and `nbf`, in seconds since 1970.
    pub now: u64,
    /// From `now` to `exp`, in whole seconds.
    pub lifetime: Duration,
    /// Further claims. They cannot replace those above.
    pub extra: Map<String, Value>,
}

/// A token that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MintError(String);

/// Makes an HS256 token without `kid`, for development and tests.
///
/// # Errors
///
/// When the secret is shorter than 32 bytes, or the namespaces claim or an extra claim would replace another.
pub fn mint(secret: &[u8], request: &TokenRequest) -> Result<String, MintError> {
    KeySet::new().add_secret(None, secret).map_err(|error| MintError(error.message))?;
    let claims = Value::Object(claims(request)?);
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
        .map_err(|error| MintError(error.to_string()))
}

fn claims(request: &TokenRequest) -> Result<Map<String, Value>, MintError> {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), request.issuer.as_str().into());
    if let Some(audience) = &request.audience {
        claims.insert("aud".to_owned(), audience.as_str().into());
    }
    claims.insert("sub".to_owned(), request.subject.as_str().into());
    claims.insert("iat".to_owned(), request.now.into());
    claims.insert("nbf".to_owned(), request.now.into());
    claims.insert("exp".to_owned(), request.now.saturating_add(request.lifetime.as_secs()).into());
    for (name, value) in &request.extra {
        if claims.insert(name.clone(), value.clone()).is_some() {
            return Err(MintError(format!("the claim `{name}` is set already")));
        }
    }
    let namespaces = match &request.namespaces {
        NamespaceGrant::All => EVERY_NAMESPACE.into(),
        NamespaceGrant::Only(names) => names.iter().map(String::as_str).collect(),
    };
    place(&mut claims, &request.namespaces_claim, namespaces)?;
    Ok(claims)
}

/// Puts `value` where the pointer says.
fn place(claims: &mut Map<String, Value>, pointer: &str, value: Value) -> Result<(), MintError> {
    let refuse = |problem: &str| MintError(format!("the namespaces claim `{pointer}` {problem}"));
    check_pointer(pointer).map_err(refuse)?;
    let mut steps: Vec<String> = pointer_steps(pointer).collect();
    let last = steps.pop().unwrap_or_default();
    let mut object = claims;
    for step in steps {
        let next = object.entry(step).or_insert_with(|| Value::Object(Map::new()));
        object = next.as_object_mut().ok_or_else(|| refuse("lies in another claim"))?;
    }
    if object.insert(last, value).is_some() { Err(refuse("is set already")) } else { Ok(()) }
}
