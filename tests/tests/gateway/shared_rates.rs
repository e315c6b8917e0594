//! Rates that several gateways count together, and what becomes of them when Redis does not answer.

use crate::configurations::one_backend;
use framex_tests::{Authority, Conf, Connection, Gateway, Protocol, Redis, Upstream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn sharing(upstream: &Upstream, redis: &str, rates: &str) -> Conf {
    let conf = one_backend(&upstream.url(), "", &format!("limits: {{ rates: [{rates}] }}"));
    conf.platform(&format!("redis: {{ {redis} }}"))
}

fn at(redis: &Redis) -> String {
    format!("url: \"redis://{}\", gateways: 2", redis.address())
}

/// Sends `count` requests to each gateway at once; how many each took.
async fn flood(gateways: &[&Gateway], count: usize) -> Vec<usize> {
    let mut calls = JoinSet::new();
    for (index, gateway) in gateways.iter().enumerate() {
        for _ in 0..count {
            let call = gateway.get("/api/v1/demo/x").header("x-tenant", "one");
            calls.spawn(async move { (index, call.await.status) });
        }
    }
    let mut taken = vec![0; gateways.len()];
    for (index, status) in calls.join_all().await {
        assert!(matches!(status, 200 | 429), "{status}");
        taken[index] += usize::from(status == 200);
    }
    taken
}

#[tokio::test]
async fn two_gateways_take_together_exactly_what_is_allowed() {
    let (upstream, redis) = (Upstream::replying("v1").await, Redis::start().await);
    for (kind, limits) in [
        ("sliding", "{ rate: 60/h, window: sliding, shared: true }"),
        (
            "bucket",
            "{ by: { header: X-Tenant }, rate: 60/h, shared: true }, { by: address, rate: 1000/h, shared: true }",
        ),
    ] {
        let conf = sharing(&upstream, &format!("{}, timeout: 1s", at(&redis)), limits);
        let (one, two) = (Gateway::start(conf.clone()).await, Gateway::start(conf).await);
        let taken = flood(&[&one, &two], 70).await;
        eprintln!("{kind}: {taken:?}");
        assert_eq!(taken.iter().sum::<usize>(), 60, "{taken:?}");
        let refused = one.get("/api/v1/demo/x").header("x-tenant", "one").await;
        assert_eq!((refused.status, refused.header("ratelimit-remaining")), (429, "0"));
        assert_eq!((refused.header("ratelimit-limit"), refused.header("retry-after").is_empty()), ("60", false));
        assert_eq!(one.metric("shared_limits_connected", &[]).await, 1.0);
        assert_eq!(one.metric("shared_limit_requests_total", &[("counted", "redis")]).await, 71.0);
        assert_eq!(one.metric("shared_limit_failures_total", &[]).await, 0.0);
    }
    // Every key goes away by itself, and none says who called.
    let keys = redis.ask(&["--raw", "KEYS", "*"]).await;
    assert_eq!(keys.lines().count(), 3, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("framex-gateway:{demo}:") && !key.contains("one"), "{key}");
        let seconds: i64 = redis.ask(&["--raw", "TTL", key]).await.trim().parse().expect("a number");
        assert!((1..=3600 * 17 / 16 + 1).contains(&seconds), "{key}: {seconds}");
    }
}

