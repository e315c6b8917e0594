//! Checking a token: with all its cryptography (*cold*), and when it was seen before (*cached*).

use criterion::{Criterion, criterion_group, criterion_main};
use framex_gateway::access::{Algorithm, Audiences, Issuer, KeySet, TokenCache, TokenVerifier};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use std::hint::black_box;
use std::time::Duration;

const NOW: u64 = 1_800_000_000;
const ISS: &str = "https://id.example.com/";
const SECRET: &[u8] = b"a secret for benches only, long enough for HS256";

/// The keys of the access tests; nothing trusts them.
macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!("../../gateway/src/access/testdata/", $name))
    };
}

fn issuer(algorithm: Algorithm, keys: KeySet) -> Issuer {
    Issuer {
        name: "main".to_owned(),
        issuer: ISS.to_owned(),
        audiences: Audiences::AnyOf(vec!["gateway".to_owned()]),
        algorithms: vec![algorithm],
        leeway: Duration::from_secs(30),
        namespaces_claim: "/namespaces".to_owned(),
        keys,
    }
}

fn token(algorithm: Algorithm, key: &EncodingKey, subject: usize) -> String {
    let claims = json!({
        "iss": ISS, "aud": "gateway", "sub": format!("user-{subject}"), "exp": NOW + 3_600, "iat": NOW, "nbf": NOW,
        "namespaces": ["vision", "audio"], "scope": "images:read images:write", "realm_access": { "roles": ["user"] },
    });
    jsonwebtoken::encode(&Header::new(algorithm), &claims, key).expect("a token can be made")
}

fn pem(pem: &[u8]) -> KeySet {
    let mut keys = KeySet::new();
    keys.add_pem(None, pem).expect("a public key");
    keys
}

fn secret() -> KeySet {
    let mut keys = KeySet::new();
    keys.add_secret(None, SECRET).expect("a secret");
    keys
}

fn verifier(algorithm: Algorithm, keys: KeySet) -> TokenVerifier {
    TokenVerifier::new(vec![issuer(algorithm, keys)]).expect("a good issuer")
}

fn cold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token_cold");
    let ec = EncodingKey::from_ec_pem(key!("p256.private.pem")).expect("a key");
    let rsa = EncodingKey::from_rsa_pem(key!("rsa.private.pem")).expect("a key");
    let ed = EncodingKey::from_ed_pem(key!("ed25519.private.pem")).expect("a key");
    for (algorithm, keys, key) in [
        (Algorithm::HS256, secret(), EncodingKey::from_secret(SECRET)),
        (Algorithm::ES256, pem(key!("p256.public.pem")), ec),
        (Algorithm::RS256, pem(key!("rsa.public.pem")), rsa),
        (Algorithm::EdDSA, pem(key!("ed25519.public.pem")), ed),
    ] {
        let verifier = verifier(algorithm, keys);
        let token = token(algorithm, &key, 1);
        group.bench_function(format!("{algorithm:?}"), |bencher| {
            bencher.iter(|| verifier.verify(black_box(&token), NOW).expect("a good token"));
        });
    }
    group.finish();
}

fn cached(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("token_cached");
    let key = EncodingKey::from_secret(SECRET);
    let cache = TokenCache::new(verifier(Algorithm::HS256, secret()), TokenCache::DEFAULT_CAPACITY);
    let tokens: Vec<String> = (0..5_000).map(|subject| token(Algorithm::HS256, &key, subject)).collect();
    for token in &tokens {
        cache.verify(token, NOW).expect("a good token");
    }
    group.bench_function("hot", |bencher| {
        bencher.iter(|| cache.verify(black_box(&tokens[0]), NOW).expect("a good token"));
    });
    let mut next = tokens.iter().cycle();
    group.bench_function("5000_tokens", |bencher| {
        bencher
            .iter(|| cache.verify(black_box(next.next().expect("a cycle does not end")), NOW).expect("a good token"));
    });
    group.finish();
}

criterion_group!(benches, cold, cached);
criterion_main!(benches);
