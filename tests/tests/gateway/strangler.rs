//! Moving a route from one service to another, little by little: sticky shares and canaries.

use framex_tests::{Answer, Conf, Gateway, Token, Upstream};
use serde_json::json;
use std::collections::BTreeMap;

fn shared(old: &Upstream, new: &Upstream, route: &str) -> String {
    format!(
        "backends:
  old: {{ http: {{ endpoints: [\"{}\"] }} }}
  new: {{ http: {{ endpoints: [\"{}\"] }} }}
routes: [{{ name: shared, match: {{ path: /api/v1/demo/** }}, rewrite: {{ strip_prefix: /api/v1/demo }}, {route} }}]",
        old.url(),
        new.url()
    )
}

async fn two() -> (Upstream, Upstream) {
    (Upstream::replying("old").await, Upstream::replying("new").await)
}

/// Who answers each of a hundred users.
async fn who_answers(ask: impl AsyncFn(String) -> Answer) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    for number in 0..100 {
        let user = format!("user-{number}");
        let answer = ask(user.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answers.insert(user, answer.text());
    }
    answers
}

fn count(answers: &BTreeMap<String, String>, text: &str) -> usize {
    answers.values().filter(|answer| *answer == text).count()
}

#[tokio::test]
async fn a_header_keeps_callers_with_their_share_and_a_share_that_grows_keeps_its_callers() {
    let (old, new) = two().await;
    let yaml = |to: &str| shared(&old, &new, &format!("to: {to}, public: true, sticky: {{ header: X-Session }}"));
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml("{ old: 80, new: 20 }"))).await;
    let ask = async |user: String| gateway.get("/api/v1/demo/x").header("x-session", &user).await;
    let at_20 = who_answers(ask).await;
    assert!((5..40).contains(&count(&at_20, "new")), "{at_20:?}");
    assert_eq!(who_answers(ask).await, at_20, "the same value, the same share");

    gateway.prepare_namespace("demo", &yaml("{ new: 60, old: 40 }"));
    assert_eq!(gateway.reload().await["result"], "applied");
    let at_60 = who_answers(ask).await;
    assert!((40..80).contains(&count(&at_60, "new")), "{at_60:?}");
    for (user, answer) in &at_20 {
        assert!(answer == "old" || at_60[user] == "new", "{user} was moved back");
    }

    // Without a value chance decides, so one client sees both.
    let mut texts = Vec::new();
    for _ in 0..60 {
        texts.push(gateway.get("/api/v1/demo/x").await.text());
    }
    assert!(texts.contains(&"old".to_owned()) && texts.contains(&"new".to_owned()));

    // Each share has numbers of its own, from which a migration is judged.
    let to_new = [("namespace", "demo"), ("route", "shared"), ("to", "new"), ("status", "2xx")];
    let expected = 2 * count(&at_20, "new") + count(&at_60, "new") + texts.iter().filter(|text| *text == "new").count();
    gateway.metric_becomes("share_requests_total", &to_new, expected as f64).await;
    gateway.metric_becomes("share_duration_seconds_count", &to_new[..3], expected as f64).await;
}

#[tokio::test]
async fn a_cookie_that_the_gateway_sets_keeps_a_browser_with_its_share() {
    let (old, new) = two().await;
    let route = "to: { old: 1, new: 1 }, public: true, sticky: { cookie: share, set: true }";
    let gateway = Gateway::start(Conf::new().namespace("demo", &shared(&old, &new, route))).await;
    let mut seen = Vec::new();
    for _ in 0..12 {
        let first = gateway.get("/api/v1/demo/x").await;
        let cookie = first.header("set-cookie").to_owned();
        assert!(cookie.starts_with("share=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
        let pair = cookie.split(';').next().expect("a cookie begins with its pair").to_owned();
        for _ in 0..5 {
            let next = gateway.get("/api/v1/demo/x").header("cookie", &format!("other=1; {pair}")).await;
            assert_eq!((next.text(), next.header("set-cookie")), (first.text(), ""));
        }
        seen.push(first.text());
    }
    assert!(seen.contains(&"old".to_owned()) && seen.contains(&"new".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn a_subject_stays_with_its_share_whatever_token_it_shows() {
    let (old, new) = two().await;
    let route = "to: { old: 1, new: 1 }, sticky: { subject: true }";
    let gateway = Gateway::start(Conf::new().namespace("demo", &shared(&old, &new, route))).await;
    let ask = async |user: String| {
        let token = Token::of(&user, &["demo"]).claim("jti", json!(rand_id())).sign();
        gateway.get("/api/v1/demo/x").bearer(&token).await
    };
    let first = who_answers(ask).await;
    assert!((25..75).contains(&count(&first, "new")), "{first:?}");
    assert_eq!(who_answers(ask).await, first);
    // Who is not let in is on nobody's account.
    assert_eq!(gateway.get("/api/v1/demo/x").await.status, 401);
    assert_eq!(gateway.metric("share_requests_total", &[("status", "4xx")]).await, 0.0);
    gateway.metric_becomes("requests_total", &[("route", "shared"), ("status", "4xx")], 1.0).await;
}

/// Another number each time.
fn rand_id() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos())
}

#[tokio::test]
async fn canaries_by_header_and_claim_go_where_they_are_told_whatever_the_shares_say() {
    let (old, new) = two().await;
    let route = "to: { old: 1, new: 0 }, sticky: { subject: true }, canary: [{ to: new, headers: { X-Canary: \"1\" } }, { to: new, claims: { roles: tester } }]";
    let gateway = Gateway::start(Conf::new().namespace("demo", &shared(&old, &new, route))).await;
    let ann = Token::of("ann", &["demo"]).sign();
    let tester = Token::of("tom", &["demo"]).claim("roles", json!(["reader", "tester"])).sign();
    let get = || gateway.get("/api/v1/demo/x");
    for (call, expected) in [
        (get().bearer(&ann), "old"),
        (get().bearer(&ann).header("x-canary", "1"), "new"),
        (get().bearer(&ann).header("x-canary", "2"), "old"),
        (get().bearer(&tester), "new"),
    ] {
        assert_eq!(call.await.text(), expected);
    }
    let open = "to: old, public: true, canary: { to: new, headers: { X-Canary: { present: true } } }";
    gateway.prepare_namespace("demo", &shared(&old, &new, open));
    assert_eq!(gateway.reload().await["result"], "applied");
    assert_eq!(get().await.text(), "old");
    assert_eq!(get().header("x-canary", "").await.text(), "new");
    let routes = gateway.admin("GET", "/admin/v1/routes").await.json();
    assert_eq!(routes[0]["to"], "old: 1, new: canary");
}

#[tokio::test]
async fn what_the_fallback_answered_is_no_success_of_the_share() {
    let old = Upstream::replying("old").await;
    let dead = framex_tests::refused_address().await;
    let yaml = format!(
        "backends: {{ old: {{ http: {{ endpoints: [\"{}\"] }} }}, new: {{ http: {{ endpoints: [\"http://{dead}\"] }} }} }}
routes: [{{ name: shared, match: {{ path: /api/v1/demo/** }}, to: {{ old: 0, new: 1 }}, fallback: old, public: true }}]",
        old.url()
    );
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml)).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "old");
    gateway.metric_becomes("share_requests_total", &[("to", "new"), ("status", "fallback")], 1.0).await;
    gateway.metric_becomes("share_requests_total", &[("status", "2xx")], 0.0).await;
}
