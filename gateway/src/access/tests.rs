//! Access as a whole: tokens of every kind, good and bad, up to the answer that the caller sees.

mod answers;
mod caching;
mod keys;
mod tokens;

use super::*;
use crate::identity::{Caller, NamespaceGrant};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The time of all tests, in seconds since 1970.
const NOW: u64 = 1_800_000_000;
const ISS: &str = "https://id.example.com/";
const SECRET: &[u8; 64] = b"a secret for tests only, long enough for the hash of HS512 .....";

const RSA_PRIVATE: &[u8] = include_bytes!("testdata/rsa.private.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("testdata/rsa.public.pem");
const OTHER_RSA_PRIVATE: &[u8] = include_bytes!("testdata/other_rsa.private.pem");
const OTHER_RSA_PUBLIC: &[u8] = include_bytes!("testdata/other_rsa.public.pem");
const WEAK_RSA_PUBLIC: &[u8] = include_bytes!("testdata/weak_rsa.public.pem");
const P256_PRIVATE: &[u8] = include_bytes!("testdata/p256.private.pem");
const P256_PUBLIC: &[u8] = include_bytes!("testdata/p256.public.pem");
const P384_PRIVATE: &[u8] = include_bytes!("testdata/p384.private.pem");
const P384_PUBLIC: &[u8] = include_bytes!("testdata/p384.public.pem");
const P521_PUBLIC: &[u8] = include_bytes!("testdata/p521.public.pem");
const ED25519_PRIVATE: &[u8] = include_bytes!("testdata/ed25519.private.pem");
const ED25519_PUBLIC: &[u8] = include_bytes!("testdata/ed25519.public.pem");
const ED448_PUBLIC: &[u8] = include_bytes!("testdata/ed448.public.pem");

fn issuer(algorithms: &[Algorithm], keys: KeySet) -> Issuer {
    Issuer {
        name: "main".to_owned(),
        issuer: ISS.to_owned(),
        audiences: Audiences::AnyOf(vec!["gateway".to_owned(), "api".to_owned()]),
        algorithms: algorithms.to_vec(),
        leeway: Duration::from_secs(30),
        namespaces_claim: "/namespaces".to_owned(),
        keys,
    }
}

fn secret_keys() -> KeySet {
    let mut keys = KeySet::new();
    keys.add_secret(None, SECRET).unwrap();
    keys
}

fn pem_keys(pems: &[(Option<&str>, &[u8])]) -> KeySet {
    let mut keys = KeySet::new();
    for (kid, pem) in pems {
        keys.add_pem(kid.map(str::to_owned), pem).unwrap();
    }
    keys
}

fn secret_verifier() -> TokenVerifier {
    TokenVerifier::new(vec![issuer(&[Algorithm::HS256], secret_keys())]).unwrap()
}

/// Claims of a token that is good now.
fn claims() -> Value {
    json!({ "iss": ISS, "aud": "gateway", "sub": "ada", "namespaces": ["vision"], "exp": NOW + 60 })
}

fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).unwrap()
}

fn sign_with_secret(claims: &Value) -> String {
    sign(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET))
}

fn with_kid(algorithm: Algorithm, kid: &str) -> Header {
    Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) }
}

fn rule() -> AccessRule {
    AccessRule { public: false, namespace: "vision".to_owned(), issuers: None, claims: Vec::new(), plugins: Vec::new() }
}

fn caller(claims: Value) -> Arc<Caller> {
    let namespaces = namespace_claim::read_grant(&claims, "/namespaces").unwrap();
    Arc::new(Caller {
        subject: "ada".to_owned(),
        subject_field: None,
        issuer: "main".into(),
        namespaces,
        dialect: None,
        claims,
        key: None,
        priority: None,
    })
}

fn request(namespaces: NamespaceGrant) -> TokenRequest {
    TokenRequest {
        issuer: ISS.to_owned(),
        audience: Some("gateway".to_owned()),
        subject: "ada".to_owned(),
        namespaces,
        namespaces_claim: "/namespaces".to_owned(),
        now: NOW,
        lifetime: Duration::from_secs(60),
        extra: Map::new(),
    }
}
