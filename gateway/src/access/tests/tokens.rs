//! Which tokens are accepted.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

fn encoding_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => EncodingKey::from_secret(SECRET),
        Algorithm::ES256 => EncodingKey::from_ec_pem(P256_PRIVATE).unwrap(),
        Algorithm::ES384 => EncodingKey::from_ec_pem(P384_PRIVATE).unwrap(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(ED25519_PRIVATE).unwrap(),
        _ => EncodingKey::from_rsa_pem(RSA_PRIVATE).unwrap(),
    }
}

fn public_pem(algorithm: Algorithm) -> Option<&'static [u8]> {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
        Algorithm::ES256 => Some(P256_PUBLIC),
        Algorithm::ES384 => Some(P384_PUBLIC),
        Algorithm::EdDSA => Some(ED25519_PUBLIC),
        _ => Some(RSA_PUBLIC),
    }
}

const EVERY_ALGORITHM: [Algorithm; 12] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// A token with this header and these claims, as text, signed as HS256 whatever the header says.
fn sign_raw(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(SECRET);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[test]
fn every_algorithm_is_verified_with_its_own_key_only() {
    for signed in EVERY_ALGORITHM {
        let token = sign(&Header::new(signed), &claims(), &encoding_key(signed));
        for (position, byte) in [(token.len() - 10, 'x'), (token.find('.').unwrap() + 5, 'x')] {
            let mut changed = token.clone();
            let byte = if changed.as_bytes()[position] == b'x' { 'y' } else { byte };
            changed.replace_range(position..=position, byte.encode_utf8(&mut [0; 4]));
            let keys = public_pem(signed).map_or_else(secret_keys, |pem| pem_keys(&[(None, pem)]));
            let verifier = TokenVerifier::new(vec![issuer(&[signed], keys)]).unwrap();
            assert!(verifier.verify(&changed, NOW).is_err(), "{signed:?} changed at {position}");
        }
        for allowed in EVERY_ALGORITHM {
            let keys = public_pem(allowed).map_or_else(secret_keys, |pem| pem_keys(&[(None, pem)]));
            let verifier = TokenVerifier::new(vec![issuer(&[allowed], keys)]).unwrap();
            let verified = verifier.verify(&token, NOW);
            if signed == allowed {
                let caller = verified.unwrap();
                assert_eq!((caller.subject.as_str(), &*caller.issuer), ("ada", "main"));
                assert!(caller.namespaces.contains("vision") && !caller.namespaces.contains("speech"));
                assert_eq!(caller.claims, claims());
            } else {
                assert_eq!(
                    verified.unwrap_err(),
                    TokenError::AlgorithmNotAllowed { issuer: "main".into(), algorithm: signed }
                );
            }
        }
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    let keys = || {
        let mut keys = pem_keys(&[(Some("rsa"), RSA_PUBLIC), (Some("ec"), P256_PUBLIC)]);
        keys.add_secret(Some("hs".to_owned()), SECRET).unwrap();
        keys
    };
    let algorithms = [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256];
    let verifier = TokenVerifier::new(vec![issuer(&algorithms, keys())]).unwrap();
    for (kid, secret) in [("rsa", RSA_PUBLIC), ("ec", P256_PUBLIC)] {
        let token = sign(&with_kid(Algorithm::HS256, kid), &claims(), &EncodingKey::from_secret(secret));
        assert!(matches!(verifier.verify(&token, NOW), Err(TokenError::UnknownKey { .. })));
    }
    let token = sign(&with_kid(Algorithm::HS256, "hs"), &claims(), &EncodingKey::from_secret(RSA_PUBLIC));
    assert!(matches!(verifier.verify(&token, NOW), Err(TokenError::BadSignature { .. })));
    let token = sign(&with_kid(Algorithm::HS256, "hs"), &claims(), &EncodingKey::from_secret(SECRET));
    assert!(verifier.verify(&token, NOW).is_ok());
}

#[test]
fn headers_that_are_not_understood_are_refused() {
    let verifier = secret_verifier();
    let body = claims().to_string();
    for (header, problem) in [
        (r#"{"alg":"none"}"#, "`none` is unknown"),
        (r#"{"alg":"None"}"#, "`None` is unknown"),
        (r#"{"alg":"hs256"}"#, "`hs256` is unknown"),
        (r#"{"alg":""}"#, "`` is unknown"),
        (r#"{"alg":null}"#, "no `alg`"),
        (r#"{"alg":["HS256"]}"#, "no `alg`"),
        (r#"{"typ":"JWT"}"#, "no `alg`"),
        (r#"{"alg":"HS256","crit":["exp"]}"#, "`crit`"),
        (r#"{"alg":"HS256","crit":[]}"#, "`crit`"),
        (r#"{"alg":"HS256","crit":null}"#, "`crit`"),
        (r#"{"alg":"HS256","kid":1}"#, "`kid` is no string"),
        (r#"["HS256"]"#, "header is no JSON object"),
        (r#""HS256""#, "header is no JSON object"),
        ("", "header is no JSON object"),
    ] {
        let error = verifier.verify(&sign_raw(header, &body), NOW).unwrap_err();
        assert!(error.to_string().contains(problem), "{header}: {error}");
        assert_eq!(error.reason(), crate::rejection::Reason::TokenInvalid);
    }
    for header in
        [r#"{"alg":"HS256","typ":"at+jwt"}"#, r#"{"alg":"HS256","typ":7,"jku":"https://evil.example/","x5u":1}"#]
    {
        assert!(verifier.verify(&sign_raw(header, &body), NOW).is_ok(), "{header}");
    }
}

#[test]
fn a_key_in_the_token_is_never_used() {
    let secret = [7; 64];
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret) });
    let header = json!({ "alg": "HS256", "jwk": jwk, "jku": "https://evil.example/keys" }).to_string();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()));
    let key = EncodingKey::from_secret(&secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    let error = secret_verifier().verify(&format!("{message}.{signature}"), NOW).unwrap_err();
    assert!(matches!(error, TokenError::BadSignature { .. }));
}

#[test]
fn the_kid_chooses_the_key() {
    let two = pem_keys(&[(Some("one"), RSA_PUBLIC), (Some("two"), OTHER_RSA_PUBLIC)]);
    let verifier = TokenVerifier::new(vec![issuer(&[Algorithm::RS256], two)]).unwrap();
    let one = EncodingKey::from_rsa_pem(RSA_PRIVATE).unwrap();
    let two = EncodingKey::from_rsa_pem(OTHER_RSA_PRIVATE).unwrap();
    let verify = |header: &Header, key: &EncodingKey| verifier.verify(&sign(header, &claims(), key), NOW).map(drop);
    assert_eq!(verify(&with_kid(Algorithm::RS256, "one"), &one), Ok(()));
    assert_eq!(verify(&with_kid(Algorithm::RS256, "two"), &two), Ok(()));
    assert!(matches!(verify(&with_kid(Algorithm::RS256, "two"), &one), Err(TokenError::BadSignature { .. })));
    assert!(matches!(verify(&with_kid(Algorithm::RS256, "three"), &one), Err(TokenError::UnknownKey { .. })));
    assert!(matches!(verify(&Header::new(Algorithm::RS256), &one), Err(TokenError::UnknownKey { .. })));
}

#[test]
fn a_key_without_kid_serves_every_token_and_one_with_kid_only_its_own() {
    let key = EncodingKey::from_rsa_pem(RSA_PRIVATE).unwrap();
    for (kid, header, expected) in [
        (None, Header::new(Algorithm::RS256), true),
        (None, with_kid(Algorithm::RS256, "any"), true),
        (Some("one"), Header::new(Algorithm::RS256), true),
        (Some("one"), with_kid(Algorithm::RS256, "one"), true),
        (Some("one"), with_kid(Algorithm::RS256, "any"), false),
        (Some("one"), with_kid(Algorithm::RS256, ""), false),
    ] {
        let keys = pem_keys(&[(kid, RSA_PUBLIC)]);
        let verifier = TokenVerifier::new(vec![issuer(&[Algorithm::RS256], keys)]).unwrap();
        assert_eq!(verifier.verify(&sign(&header, &claims(), &key), NOW).is_ok(), expected, "{kid:?} {header:?}");
    }
}

#[test]
fn claims_decide_after_the_signature() {
    let verifier = secret_verifier();
    for (changes, expected) in [
        (json!({}), "good"),
        (json!({ "iss": null }), "issuer `` is unknown"),
        (json!({ "iss": "https://id.example.com" }), "`https://id.example.com` is unknown"),
        (json!({ "iss": [ISS] }), "issuer `` is unknown"),
        (json!({ "iss": "\n".repeat(100) }), "…"),
        (json!({ "aud": null }), "meant for ``"),
        (json!({ "aud": "other" }), "meant for"),
        (json!({ "aud": [] }), "meant for"),
        (json!({ "aud": ["other", "api"] }), "good"),
        (json!({ "aud": ["api", 1] }), "meant for"),
        (json!({ "aud": { "gateway": 1 } }), "meant for"),
        (json!({ "sub": null }), "good"),
        (json!({ "sub": 7 }), "`sub`"),
        (json!({ "exp": null }), "`exp` of a token of issuer `main` is missing"),
        (json!({ "exp": "tomorrow" }), "`exp`"),
        (json!({ "exp": NOW }), "good"),
        (json!({ "exp": NOW - 29 }), "good"),
        (json!({ "exp": NOW - 30 }), "was valid before"),
        (json!({ "exp": (NOW - 30) as f64 + 0.5 }), "good"),
        (json!({ "nbf": NOW + 30 }), "good"),
        (json!({ "nbf": NOW + 31 }), "is valid from"),
        (json!({ "nbf": "0" }), "`nbf`"),
        (json!({ "iat": NOW + 5000 }), "good"),
        (json!({ "namespaces": null }), "good"),
        (json!({ "namespaces": 1 }), "`/namespaces`"),
        (json!({ "aud": "other", "exp": 1 }), "meant for"),
    ] {
        let outcome = match verifier.verify(&sign_with_secret(&claims_with(&changes)), NOW) {
            Ok(_) => "good".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(outcome.contains(expected), "{changes}: {outcome}");
        assert!(!outcome.contains('\n'));
    }
}

#[test]
fn time_is_an_argument() {
    let token = sign_with_secret(&claims_with(&json!({ "nbf": NOW })));
    for (now, reason) in [
        (NOW - 31, "token_invalid"),
        (NOW - 30, ""),
        (NOW + 89, ""),
        (NOW + 90, "token_expired"),
        (u64::MAX, "token_expired"),
        (0, "token_invalid"),
    ] {
        let outcome = secret_verifier().verify(&token, now).map_or_else(|error| error.reason().code(), |_| "");
        assert_eq!(outcome, reason, "{now}");
    }
}

#[test]
fn an_unchecked_audience_must_be_asked_for() {
    let open = Issuer { audiences: Audiences::Unchecked, ..issuer(&[Algorithm::HS256], secret_keys()) };
    let verifier = TokenVerifier::new(vec![open]).unwrap();
    assert!(verifier.verify(&sign_with_secret(&claims_with(&json!({ "aud": null }))), NOW).is_ok());
}

#[test]
fn another_issuers_key_does_not_count() {
    let mut keys = KeySet::new();
    keys.add_secret(None, &[9; 32]).unwrap();
    let other = Issuer { name: "other".to_owned(), issuer: "other".to_owned(), ..issuer(&[Algorithm::HS256], keys) };
    let verifier = TokenVerifier::new(vec![issuer(&[Algorithm::HS256], secret_keys()), other]).unwrap();
    let error = verifier.verify(&sign_with_secret(&claims_with(&json!({ "iss": "other" }))), NOW).unwrap_err();
    assert_eq!(error.to_string(), "the signature is not that of secret 1 of issuer `other` for HS256");
    assert!(!error.description().contains("other"));
}

#[test]
fn garbage_and_long_tokens_are_refused() {
    let verifier = secret_verifier();
    let good = sign_with_secret(&claims());
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b",
        "é.é.é",
        &format!("{good}."),
        &format!(".{good}"),
        &format!("{good}="),
        &good[1..],
    ] {
        assert!(verifier.verify(token, NOW).is_err(), "{token}");
    }
    let stripped = format!("{}.", good.rsplit_once('.').unwrap().0);
    assert!(matches!(verifier.verify(&stripped, NOW), Err(TokenError::BadSignature { .. })));
    let long = |length: usize| sign_with_secret(&claims_with(&json!({ "padding": "x".repeat(length) })));
    assert!(verifier.verify(&long(5_500), NOW).is_ok());
    assert!(matches!(verifier.verify(&long(6_500), NOW), Err(TokenError::TooLong { .. })));
}

#[test]
fn a_minted_token_is_accepted_and_says_what_was_asked() {
    let mut wanted = request(NamespaceGrant::Only(["vision".to_owned(), "speech".to_owned()].into()));
    wanted.namespaces_claim = "/realm/a~1b/namespaces".to_owned();
    wanted.extra.insert("roles".to_owned(), json!(["admin"]));
    let token = mint(SECRET, &wanted).unwrap();
    let issuer =
        Issuer { namespaces_claim: wanted.namespaces_claim.clone(), ..issuer(&[Algorithm::HS256], secret_keys()) };
    let caller = TokenVerifier::new(vec![issuer]).unwrap().verify(&token, NOW).unwrap();
    let expected = json!({
        "iss": ISS, "aud": "gateway", "sub": "ada", "iat": NOW, "nbf": NOW, "exp": NOW + 60, "roles": ["admin"],
        "realm": { "a/b": { "namespaces": ["vision", "speech"] } },
    });
    assert_eq!(caller.claims, expected);
    assert!(caller.namespaces.contains("speech"));
    let everything = mint(SECRET, &request(NamespaceGrant::All)).unwrap();
    assert_eq!(secret_verifier().verify(&everything, NOW).unwrap().namespaces, NamespaceGrant::All);
}

#[test]
fn a_minted_token_never_overwrites_one_claim_with_another() {
    for (pointer, extra) in [("/sub", ""), ("/sub/x", ""), ("namespaces", ""), ("/n", "n"), ("/n", "exp")] {
        let mut wanted = request(NamespaceGrant::All);
        wanted.namespaces_claim = pointer.to_owned();
        if !extra.is_empty() {
            wanted.extra.insert(extra.to_owned(), json!(1));
        }
        assert!(mint(SECRET, &wanted).is_err(), "{pointer} {extra}");
    }
    assert!(mint(b"short", &request(NamespaceGrant::All)).unwrap_err().to_string().contains("32"));
}

proptest! {
    #[test]
    fn no_text_makes_the_verifier_panic(token in ".{0,200}", header in ".{0,60}", body in ".{0,60}") {
        let verifier = secret_verifier();
        prop_assert!(verifier.verify(&token, NOW).is_err());
        prop_assert!(verifier.verify(&sign_raw(&header, &body), NOW).is_err());
        let _ = verifier.verify(&sign_raw(r#"{"alg":"HS256"}"#, &body), NOW);
    }

    #[test]
    fn a_changed_token_is_never_accepted(position in any::<prop::sample::Index>(), byte in "[A-Za-z0-9_.-]") {
        let good = sign_with_secret(&claims());
        let mut changed = good.clone();
        let position = position.index(good.len());
        changed.replace_range(position..=position, &byte);
        prop_assert_eq!(secret_verifier().verify(&changed, NOW).is_ok(), changed == good);
    }

    #[test]
    fn claims_of_any_shape_are_judged_without_a_panic(name in "iss|aud|sub|exp|nbf|namespaces", value in any_json()) {
        let _ = secret_verifier().verify(&sign_with_secret(&claims_with(&json!({ name: value }))), NOW);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,3}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
