//! Which issuers and keys are accepted.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;

fn errors(issuers: Vec<Issuer>) -> Vec<String> {
    TokenVerifier::new(issuers).unwrap_err().iter().map(ToString::to_string).collect()
}

fn jwk(key: &EncodingKey, algorithm: Algorithm, changes: &Value) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        jwk.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    jwk
}

fn rsa_jwk(changes: &Value) -> Value {
    jwk(&EncodingKey::from_rsa_pem(RSA_PRIVATE).unwrap(), Algorithm::RS256, changes)
}

#[test]
fn keys_that_are_weak_private_or_strange_are_refused() {
    let certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".as_slice();
    let two = [RSA_PUBLIC, P256_PUBLIC].concat();
    for (pem, word) in [
        (WEAK_RSA_PUBLIC, "the RSA key has 1024 bits"),
        (P521_PUBLIC, "P-256 or P-384"),
        (ED448_PUBLIC, "not a public key of a kind"),
        (RSA_PRIVATE, "private key"),
        (P256_PRIVATE, "private key"),
        (ED25519_PRIVATE, "private key"),
        (certificate, "certificate"),
        (two.as_slice(), "more than one"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"),
        (b"-----BEGIN PUBLIC KEY-----\n", "not a public key"),
        (b"", "not PEM"),
        (b"\xff\xfe", "not PEM"),
    ] {
        let error = KeySet::new().add_pem(Some("k".to_owned()), pem).unwrap_err();
        assert_eq!(error.key, "PEM key 1 (`k`)");
        assert!(error.message.contains(word), "{error}");
    }
    let error = KeySet::new().add_secret(None, &[0; 31]).unwrap_err();
    assert_eq!(error.to_string(), "secret 1: the secret has 31 bytes; at least 32 are needed");
}

#[test]
fn an_issuer_is_refused_with_everything_that_is_wrong() {
    let bad = Issuer {
        issuer: String::new(),
        audiences: Audiences::AnyOf(vec![]),
        namespaces_claim: "namespaces".to_owned(),
        ..issuer(&[Algorithm::ES256], pem_keys(&[(None, RSA_PUBLIC)]))
    };
    let expected = [
        "issuer `main`: the `iss` claim of its tokens is empty",
        "issuer `main`: name at least one audience, and none that is empty",
        "issuer `main`: the namespaces claim `namespaces` is no JSON pointer: it starts with `/`",
        "issuer `main`: it has no key for ES256",
        "issuer `main`: PEM key 1: it verifies RS256, RS384, RS512, PS256, PS384, PS512, and the issuer allows only ES256",
    ];
    assert_eq!(errors(vec![bad]), expected);
    assert_eq!(errors(vec![issuer(&[], secret_keys())]), ["issuer `main`: name at least one algorithm"]);
}

#[test]
fn two_issuers_share_neither_name_nor_iss() {
    let found = errors(vec![issuer(&[Algorithm::HS256], secret_keys()), issuer(&[Algorithm::HS256], secret_keys())]);
    assert_eq!(
        found,
        [
            "issuer `main`: there is another issuer of this name",
            "issuer `main`: issuer `main` has the same `iss` claim"
        ]
    );
}

#[test]
fn keys_of_one_algorithm_need_kids_that_differ() {
    let unnamed = pem_keys(&[(None, RSA_PUBLIC), (Some("two"), OTHER_RSA_PUBLIC)]);
    let found = errors(vec![issuer(&[Algorithm::RS256], unnamed)]);
    assert_eq!(found, ["issuer `main`: PEM key 1: without a `kid` it must be the only key for RS256"]);
    let twins = pem_keys(&[(Some("one"), RSA_PUBLIC), (Some("one"), OTHER_RSA_PUBLIC)]);
    let found = errors(vec![issuer(&[Algorithm::RS256], twins)]);
    assert_eq!(found, ["issuer `main`: PEM key 2 (`one`): PEM key 1 (`one`) has the same `kid` for RS256"]);
    let apart = pem_keys(&[(None, RSA_PUBLIC), (None, P256_PUBLIC)]);
    assert!(TokenVerifier::new(vec![issuer(&[Algorithm::RS256, Algorithm::ES256], apart)]).is_ok());
}

#[test]
fn a_secret_must_be_as_long_as_the_hash() {
    let mut keys = KeySet::new();
    keys.add_secret(None, &[1; 47]).unwrap();
    let found = errors(vec![issuer(&[Algorithm::HS256, Algorithm::HS384], keys)]);
    assert_eq!(found, ["issuer `main`: HS384 needs a secret of 48 bytes or more"]);
}

#[test]
fn a_key_set_verifies_what_it_is_for() {
    let ec = EncodingKey::from_ec_pem(P256_PRIVATE).unwrap();
    let ec384 = EncodingKey::from_ec_pem(P384_PRIVATE).unwrap();
    let ed = EncodingKey::from_ed_pem(ED25519_PRIVATE).unwrap();
    let set = json!({ "keys": [
        rsa_jwk(&json!({ "kid": "rsa", "alg": null, "use": "sig" })),
        rsa_jwk(&json!({ "kid": "rsa512", "alg": "RS512", "key_ops": ["verify"] })),
        jwk(&ec, Algorithm::ES256, &json!({ "kid": "ec" })),
        jwk(&ec384, Algorithm::ES384, &json!({ "kid": "ec384" })),
        jwk(&ed, Algorithm::EdDSA, &json!({ "kid": "ed" })),
        { "kty": "oct", "kid": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET) },
        rsa_jwk(&json!({ "kid": "enc", "use": "enc" })),
        rsa_jwk(&json!({ "kid": "wrap", "key_ops": ["wrapKey"] })),
        rsa_jwk(&json!({ "kid": "oaep", "alg": "RSA-OAEP" })),
        { "kty": "EC", "crv": "P-521", "x": "", "y": "" },
        { "kty": "OKP", "crv": "X25519", "x": "" },
        { "kty": "AKP" },
    ] });
    let mut keys = KeySet::new();
    let notes = keys.add_jwks(&set.to_string()).unwrap();
    assert_eq!(
        notes,
        [
            "JWKS key 7 (`enc`) is left out: its `use` is `enc`",
            "JWKS key 8 (`wrap`) is left out: its `key_ops` has no `verify`",
            "JWKS key 9 (`oaep`) is left out: its `alg` is `RSA-OAEP`",
            "JWKS key 10 is left out: its `crv` is `P-521`",
            "JWKS key 11 is left out: its `crv` is `X25519`",
            "JWKS key 12 is left out: its `kty` is `AKP`",
        ]
    );
    assert_eq!(keys.len(), 6);
    let algorithms =
        [Algorithm::RS256, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::HS512];
    let verifier = TokenVerifier::new(vec![issuer(&algorithms, keys)]).unwrap();
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE).unwrap();
    let oct = EncodingKey::from_secret(SECRET);
    for (kid, algorithm, key, expected) in [
        ("rsa", Algorithm::RS256, &rsa, true),
        ("rsa", Algorithm::RS512, &rsa, true),
        ("rsa512", Algorithm::RS512, &rsa, true),
        ("rsa512", Algorithm::RS256, &rsa, false),
        ("enc", Algorithm::RS256, &rsa, false),
        ("ec", Algorithm::ES256, &ec, true),
        ("ec384", Algorithm::ES384, &ec384, true),
        ("ed", Algorithm::EdDSA, &ed, true),
        ("oct", Algorithm::HS512, &oct, true),
        ("rsa", Algorithm::HS512, &oct, false),
    ] {
        let token = sign(&with_kid(algorithm, kid), &claims(), key);
        assert_eq!(verifier.verify(&token, NOW).is_ok(), expected, "{kid} {algorithm:?}");
    }
}