#[tokio::test]
async fn one_request_is_one_round_trip_and_what_one_rate_refuses_no_other_counts() {
    let (upstream, redis) = (Upstream::replying("v1").await, Redis::start().await);
    let rates = "{ by: { header: X-Tenant }, rate: 2/h, shared: true }, { rate: 5/h, window: sliding, shared: true }, { rate: 100/h }";
    let gateway = Gateway::start(sharing(&upstream, &format!("{}, timeout: 1s", at(&redis)), rates)).await;
    let call = |tenant: &str| gateway.get("/api/v1/demo/x").header("x-tenant", tenant);
    let calls_of_the_script = async || {
        let stats = redis.ask(&["INFO", "commandstats"]).await;
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=").map(str::to_owned));
        line.map_or(0, |line| line.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number"))
    };
    let before: u64 = calls_of_the_script().await;
    let mut statuses = Vec::new();
    for tenant in ["one", "one", "one", "one", "one", "two", "two", "three", "four"] {
        statuses.push(call(tenant).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 429, 429, 200, 200, 200, 429]);
    assert_eq!(calls_of_the_script().await - before, 9);
    // A server that has forgotten the script is told it again.
    redis.ask(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(call("one").await.status, 429);
    assert_eq!(gateway.metric("shared_limit_failures_total", &[]).await, 0.0);
}

/// What came of a steady load.
#[derive(Debug, Default)]
struct Seen {
    sent: AtomicUsize,
    taken: AtomicUsize,
    refused: AtomicUsize,
    lost: AtomicUsize,
    longest_ms: AtomicUsize,
    stop: AtomicBool,
}

/// Sends requests one after the other, on one connection, until it is told to stop.
async fn steady_load(gateway: std::net::SocketAddr, seen: Arc<Seen>) {
    let connection = Connection::open(gateway, Protocol::Http1).await;
    while !seen.stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let answer = connection.try_start(framex_tests::Call::to(gateway, "GET", "/api/v1/demo/x")).await;
        let counter = match answer {
            Ok(answer) => match answer.whole().await.status {
                200 => &seen.taken,
                429 => &seen.refused,
                _ => &seen.lost,
            },
            Err(_) => &seen.lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        seen.sent.fetch_add(1, Ordering::Relaxed);
        let took = usize::try_from(begun.elapsed().as_millis()).unwrap_or(usize::MAX);
        seen.longest_ms.fetch_max(took, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_redis_that_is_killed_costs_no_request_and_counts_again_when_it_is_back() {
    let (upstream, mut redis) = (Upstream::replying("v1").await, Redis::start().await);
    let rates = "{ rate: 100/s, burst: 20, shared: true }";
    let conf = sharing(&upstream, &at(&redis), rates);
    let gateways = [Gateway::start(conf.clone()).await, Gateway::start(conf).await];
    let seen = Arc::new(Seen::default());
    let mut load = JoinSet::new();
    for gateway in gateways.iter().chain(&gateways) {
        load.spawn(steady_load(gateway.address(), seen.clone()));
    }
    for gateway in &gateways {
        framex_tests::eventually("Redis counts", async || {
            (gateway.metric("shared_limit_requests_total", &[("counted", "redis")]).await > 100.0).then_some(())
        })
        .await;
    }
    redis.kill().await;
    for gateway in &gateways {
        gateway.metric_becomes("shared_limits_connected", &[], 0.0).await;
    }
    // Each gateway has half of the limit now.
    let (taken, begun) = (seen.taken.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (alone, time) = (seen.taken.load(Ordering::Relaxed) - taken, begun.elapsed().as_secs_f64());
    let most = 100.0 * time + 20.0 + 4.0;
    eprintln!("without Redis: {alone} taken in {time:.2}s, of at most {most:.0}");
    assert!(alone as f64 <= most, "{alone} > {most}");
    assert!(alone as f64 >= 100.0 * time * 0.8, "the share is used: {alone} in {time}s");
    redis.restart().await;
    for gateway in &gateways {
        gateway.metric_becomes("shared_limits_connected", &[], 1.0).await;
    }
    let counted = gateways[0].metric("shared_limit_requests_total", &[("counted", "redis")]).await;
    framex_tests::eventually("Redis counts again", async || {
        let now = gateways[0].metric("shared_limit_requests_total", &[("counted", "redis")]).await;
        (now > counted + 50.0).then_some(())
    })
    .await;
    seen.stop.store(true, Ordering::Relaxed);
    load.join_all().await;
    let number = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    eprintln!(
        "sent {}, taken {}, refused {}, lost {}, longest {} ms",
        number(&seen.sent),
        number(&seen.taken),
        number(&seen.refused),
        number(&seen.lost),
        number(&seen.longest_ms)
    );
    assert_eq!(number(&seen.lost), 0);
    assert!(number(&seen.refused) > 0, "the load is above the limit");
    for gateway in &gateways {
        let log = gateway.log();
        assert_eq!(log.matches("Redis is away").count(), 1, "said once:\n{log}");
    }
}

#[tokio::test]
async fn a_redis_that_does_not_answer_holds_requests_up_only_a_few_times() {
    let (upstream, redis) = (Upstream::replying("v1").await, Redis::start().await);
    let conf = sharing(&upstream, &format!("{}, timeout: 50ms", at(&redis)), "{ rate: 1000/s, shared: true }");
    let gateway = Gateway::start(conf).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    redis.freeze(true);
    for _ in 0..20 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    }
    assert_eq!(gateway.metric("shared_limits_connected", &[]).await, 0.0);
    let failures = gateway.metric("shared_limit_failures_total", &[]).await;
    assert!((1.0..=3.0).contains(&failures), "{failures}");
    redis.freeze(false);
    gateway.metric_becomes("shared_limits_connected", &[], 1.0).await;
}

#[tokio::test]
async fn a_gateway_starts_without_its_redis_and_counts_alone() {
    let upstream = Upstream::replying("v1").await;
    let nobody = framex_tests::refused_address().await;
    let redis = format!("url: \"redis://{nobody}\", gateways: 2");
    let gateway = Gateway::start(sharing(&upstream, &redis, "{ rate: 10/h, shared: true }")).await;
    assert_eq!(flood(&[&gateway], 12).await, [5], "half of the limit");
    gateway.logs("cannot connect to Redis").await;
    assert_eq!(gateway.metric("shared_limit_requests_total", &[("counted", "alone")]).await, 12.0);
}

#[tokio::test]
async fn redis_may_ask_for_tls_and_a_password() {
    let upstream = Upstream::replying("v1").await;
    let authority = Authority::new("the authority of Redis");
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let (certificate, key) = authority.issue("localhost");
    for (name, text) in [("server.pem", &certificate), ("server.key", &key), ("ca.pem", &authority.pem())] {
        std::fs::write(folder.path().join(name), text).expect("a test folder can be written");
    }
    let file = |name: &str| folder.path().join(name).display().to_string();
    let redis = Redis::start_with(&[
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "secret-of-the-test",
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
    ])
    .await;
    let port = redis.address().port();
    let settings = format!("url: \"rediss://:secret-of-the-test@localhost:{port}\", ca: ca.pem, timeout: 200ms");
    let conf = sharing(&upstream, &settings, "{ rate: 3/h, shared: true }").file("ca.pem", authority.pem());
    let gateway = Gateway::start(conf).await;
    gateway.metric_becomes("shared_limits_connected", &[], 1.0).await;
    assert_eq!(flood(&[&gateway], 5).await, [3]);
    assert!(!gateway.log().contains("secret-of-the-test"));
}
