//! What the cache may and may not change.

use super::*;
use proptest::prelude::*;

fn cache(capacity: usize) -> TokenCache {
    TokenCache::new(secret_verifier(), capacity)
}

#[test]
fn a_remembered_token_gives_the_same_caller() {
    let cache = cache(10);
    let token = sign_with_secret(&claims());
    let first = cache.verify(&token, NOW).unwrap();
    let second = cache.verify(&token, NOW + 10).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(cache.len(), 1);
}

#[test]
fn an_expired_token_is_never_served() {
    let cache = cache(10);
    let token = sign_with_secret(&claims());
    cache.verify(&token, NOW).unwrap();
    assert!(cache.verify(&token, NOW + 89).is_ok(), "the leeway counts as without the cache");
    assert!(matches!(cache.verify(&token, NOW + 90), Err(TokenError::Expired { .. })));
    assert!(cache.is_empty(), "it is forgotten");
    assert!(matches!(cache.verify(&token, NOW + 90), Err(TokenError::Expired { .. })));
    assert!(cache.is_empty(), "and not remembered again");
}

#[test]
fn a_clock_that_goes_back_makes_a_token_not_valid_yet() {
    let cache = cache(10);
    let token = sign_with_secret(&claims_with(&json!({ "nbf": NOW })));
    cache.verify(&token, NOW).unwrap();
    assert!(matches!(cache.verify(&token, NOW - 31), Err(TokenError::NotYetValid { .. })));
    assert!(cache.verify(&token, NOW).is_ok());
}

#[test]
fn refused_tokens_are_not_remembered() {
    let cache = cache(10);
    for token in
        ["a.b.c".to_owned(), sign_with_secret(&claims_with(&json!({ "exp": 1 }))), sign_with_secret(&claims()) + "x"]
    {
        assert!(cache.verify(&token, NOW).is_err());
    }
    assert!(cache.is_empty());
}

#[test]
fn the_cache_is_bounded_and_works_without_room() {
    for capacity in [0, 1, 50] {
        let cache = cache(capacity);
        for number in 0..200 {
            let token = sign_with_secret(&claims_with(&json!({ "sub": number.to_string() })));
            assert_eq!(cache.verify(&token, NOW).unwrap().subject, number.to_string());
        }
        assert!(cache.len() <= capacity.max(1) * 2, "{} of {capacity}", cache.len());
    }
}

#[test]
fn no_token_gives_anothers_caller() {
    let cache = cache(100);
    let tokens: Vec<(String, String)> = (0..100)
        .map(|number| (number.to_string(), sign_with_secret(&claims_with(&json!({ "sub": number.to_string() })))))
        .collect();
    std::thread::scope(|scope| {
        for offset in 0..4 {
            let (cache, tokens) = (&cache, &tokens);
            scope.spawn(move || {
                for (subject, token) in tokens.iter().cycle().skip(offset * 25).take(1_000) {
                    assert_eq!(cache.verify(token, NOW).unwrap().subject, *subject);
                    let other_signature = format!("{}AA", &token[..token.len() - 2]);
                    assert_eq!(cache.verify(&other_signature, NOW).is_ok(), other_signature == *token);
                }
            });
        }
    });
}

proptest! {
    #[test]
    fn the_cache_never_changes_an_answer(
        tokens in prop::collection::vec((0..3_u64, NOW - 100..NOW + 100, NOW - 100..NOW + 100), 1..4),
        asked in prop::collection::vec((any::<prop::sample::Index>(), NOW - 200..NOW + 200), 1..20),
    ) {
        let (cache, verifier) = (cache(2), secret_verifier());
        let token = |&(sub, nbf, exp): &(u64, u64, u64)| {
            sign_with_secret(&claims_with(&json!({ "sub": sub.to_string(), "nbf": nbf, "exp": exp })))
        };
        let tokens: Vec<String> = tokens.iter().map(token).collect();
        for (index, now) in asked {
            let token = index.get(&tokens);
            let subject = |caller: Arc<Caller>| caller.subject.clone();
            prop_assert_eq!(cache.verify(token, now).map(subject), verifier.verify(token, now).map(subject));
        }
    }
}
