//! How often a request is sent, how long it may take, and who answers when nobody can.

use crate::configurations::rogue;
use framex_tests::{Conf, Gateway, Upstream, refused_address};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Answers so many requests with this status, and all others with 200.
async fn failing(status: u16, times: usize) -> Upstream {
    let left = Arc::new(AtomicUsize::new(times));
    Upstream::serving(move |mut exchange| {
        let left = left.clone();
        async move {
            let body = exchange.body().await?;
            let fails = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok();
            if fails && status == 0 {
                return Err(exchange.close());
            }
            exchange.reply(if fails { status } else { 200 }, &[], format!("{} bytes", body.len())).await?;
            Ok(exchange)
        }
    })
    .await
}

fn yaml(backend: &str, route: &str) -> String {
    format!(
        "backends: {{ {backend} }}
routes: [{{ name: app, match: {{ path: /api/v1/demo/** }}, to: app, public: true, {route} }}]"
    )
}

fn one(upstream: &Upstream, settings: &str) -> String {
    format!("app: {{ http: {{ endpoints: [\"{}\"], {settings} }} }}", upstream.url())
}

async fn start(yaml: &str) -> Gateway {
    Gateway::start(Conf::new().namespace("demo", yaml)).await
}

#[tokio::test]
async fn only_what_may_be_acted_upon_twice_is_sent_again_unless_the_route_says_so() {
    let upstream = failing(0, 1).await;
    let gateway = start(&yaml(&one(&upstream, ""), "")).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    assert_eq!(upstream.requests().len(), 2);

    let upstream = failing(0, 1).await;
    let gateway = start(&yaml(&one(&upstream, ""), "")).await;
    assert_eq!(gateway.post("/api/v1/demo/x").body("12345").await.code(), "backend_broken");
    assert_eq!(upstream.requests().len(), 1);

    let upstream = failing(0, 2).await;
    let gateway = start(&yaml(&one(&upstream, ""), "retry: { any_method: true }")).await;
    assert_eq!(gateway.post("/api/v1/demo/x").body("12345").await.text(), "5 bytes");
    assert_eq!(upstream.requests().len(), 3);

    // What does not fit into the buffer cannot be sent again.
    let upstream = failing(0, 1).await;
    let gateway = start(&yaml(&one(&upstream, ""), "retry: { any_method: true }")).await;
    let answer = gateway.post("/api/v1/demo/x").body(vec![b'x'; 200_000]).await;
    assert_eq!((answer.code().as_str(), upstream.requests().len()), ("backend_broken", 1));
}

#[tokio::test]
async fn statuses_that_the_route_names_lead_to_another_endpoint_as_often_as_it_says() {
    let (bad, good) = (failing(503, 1000).await, failing(200, 0).await);
    let backend = format!("app: {{ http: {{ endpoints: [\"{}\", \"{}\"] }} }}", bad.url(), good.url());
    let gateway = start(&yaml(&backend, "retry: { attempts: 2, statuses: [503] }")).await;
    for number in 0..8 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200, "{number}");
    }
    assert!(!bad.requests().is_empty() && good.requests().len() == 8);

    let bad = failing(503, 1000).await;
    let gateway = start(&yaml(&one(&bad, ""), "retry: { attempts: 3, statuses: [503], backoff: 40ms }")).await;
    let began = Instant::now();
    assert_eq!(gateway.get("/api/v1/demo/x").await.status, 503, "the last answer is the caller's");
    assert_eq!(bad.requests().len(), 3);
    assert!(began.elapsed() > Duration::from_millis(50), "it waits in between: {:?}", began.elapsed());
    assert_eq!(gateway.post("/api/v1/demo/x").body("1").await.status, 503);
    assert_eq!(bad.requests().len(), 4);
}

#[tokio::test]
async fn a_backend_in_trouble_gets_no_more_than_its_budget_on_top() {
    let upstream = failing(0, 100_000).await;
    let settings = "retry_budget: { share: 10%, least: 1 }, ejection: { failures: 0 }";
    let gateway = start(&yaml(&one(&upstream, settings), "retry: { attempts: 5, backoff: 1ms }")).await;
    for _ in 0..100 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.status, 502);
    }
    // A tenth of a hundred, and one per second of the window of ten.
    let sent = upstream.requests().len();
    assert!((110..=121).contains(&sent), "{sent}");
    assert!(gateway.metric("upstream_retries_total", &[("outcome", "over_budget")]).await > 0.0);
}

#[tokio::test]
async fn each_time_limit_ends_what_it_is_for() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        if exchange.head.target().ends_with("/late") {
            sleep(Duration::from_millis(700)).await;
        }
        exchange.begin_chunks("text/plain").await?;
        for _ in 0..5 {
            exchange.chunk("part ").await?;
            sleep(Duration::from_millis(200)).await;
        }
        exchange.chunk("").await?;
        Ok(exchange)
    })
    .await;
    let gateway = start(&yaml(&one(&upstream, ""), "timeouts: { first_byte: 400ms }, retry: { attempts: 1 }")).await;
    let answer = gateway.get("/api/v1/demo/late").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "backend_timeout"));
    // A stream may go on for longer than its first byte may take, and be silent for as long.
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "part ".repeat(5));

    let gateway = start(&yaml(&one(&upstream, ""), "timeouts: { idle: 100ms }, retry: { attempts: 1 }")).await;
    let mut answer = gateway.get("/api/v1/demo/x").open().await;
    assert_eq!(answer.status, 200);
    let mut parts = 0;
    while answer.try_piece().await.is_some_and(|piece| piece.is_ok()) {
        parts += 1;
    }
    assert!(parts <= 2, "silence ends it: {parts}");

    let gateway = start(&yaml(&one(&upstream, ""), "timeouts: { total: 500ms }")).await;
    let answer = gateway.get("/api/v1/demo/late").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "deadline_exceeded"));
    let began = Instant::now();
    let mut answer = gateway.get("/api/v1/demo/x").open().await;
    assert_eq!(answer.status, 200);
    let mut whole = true;
    while let Some(piece) = answer.try_piece().await {
        whole = piece.is_ok();
    }
    assert!(!whole && began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let line = gateway.access_line("the end", |line| line["status"] == 200).await;
    assert_eq!(line["code"], "deadline_exceeded");
}

#[tokio::test]
async fn what_one_request_leaves_behind_ends_no_other_one() {
    // The connection goes back to the pool before the first request's time is over, and serves a longer one then.
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        if exchange.head.target().ends_with("/long") {
            sleep(Duration::from_millis(600)).await;
        }
        exchange.reply(200, &[], "ok").await?;
        Ok(exchange)
    })
    .await;
    let text = format!(
        "backends: {{ {} }}
routes:
  - {{ match: {{ path: /api/v1/demo/short }}, to: app, public: true, timeouts: {{ total: 300ms, first_byte: 200ms }} }}
  - {{ match: {{ path: /api/v1/demo/long }}, to: app, public: true, retry: {{ attempts: 1 }} }}",
        one(&upstream, "")
    );
    let gateway = start(&text).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/api/v1/demo/short").await.text(), "ok");
        assert_eq!(gateway.get("/api/v1/demo/long").await.text(), "ok");
    }
    assert!(upstream.connections() < 4, "connections are used again: {}", upstream.connections());
}

#[tokio::test]
async fn a_backend_that_fails_is_left_alone_and_asked_again_after_a_while() {
    let upstream = failing(500, 10).await;
    let settings = "breaker: { failures: 50%, least: 10, window: 60s, open: 400ms, probes: 2 }";
    let gateway = start(&yaml(&one(&upstream, settings), "")).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.status, 500);
    }
    let refused = gateway.get("/api/v1/demo/x").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "circuit_open"));
    assert_eq!((refused.header("retry-after"), upstream.requests().len()), ("1", 10));
    assert_eq!(gateway.metric("upstream_circuit_openings_total", &[("backend", "app")]).await, 1.0);
    sleep(Duration::from_millis(450)).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    }
}

#[tokio::test]
async fn a_plugin_that_fails_is_left_alone_and_its_fallback_answers() {
    let remote = Upstream::replying("remote").await;
    let text = format!(
        "plugins: {{ local: {{ component: \"{}\", breaker: {{ least: 3, open: 500ms, probes: 1 }} }} }}
backends: {{ remote: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes: [{{ name: all, match: {{ path: /api/v1/demo/** }}, to: local, fallback: remote, public: true, answered_by: true, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
        rogue(),
        remote.url()
    );
    let gateway = start(&text).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/api/v1/demo/trap").await.code(), "plugin_trapped");
    }
    let answer = gateway.get("/api/v1/demo/hello").await;
    assert_eq!((answer.text().as_str(), answer.header("x-framex-answered-by")), ("remote", "remote"));
    sleep(Duration::from_millis(550)).await;
    let answer = gateway.get("/api/v1/demo/hello").await;
    assert_eq!((answer.text().as_str(), answer.header("x-framex-answered-by")), ("hello from rogue\n", "local"));
}

#[tokio::test]
async fn who_steps_in_is_asked_one_after_the_other_and_at_the_end_stands_an_answer() {
    let down = [refused_address().await, refused_address().await];
    let third = Upstream::replying("third").await;
    let backends = format!(
        "app: {{ http: {{ endpoints: [\"http://{}\"] }} }}, second: {{ http: {{ endpoints: [\"http://{}\"] }} }}, third: {{ http: {{ endpoints: [\"{}\"] }} }}",
        down[0],
        down[1],
        third.url()
    );
    let chain = "answered_by: true, fallback: [second, third, { answer: { status: 203, json: { items: [] }, headers: { X-Stale: 'yes' } } }]";
    let gateway = start(&yaml(&backends, chain)).await;
    let answer = gateway.post("/api/v1/demo/x").body("1").await;
    assert_eq!((answer.text().as_str(), answer.header("x-framex-answered-by")), ("third", "third"));
    assert_eq!(gateway.metric("fallbacks_total", &[("route", "app"), ("to", "second")]).await, 1.0);
    drop(third);
    let answer = gateway.get("/api/v1/demo/x").await;
    assert_eq!((answer.status, answer.json()), (203, json!({ "items": [] })));
    assert_eq!((answer.header("x-framex-answered-by"), answer.header("x-stale")), ("answer", "yes"));
    assert_eq!(answer.header("content-type"), "application/json");
    let line = gateway.access_line("the written answer", |line| line["status"] == 203).await;
    assert_eq!((&line["backend"], &line["code"]), (&json!("answer"), &json!("backend_unreachable")));
    assert_eq!(gateway.metric("fallbacks_total", &[("route", "app"), ("to", "answer")]).await, 1.0);
}

#[tokio::test]
async fn whoever_answers_is_told_how_long_an_answer_is_waited_for() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        let told = exchange.head.field("x-framex-timeout-ms").unwrap_or("nothing").to_owned();
        exchange.reply(200, &[], told).await?;
        Ok(exchange)
    })
    .await;
    let gateway = start(&yaml(&one(&upstream, ""), "timeouts: { total: 5s }")).await;
    let told: u64 = gateway.get("/api/v1/demo/x").await.text().parse().expect("milliseconds");
    assert!((4000..=5000).contains(&told), "{told}");
    let gateway = start(&yaml(&one(&upstream, ""), "")).await;
    // What a caller says of it is not passed on.
    assert_eq!(gateway.get("/api/v1/demo/x").header("X-FrameX-Timeout-Ms", "1").await.text(), "nothing");
}

#[tokio::test]
async fn what_a_framex_instance_says_in_its_body_opens_the_circuit() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        let body = r#"{"status": 500, "message": "broken", "timestamp": "2026-01-01 00:00:00", "data": null}"#;
        exchange.reply(200, &[("Content-Type", "application/json")], body).await?;
        Ok(exchange)
    })
    .await;
    let backend = format!("app: {{ framex: {{ endpoints: [\"{}\"], breaker: {{ least: 5 }} }} }}", upstream.url());
    let gateway = start(&yaml(&backend, "")).await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    }
    // The end of a request is noted when the caller has its answer already.
    gateway.metric_becomes("upstream_circuit_openings_total", &[("backend", "app")], 1.0).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.code(), "circuit_open");
}

#[tokio::test]
async fn an_old_answer_comes_before_the_one_that_is_written() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        exchange.reply(200, &[("Cache-Control", "max-age=0, stale-if-error=600")], "kept").await?;
        Ok(exchange)
    })
    .await;
    let chain = "cache: {}, answered_by: true, fallback: { answer: { status: 200, text: written } }";
    let gateway = start(&yaml(&one(&upstream, ""), chain)).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.header("x-framex-answered-by"), "app");
    drop(upstream);
    let answer = gateway.get("/api/v1/demo/x").await;
    assert_eq!((answer.text().as_str(), answer.header("x-framex-answered-by")), ("kept", "cache"));
    let answer = gateway.get("/api/v1/demo/other").await;
    assert_eq!((answer.text().as_str(), answer.header("x-framex-answered-by")), ("written", "answer"));
}

#[tokio::test]
async fn a_written_answer_does_not_hide_a_failing_backend_from_its_breaker() {
    let upstream = failing(0, 1000).await;
    let settings = "breaker: { least: 3, open: 60s }, ejection: { failures: 0 }";
    let chain = "retry: { attempts: 1 }, fallback: { answer: { text: written } }";
    let gateway = start(&yaml(&one(&upstream, settings), chain)).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "written");
    }
    gateway.metric_becomes("upstream_circuit_openings_total", &[("backend", "app")], 1.0).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "written");
    assert_eq!(upstream.requests().len(), 3);
}
