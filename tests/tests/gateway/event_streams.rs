//! Streams of events that are silent for a while, or end before their time.

use framex_tests::{Conf, Exchange, Gateway, Protocol, Upstream, eventually, refused_address};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;

const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

fn yaml(upstream: &Upstream, route: &str) -> String {
    format!(
        "backends: {{ app: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes: [{{ match: {{ path: /api/v1/demo/** }}, to: app, public: true, rewrite: {{ strip_prefix: /api/v1/demo }}, {route} }}]",
        upstream.url()
    )
}

async fn start(yaml: &str) -> Gateway {
    Gateway::start(Conf::new().namespace("demo", yaml)).await
}

/// Sends an event, and breaks off behind a whole one or within one, or is silent; as the path says.
async fn events(mut exchange: Exchange) -> io::Result<Exchange> {
    exchange.body().await?;
    exchange.begin_chunks("text/event-stream; charset=utf-8").await?;
    exchange.chunk("data: one\n\n").await?;
    match exchange.head.target() {
        "/half" => exchange.chunk("data: tw").await?,
        "/silent" => exchange.until_closed().await,
        _ => {}
    }
    Err(exchange.close())
}

#[tokio::test]
async fn a_stream_that_cannot_go_on_ends_with_an_event_that_says_so() {
    let upstream = Upstream::serving(events).await;
    for route in ["", "events: { heartbeat: 30s }"] {
        let gateway = start(&yaml(&upstream, route)).await;
        for protocol in PROTOCOLS {
            let answer = gateway.get("/api/v1/demo/whole").over(protocol).await;
            let text = answer.text();
            let last = text.strip_prefix("data: one\n\nevent: error\ndata: ").expect("an event");
            let problem: serde_json::Value = serde_json::from_str(last.trim_end()).expect("a problem in one line");
            assert_eq!((&problem["code"], &problem["status"]), (&"backend_broken".into(), &502.into()), "{problem}");
        }
        let line = gateway.access_line("the end", |line| line["code"] == "backend_broken").await;
        assert_eq!(line["status"], 200);
    }
    // In FrameX's words where the route speaks them.
    let gateway = start(&yaml(&upstream, "dialect: framex")).await;
    let text = gateway.get("/api/v1/demo/whole").await.text();
    assert!(text.starts_with("data: one\n\nevent: error\ndata: {\"status\": 502, \"message\": "), "{text}");
}

#[tokio::test]
async fn behind_half_an_event_the_stream_is_cut() {
    let upstream = Upstream::serving(events).await;
    for route in ["", "events: { heartbeat: 30s }"] {
        let gateway = start(&yaml(&upstream, route)).await;
        let mut answer = gateway.get("/api/v1/demo/half").open().await;
        let (mut text, mut whole) = (String::new(), true);
        while let Some(piece) = answer.try_piece().await {
            match piece {
                Ok(piece) => text.push_str(&String::from_utf8_lossy(&piece)),
                Err(_) => whole = false,
            }
        }
        assert_eq!((text.as_str(), whole), ("data: one\n\ndata: tw", false), "{route}");
    }
}

#[tokio::test]
async fn silence_that_lasts_too_long_ends_with_the_event_too() {
    let upstream = Upstream::serving(events).await;
    for route in ["timeout: 300ms", "timeouts: { total: 300ms }", "timeout: 300ms, events: { heartbeat: 100ms }"] {
        let gateway = start(&yaml(&upstream, route)).await;
        let text = gateway.get("/api/v1/demo/silent").await.text();
        let code = if route.contains("total") { "deadline_exceeded" } else { "backend_timeout" };
        assert!(text.starts_with("data: one\n\n") && text.contains(code), "{route}: {text}");
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_by_comments_between_lines_alone() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        exchange.begin_chunks("text/event-stream").await?;
        for part in ["data: 1\n\n", "event: a\n", "data: 2", "\n\n"] {
            exchange.chunk(part).await?;
            sleep(Duration::from_millis(500)).await;
        }
        exchange.chunk("").await?;
        Ok(exchange)
    })
    .await;
    let gateway = start(&yaml(&upstream, "events: { heartbeat: 200ms }, envelope: true")).await;
    for protocol in PROTOCOLS {
        let text = gateway.post("/api/v1/demo/x").body("a question").over(protocol).await.text();
        let beats = text.lines().filter(|line| *line == ":").count();
        assert!(beats >= 5, "{text:?}");
        assert!(text.contains("data: 1\n\n:\n\n") && text.contains("event: a\n:\n"), "{text:?}");
        assert!(text.contains("data: 2\n\n"), "{text:?}");
        let events: String = text.replace(":\n\n", "").replace("\n:\n", "\n");
        assert_eq!(events.replace(":\n", ""), "data: 1\n\nevent: a\ndata: 2\n\n");
    }
    // What is no stream of events passes as it is.
    let upstream = Upstream::serving(|mut exchange| async move {
        let body = exchange.body().await?;
        sleep(Duration::from_millis(500)).await;
        exchange.reply(201, &[("X-One", "1"), ("Location", "/made")], body).await?;
        Ok(exchange)
    })
    .await;
    let gateway = start(&yaml(&upstream, "events: { heartbeat: 100ms }")).await;
    let answer = gateway.post("/api/v1/demo/x?q=1").body(vec![b'x'; 100_000]).await;
    assert_eq!((answer.status, answer.header("x-one"), answer.body.len()), (201, "1", 100_000));
    assert_eq!(answer.header("location"), "/api/v1/demo/made");
    let request = upstream.requests().pop().expect("a request");
    assert_eq!((request.method(), request.target()), ("POST", "/x?q=1"));
    assert_eq!(request.field("x-forwarded-prefix"), Some("/api/v1/demo"));
    let line = gateway.access_line("its endpoint", |line| line["status"] == 201).await;
    assert_eq!(line["endpoint"], upstream.address().to_string());
}

#[tokio::test]
async fn a_caller_that_leaves_a_kept_stream_ends_it_at_the_backend() {
    let has_ended = Arc::new(AtomicBool::new(false));
    let ended = has_ended.clone();
    let upstream = Upstream::serving(move |mut exchange| {
        let ended = ended.clone();
        async move {
            exchange.body().await?;
            exchange.begin_chunks("text/event-stream").await?;
            exchange.chunk("data: 1\n\n").await?;
            exchange.until_closed().await;
            ended.store(true, Ordering::Release);
            Err(exchange.close())
        }
    })
    .await;
    let gateway = start(&yaml(&upstream, "events: { heartbeat: 100ms }")).await;
    for protocol in PROTOCOLS {
        has_ended.store(false, Ordering::Release);
        let mut answer = gateway.get("/api/v1/demo/x").over(protocol).open().await;
        answer.until(":\n\n").await;
        drop(answer);
        eventually("the backend is left", async || has_ended.load(Ordering::Acquire).then_some(())).await;
    }
}

#[tokio::test]
async fn a_kept_stream_has_its_fallback_too() {
    let upstream = Upstream::replying("fallback").await;
    let text = format!(
        "backends: {{ down: {{ http: {{ endpoints: [\"http://{}\"] }} }}, up: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes: [{{ match: {{ path: /api/v1/demo/** }}, to: down, fallback: up, public: true, events: {{ heartbeat: 1s }} }}]",
        refused_address().await,
        upstream.url()
    );
    let gateway = start(&text).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "fallback");
    assert_eq!(gateway.metric("fallbacks_total", &[("to", "up")]).await, 1.0);
}
