//! Rates: who is counted as what, and what answers say of it.

use crate::configurations::{one_backend, one_backend_yaml};
use framex_tests::{Answer, Call, Conf, Gateway, Token, Upstream};

const FOR_ONE_HOUR: u64 = 3600;

fn quota(answer: &Answer) -> (u64, u64, u64) {
    let number = |name: &str| answer.header(name).parse().unwrap_or_else(|_| panic!("{name} in {:?}", answer.headers));
    (number("ratelimit-limit"), number("ratelimit-remaining"), number("ratelimit-reset"))
}

/// How many of `count` calls are taken.
async fn taken(count: usize, call: impl Fn() -> Call) -> usize {
    let mut taken = 0;
    for _ in 0..count {
        let answer = call().await;
        assert!(matches!(answer.status, 200 | 429), "{} {}", answer.status, answer.text());
        taken += usize::from(answer.status == 200);
    }
    taken
}

#[tokio::test]
async fn every_answer_of_a_limited_route_says_how_much_is_left_of_the_tightest_rate() {
    let upstream = Upstream::replying("v1").await;
    let limits = "limits: { rate: 100/s, rates: [{ rate: 3/h, window: sliding }, { by: address, rate: 1000/m }] }";
    let gateway = Gateway::start(one_backend(&upstream.url(), "", limits)).await;
    for left in [2, 1, 0] {
        let answer = gateway.get("/api/v1/demo/x").await;
        let (limit, remaining, reset) = quota(&answer);
        assert_eq!((answer.status, limit, remaining), (200, 3, left));
        assert!((FOR_ONE_HOUR..=FOR_ONE_HOUR * 17 / 16).contains(&reset), "{reset}");
    }
    let refused = gateway.get("/api/v1/demo/x").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    let (limit, remaining, reset) = quota(&refused);
    assert_eq!((limit, remaining), (3, 0));
    assert_eq!(refused.header("retry-after"), reset.to_string(), "both name one moment");
    gateway.metric_becomes("limit_refusals_total", &[("route", "all"), ("limit", "all")], 1.0).await;
    let line = gateway.access_line("the refusal", |line| line["status"] == 429).await;
    assert_eq!(line["note"], "rate of the route by all");
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn a_route_may_keep_silent_about_its_rates_and_one_without_has_nothing_to_say() {
    let upstream = Upstream::replying("v1").await;
    let silent = Gateway::start(one_backend(&upstream.url(), "", "limits: { rate: 1/h, headers: false }")).await;
    let free = Gateway::start(one_backend(&upstream.url(), "", "")).await;
    for answer in [silent.get("/api/v1/demo/x").await, silent.get("/api/v1/demo/x").await, free.get("/x").await] {
        assert_eq!(answer.header("ratelimit-limit"), "", "{}", answer.status);
        assert_eq!(answer.status == 429, !answer.header("retry-after").is_empty());
    }
}

#[tokio::test]
async fn callers_are_counted_by_subject_and_key_each_exactly() {
    let upstream = Upstream::replying("v1").await;
    let keys = "keys:
  build: { key: the-key-of-the-build-server, namespaces: [demo], subject: machine }
  nightly: { key: the-key-of-the-nightly-job, namespaces: [demo], subject: machine }";
    let route = "public: false, limits: { rates: [{ by: subject, rate: 8/h }, { by: key, rate: 5/h }] }";
    let gateway = Gateway::start(one_backend(&upstream.url(), "", route).platform(keys)).await;
    let call = |credentials: &str| gateway.get("/api/v1/demo/x").bearer(credentials);
    let (alice, bob) = (Token::of("alice", &["demo"]).sign(), Token::of("bob", &["demo"]).sign());
    assert_eq!(taken(10, || call(&alice)).await, 8);
    assert_eq!(taken(10, || call(&bob)).await, 8);
    assert_eq!(taken(7, || call("the-key-of-the-build-server")).await, 5);
    // Both keys are of one subject; what the key's rate refused was not counted by the subject's.
    assert_eq!(taken(7, || call("the-key-of-the-nightly-job")).await, 3);
}

#[tokio::test]
async fn callers_are_counted_by_address_and_by_header() {
    let upstream = Upstream::replying("v1").await;
    let yaml = |limits: &str| one_backend_yaml(&[&upstream.url()], "", &format!("limits: {{ rates: [{limits}] }}"));
    let conf = Conf::new()
        .platform("trusted_proxies: [127.0.0.1]")
        .namespace("address", &yaml("{ by: address, rate: 2/h }").replace("/demo/", "/address/"))
        .namespace("subject", &yaml("{ by: subject, rate: 2/h }").replace("/demo/", "/subject/"))
        .namespace("header", &yaml("{ by: { header: X-Tenant }, rate: 2/h }").replace("/demo/", "/header/"));
    let gateway = Gateway::start(conf).await;
    // Nobody has a subject on an open route, so the address counts there, too.
    for path in ["/api/v1/address/x", "/api/v1/subject/x"] {
        let from = |address: &str| gateway.get(path).header("x-forwarded-for", address);
        assert_eq!(taken(4, || from("192.0.2.1")).await, 2, "{path}");
        assert_eq!(taken(4, || from("192.0.2.2")).await, 2, "{path}");
        // One network of IPv6 counts as one address.
        assert_eq!(taken(1, || from("2001:db8::1")).await, 1, "{path}");
        assert_eq!(taken(4, || from("2001:db8::2")).await, 1, "{path}");
    }
    let tenant = |name: &str| gateway.get("/api/v1/header/x").header("x-tenant", name);
    assert_eq!(taken(4, || tenant("one")).await, 2);
    assert_eq!(taken(4, || tenant("two")).await, 2);
    assert_eq!(taken(4, || gateway.get("/api/v1/header/x")).await, 2);
}

#[tokio::test]
async fn what_a_namespace_refuses_is_not_counted_by_the_route() {
    let upstream = Upstream::replying("v1").await;
    let yaml = one_backend_yaml(&[&upstream.url()], "", "limits: { rates: [{ rate: 4/h }] }");
    let tenant = "limits: { rates: [{ by: { header: X-Tenant }, rate: 1/h }] }";
    let gateway = Gateway::start(Conf::new().namespace("demo", &format!("{tenant}\n{yaml}"))).await;
    let call = |name: &str| gateway.get("/api/v1/demo/x").header("x-tenant", name);
    assert_eq!(taken(10, || call("greedy")).await, 1);
    for name in ["one", "two", "three"] {
        assert_eq!(call(name).await.status, 200, "{name}");
    }
    assert_eq!(call("four").await.status, 429);
}

#[tokio::test]
async fn many_at_once_are_counted_exactly() {
    let upstream = Upstream::replying("v1").await;
    let limits = "limits: { rates: [{ by: { header: X-Tenant }, rate: 50/h }, { rate: 80/h, window: sliding }] }";
    let gateway = Gateway::start(one_backend(&upstream.url(), "", limits)).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..300 {
        let call = gateway.get("/api/v1/demo/x").header("x-tenant", ["a", "b"][number % 2]);
        calls.spawn(async move { call.await.status });
    }
    let statuses = calls.join_all().await;
    let taken = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(taken, 80);
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    assert_eq!(upstream.requests().len(), 80);
}

#[tokio::test]
async fn counts_outlive_a_reload_that_leaves_their_rate_alone() {
    let upstream = Upstream::replying("v1").await;
    let yaml = |more: &str| {
        let limits = format!("limits: {{ rates: [{{ by: address, rate: 3/h }}], {more} }}");
        one_backend_yaml(&[&upstream.url()], "", &limits)
    };
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml(""))).await;
    let call = || gateway.get("/api/v1/demo/x");
    assert_eq!(taken(2, call).await, 2);
    gateway.prepare_namespace("demo", &yaml("concurrency: 10"));
    assert_eq!(gateway.reload().await["result"], "applied");
    assert_eq!(taken(3, call).await, 1);
    gateway.prepare_namespace("demo", &yaml("concurrency: 10").replace("3/h", "4/h"));
    assert_eq!(gateway.reload().await["result"], "applied");
    assert_eq!(taken(6, call).await, 4, "another rate begins anew");
}
