//! What a request gets: an identity, or a 401 or 403 with its header field.

use super::*;
use crate::identity::Identity;
use crate::rejection::{Reason, Rejection};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

fn headers(authorization: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn ask(rule: &AccessRule, authorization: &[&str]) -> Result<Identity, Rejection> {
    let tokens = TokenCache::new(secret_verifier(), 10);
    let identity = identify(rule, &tokens, &headers(authorization), NOW)?;
    rule.authorise(&identity)?;
    Ok(identity)
}

fn challenge(rejection: &Rejection) -> &str {
    rejection.headers.www_authenticate.as_deref().unwrap()
}

fn bearer(claims: &Value) -> String {
    format!("Bearer {}", sign_with_secret(claims))
}

#[test]
fn a_good_token_opens_its_namespace() {
    for namespaces in [json!(["vision"]), json!("speech vision"), json!("*")] {
        let token = bearer(&claims_with(&json!({ "namespaces": namespaces })));
        assert_eq!(ask(&rule(), &[&token]).unwrap().subject(), Some("ada"));
    }
}

#[test]
fn a_request_without_a_token_gets_a_challenge_without_an_error() {
    for authorization in [&[][..], &["Basic dTpw"]] {
        let rejection = ask(&rule(), authorization).unwrap_err();
        assert_eq!(rejection.reason, Reason::TokenMissing);
        assert_eq!(challenge(&rejection), r#"Bearer realm="vision""#);
    }
    assert_eq!(rule().authorise(&Identity::Anonymous).unwrap_err().reason, Reason::TokenMissing);
}

#[test]
fn a_bad_token_gets_the_error_and_the_log_gets_the_note() {
    let expired = bearer(&claims_with(&json!({ "exp": 1 })));
    let foreign = format!("Bearer {}", mint(&[1; 32], &request(NamespaceGrant::All)).unwrap());
    for (authorization, reason, description, note) in [
        (&[expired.as_str()][..], Reason::TokenExpired, "the token has expired", "was valid before 31"),
        (
            &[foreign.as_str()],
            Reason::TokenInvalid,
            "the token is not signed by an accepted issuer",
            "secret 1 of issuer `main`",
        ),
        (&["Bearer a.b.c"], Reason::TokenInvalid, "the token is malformed", "header is no JSON"),
        (&["Bearer"], Reason::TokenInvalid, "the Authorization field must be Bearer and one token", "not `Bearer`"),
        (&["Bearer a", "Bearer b"], Reason::TokenInvalid, "the Authorization field must occur once", "more than one"),
    ] {
        let rejection = ask(&rule(), authorization).unwrap_err();
        assert_eq!((rejection.reason, &*rejection.detail), (reason, description));
        let expected = format!(r#"Bearer realm="vision", error="invalid_token", error_description="{description}""#);
        assert_eq!(challenge(&rejection), expected);
        assert!(rejection.note.contains(note), "{}", rejection.note);
        for token in authorization.iter().filter(|token| token.len() > 20) {
            assert!(!format!("{rejection:?}").contains(&token[7..]), "the token is never repeated");
        }
    }
}

#[test]
fn a_public_route_looks_at_no_token() {
    let public = AccessRule { public: true, claims: vec![never()], ..rule() };
    let good = bearer(&claims());
    for authorization in [&[][..], &["Bearer nonsense"], &[good.as_str()], &["Bearer a", "Bearer b"]] {
        assert!(matches!(ask(&public, authorization), Ok(Identity::Anonymous)));
    }
}

fn never() -> ClaimRule {
    ClaimRule { pointer: "/never".to_owned(), any_of: vec![json!(true)] }
}

#[test]
fn a_token_for_another_namespace_is_forbidden() {
    let token = bearer(&claims_with(&json!({ "namespaces": ["speech"], "sub": "line\nbreak" })));
    let rejection = ask(&rule(), &[&token]).unwrap_err();
    assert_eq!(rejection.reason, Reason::NamespaceForbidden);
    assert_eq!(rejection.note, "caller `line\\nbreak` of issuer `main` is granted speech");
    assert_eq!(
        challenge(&rejection),
        "Bearer realm=\"vision\", error=\"insufficient_scope\", \
         error_description=\"the token does not grant the namespace `vision`\""
    );
}

#[test]
fn a_route_may_accept_some_issuers_only() {
    let with = |names: &[&str]| AccessRule { issuers: Some(names.iter().map(ToString::to_string).collect()), ..rule() };
    let token = bearer(&claims());
    assert!(ask(&with(&["other", "main"]), &[&token]).is_ok());
    for names in [&["other"][..], &[]] {
        let rejection = ask(&with(names), &[&token]).unwrap_err();
        assert_eq!(rejection.reason, Reason::ClaimForbidden);
        assert!(rejection.detail.contains("`main`"));
    }
}

#[test]
fn claim_rules_hold_for_equal_values_and_lists_that_hold_one() {
    for (pointer, any_of, claims, expected) in [
        ("/role", json!(["admin"]), json!({ "role": "admin" }), true),
        ("/role", json!(["admin", "owner"]), json!({ "role": ["user", "owner"] }), true),
        ("/role", json!(["admin"]), json!({ "role": ["user"] }), false),
        ("/role", json!(["admin"]), json!({ "role": "user admin" }), false),
        ("/role", json!(["admin"]), json!({ "role": "administrator" }), false),
        ("/role", json!(["admin"]), json!({}), false),
        ("/role", json!([]), json!({ "role": "admin" }), false),
        ("/role", json!([null]), json!({}), false),
        ("/realm/roles", json!(["a"]), json!({ "realm": { "roles": ["a"] } }), true),
        ("/a~1b", json!([7]), json!({ "a/b": 7 }), true),
        ("/level", json!([7]), json!({ "level": "7" }), false),
        ("/verified", json!([true]), json!({ "verified": true }), true),
        ("/scope", json!(["images:write"]), json!({ "scope": "images:read images:write" }), true),
        ("/scope", json!(["images"]), json!({ "scope": "images:read images:write" }), false),
        ("/scp", json!(["a"]), json!({ "scp": ["a", "b"] }), true),
        ("role", json!(["admin"]), json!({ "role": "admin" }), false),
    ] {
        let any_of = any_of.as_array().unwrap().clone();
        let rule = ClaimRule { pointer: pointer.to_owned(), any_of };
        assert_eq!(rule.holds(&claims), expected, "{rule} for {claims}");
    }
}

#[test]
fn a_missing_claim_is_named_and_a_missing_scope_is_offered() {
    let rules = [
        ClaimRule { pointer: "/role".to_owned(), any_of: vec![json!("user")] },
        ClaimRule { pointer: "/scope".to_owned(), any_of: vec![json!("images:write")] },
    ];
    let rule = AccessRule { claims: rules.to_vec(), ..rule() };
    let rejection = ask(&rule, &[&bearer(&claims())]).unwrap_err();
    assert_eq!(rejection.reason, Reason::ClaimForbidden);
    assert!(challenge(&rejection).contains("the claim `/role`"));
    assert!(!challenge(&rejection).contains("user") && !rejection.detail.contains("user"), "values are for the log");
    assert!(rejection.note.ends_with("the rule is: `/role` must be or hold \"user\""), "{}", rejection.note);
    let rejection = ask(&rule, &[&bearer(&claims_with(&json!({ "role": "user" })))]).unwrap_err();
    assert!(challenge(&rejection).ends_with(", scope=\"images:write\""));
    let good = bearer(&claims_with(&json!({ "role": "user", "scope": "images:write" })));
    assert!(ask(&rule, &[&good]).is_ok());
}

#[test]
fn every_challenge_is_a_field_value() {
    let odd = AccessRule { namespace: "a\"b\r\nx: y\u{e9}".to_owned(), ..rule() };
    let token = bearer(&claims_with(&json!({ "namespaces": [] })));
    for authorization in [&[][..], &["Bearer x"], &[token.as_str()]] {
        let rejection = ask(&odd, authorization).unwrap_err();
        assert!(HeaderValue::from_str(challenge(&rejection)).is_ok());
    }
}

#[test]
fn the_judgement_is_explained_in_sentences() {
    let rule = AccessRule { issuers: Some(vec!["main".to_owned()]), claims: vec![never()], ..rule() };
    let identity = Identity::Caller(caller(claims()));
    let sentences = explain(&rule, &Ok(identity));
    assert_eq!(
        sentences[..4],
        [
            "The route needs a token that grants the namespace `vision`.",
            "The token must be of one of these issuers: main.",
            "Its claim `/never` must be or hold true.",
            "The token is good: subject `ada`, issuer `main`, granting vision.",
        ]
    );
    assert!(sentences[4].starts_with("The request is refused with 403 `claim_forbidden`: the claim `/never`"));
    let refused = explain(&rule, &Err(TokenError::Missing.reject("vision")));
    assert!(refused.last().unwrap().contains("401 `token_missing`"));
    let open = AccessRule { claims: vec![], ..rule.clone() };
    assert_eq!(
        explain(&open, &Ok(Identity::Caller(caller(claims())))).last().unwrap(),
        "The caller may use the route."
    );
    let public = AccessRule { public: true, ..rule };
    assert_eq!(explain(&public, &Ok(Identity::Anonymous)), ["The route is public; no token is looked at."]);
}
