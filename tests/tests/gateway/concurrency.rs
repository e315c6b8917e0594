//! Requests at once: who waits, who goes first, and a limit that finds its own number.

use crate::configurations::one_backend;
use framex_tests::{Answer, Call, Conf, Gateway, Upstream, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A backend that answers when it is let to.
struct Gate {
    upstream: Upstream,
    open: Arc<Semaphore>,
}

impl Gate {
    async fn new() -> Self {
        let open = Arc::new(Semaphore::new(0));
        let of_upstream = open.clone();
        let upstream = Upstream::serving(move |mut exchange| {
            let open = of_upstream.clone();
            async move {
                exchange.body().await?;
                open.acquire().await.expect("it is never closed").forget();
                exchange.reply(200, &[], "done").await?;
                Ok(exchange)
            }
        })
        .await;
        Self { upstream, open }
    }

    fn seen(&self) -> Vec<String> {
        self.upstream.requests().iter().map(|head| head.target().to_owned()).collect()
    }

    async fn has_seen(&self, count: usize) {
        eventually(&format!("{count} requests"), async || (self.seen().len() == count).then_some(())).await;
    }
}

fn send(call: Call) -> JoinHandle<Answer> {
    tokio::spawn(async move { call.await })
}

async fn waiting(gateway: &Gateway, count: f64) {
    gateway.metric_becomes("concurrency_waiting", &[], count).await;
}

#[tokio::test]
async fn what_finds_no_room_waits_and_goes_by_priority_then_by_its_coming() {
    let gate = Gate::new().await;
    let url = gate.upstream.url();
    let route = |name: &str, priority: &str| {
        format!(
            "{{ name: {name}, match: {{ path: \"/api/v1/demo/{name}/**\" }}, to: service, public: true, limits: {{ priority: {priority} }} }}"
        )
    };
    let yaml = format!(
        "limits: {{ concurrency: {{ limit: 1, queue: 3, queue_timeout: 20s }}, priority: low }}
backends: {{ service: {{ http: {{ endpoints: [\"{url}\"] }} }} }}
routes: [{}, {}]",
        route("high", "high"),
        route("low", "low")
    );
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml)).await;
    let mut calls = vec![send(gateway.get("/api/v1/demo/low/0"))];
    gate.has_seen(1).await;
    for (count, path) in [(1.0, "low/1"), (2.0, "low/2"), (3.0, "high/3")] {
        calls.push(send(gateway.get(&format!("/api/v1/demo/{path}"))));
        waiting(&gateway, count).await;
    }
    // The queue is full: who is low is refused, who is high takes the place of the last that is low.
    let refused = gateway.get("/api/v1/demo/low/4").await;
    assert_eq!((refused.status, refused.code().as_str(), refused.header("retry-after")), (503, "busy", "1"));
    calls.push(send(gateway.get("/api/v1/demo/high/5")));
    let displaced = calls.remove(2).await.expect("an answer");
    assert_eq!((displaced.status, displaced.code().as_str()), (503, "busy"));
    gateway.metric_becomes("limit_refusals_total", &[("route", ""), ("limit", "queue")], 2.0).await;
    for served in 1..=4 {
        gate.open.add_permits(1);
        if served < 4 {
            gate.has_seen(served + 1).await;
        }
    }
    for call in calls {
        assert_eq!(call.await.expect("an answer").text(), "done");
    }
    let order = ["low/0", "high/3", "high/5", "low/1"].map(|path| format!("/api/v1/demo/{path}"));
    assert_eq!(gate.seen(), order);
    let line = gateway.access_line("a request that waited", |line| line["path"] == "/api/v1/demo/low/1").await;
    assert!(line["queued_ms"].as_f64().is_some_and(|time| time > 0.0), "{line}");
    gateway.metric_becomes("concurrency_running", &[], 0.0).await;
}

#[tokio::test]
async fn nobody_waits_for_longer_than_allowed() {
    let gate = Gate::new().await;
    let limits = "limits: { concurrency: { limit: 1, queue: 10, queue_timeout: 300ms } }";
    let gateway = Gateway::start(one_backend(&gate.upstream.url(), "", limits)).await;
    let first = send(gateway.get("/api/v1/demo/first"));
    gate.has_seen(1).await;
    let begun = Instant::now();
    let refused = gateway.get("/api/v1/demo/second").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "busy"));
    assert!(refused.text().contains("no room came in time"), "{}", refused.text());
    assert!((300..3_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    gate.open.add_permits(1);
    assert_eq!(first.await.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_client_that_goes_leaves_the_queue_with_and_without_a_body() {
    let gate = Gate::new().await;
    let limits = "limits: { concurrency: { limit: 1, queue: 10, queue_timeout: 20s } }";
    let gateway = Gateway::start(one_backend(&gate.upstream.url(), "", limits)).await;
    let first = send(gateway.get("/api/v1/demo/first"));
    gate.has_seen(1).await;
    let mut get = gateway.raw().await;
    get.send("GET /api/v1/demo/gone HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut post = gateway.raw().await;
    post.send("POST /api/v1/demo/gone HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody").await;
    let http2 = framex_tests::Connection::open(gateway.address(), framex_tests::Protocol::Http2).await;
    let over_http2 = gateway.get("/api/v1/demo/gone").over(framex_tests::Protocol::Http2);
    let over_http2 = tokio::spawn(async move { http2.try_start(over_http2).await });
    waiting(&gateway, 3.0).await;
    drop((get, post));
    over_http2.abort();
    waiting(&gateway, 0.0).await;
    gateway.metric_becomes("rejections_total", &[("code", "client_closed")], 3.0).await;
    gate.open.add_permits(2);
    assert_eq!(first.await.expect("an answer").status, 200);
    assert_eq!(gateway.get("/api/v1/demo/next").await.text(), "done");
    assert_eq!(gate.seen().len(), 2, "who has gone is not asked for");
}

#[tokio::test]
async fn a_key_may_have_a_priority_of_its_own() {
    let gate = Gate::new().await;
    let keys = "keys:
  batch: { key: the-key-of-the-nightly-job, namespaces: [demo], priority: low }
  shop: { key: the-key-of-the-web-shop, namespaces: [demo], priority: high }";
    let route = "public: false, limits: { concurrency: { limit: 1, queue: 2, queue_timeout: 20s } }";
    let gateway = Gateway::start(one_backend(&gate.upstream.url(), "", route).platform(keys)).await;
    let call = |path: &str, key: &str| send(gateway.get(&format!("/api/v1/demo/{path}")).bearer(key));
    let first = call("first", "the-key-of-the-nightly-job");
    gate.has_seen(1).await;
    let batch = call("batch", "the-key-of-the-nightly-job");
    waiting(&gateway, 1.0).await;
    let shop = call("shop", "the-key-of-the-web-shop");
    waiting(&gateway, 2.0).await;
    gate.open.add_permits(3);
    for call in [first, batch, shop] {
        assert_eq!(call.await.expect("an answer").status, 200);
    }
    assert_eq!(gate.seen(), ["first", "shop", "batch"].map(|path| format!("/api/v1/demo/{path}")));
}

#[tokio::test]
async fn an_adaptive_limit_keeps_a_slow_backend_from_drowning() {
    // It answers four at once, in 20 ms each; more of them wait inside of it.
    let room = Arc::new(Semaphore::new(4));
    let (inside, most_inside) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let of_upstream = (room, inside, most_inside.clone());
    let upstream = Upstream::serving(move |mut exchange| {
        let (room, inside, most_inside) = of_upstream.clone();
        async move {
            most_inside.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let place = room.acquire().await.expect("it is never closed");
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(place);
            inside.fetch_sub(1, Ordering::SeqCst);
            exchange.reply(200, &[], "done").await?;
            Ok(exchange)
        }
    })
    .await;
    let limits = "limits: { concurrency: { limit: adaptive, least: 1, most: 200, queue: 500, queue_timeout: 20s } }";
    let gateway = Gateway::start(one_backend(&upstream.url(), "", limits)).await;
    let address = gateway.address();
    let callers: Vec<JoinHandle<Vec<u16>>> = (0..60)
        .map(|_| {
            tokio::spawn(async move {
                let connection = framex_tests::Connection::open(address, framex_tests::Protocol::Http1).await;
                let mut statuses = Vec::new();
                for _ in 0..20 {
                    statuses.push(connection.call(Call::to(address, "GET", "/api/v1/demo/x")).await.status);
                }
                statuses
            })
        })
        .collect();
    let mut limits_seen = Vec::new();
    while !callers.iter().all(JoinHandle::is_finished) {
        limits_seen.push(gateway.metric("concurrency_limit", &[("route", "all")]).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for caller in callers {
        assert!(caller.await.expect("no panic").iter().all(|status| *status == 200));
    }
    eprintln!("limits: {limits_seen:?}; most at once: {}", most_inside.load(Ordering::SeqCst));
    let settled = &limits_seen[limits_seen.len() / 2..];
    assert!(settled.iter().all(|limit| (1.0..=24.0).contains(limit)), "{limits_seen:?}");
    assert!(most_inside.load(Ordering::SeqCst) < 60, "not all callers reach it at once");
}