#[test]
fn a_broken_key_set_is_refused_with_every_broken_key() {
    let weak = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let set = json!({ "keys": [
        rsa_jwk(&json!({ "n": null })),
        rsa_jwk(&json!({ "n": weak, "kid": "weak" })),
        rsa_jwk(&json!({ "n": "a+b" })),
        rsa_jwk(&json!({ "alg": "HS256" })),
        rsa_jwk(&json!({ "alg": 1 })),
        rsa_jwk(&json!({ "d": "AQAB" })),
        { "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" },
        { "kty": "OKP", "crv": "Ed25519", "x": "AA" },
        { "kty": "oct", "k": "AA" },
        { "kty": "oct", "alg": "RS256", "k": URL_SAFE_NO_PAD.encode(SECRET) },
        {},
        7,
        rsa_jwk(&json!({})),
    ] });
    let mut keys = KeySet::new();
    let errors = keys.add_jwks(&set.to_string()).unwrap_err();
    let words = [
        "`n`",
        "1024 bits",
        "base64url",
        "HS256",
        "no string",
        "private",
        "32 bytes",
        "32 bytes",
        "1 bytes",
        "RS256",
        "`kty`",
        "not an object",
    ];
    assert_eq!(errors.len(), words.len());
    for (error, word) in errors.iter().zip(words) {
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(keys.is_empty());
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "nonsense"] {
        assert_eq!(keys.add_jwks(text).unwrap_err()[0].key, "JWKS");
    }
}

#[test]
fn a_key_set_never_shows_a_secret() {
    let shown = format!("{:?}", secret_keys());
    assert!(!shown.contains(&format!("{:?}", &SECRET[..8]).replace(['[', ']'], "")), "{shown}");
    assert!(!shown.contains("a secret"));
}
