//! Limits of sizes and times, each broken once, for backends and plugins in the process.

use crate::configurations::{one_backend, rogue};
use framex_tests::{Conf, Gateway, Protocol, Raw, Upstream, eventually};
use std::time::{Duration, Instant};

/// Answers with as many bytes as the last segment of the path says: with a length below `/sized/`, else in chunks.
async fn generous() -> Upstream {
    Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        let target = exchange.head.target().to_owned();
        let size = target.rsplit('/').next().and_then(|size| size.parse().ok()).unwrap_or(0_usize);
        if target.contains("/sized/") {
            exchange.reply(200, &[], vec![b'x'; size]).await?;
            return Ok(exchange);
        }
        exchange.begin_chunks("text/plain").await?;
        for _ in 0..size / 10 {
            exchange.chunk([b'x'; 10]).await?;
        }
        exchange.chunk([]).await?;
        Ok(exchange)
    })
    .await
}

/// The namespace `demo` with the misbehaving plugin at `/api/v1/demo`.
fn one_plugin(limits: &str) -> Conf {
    let yaml = format!(
        "plugins: {{ rogue: {{ component: \"{}\" }} }}
routes: [{{ name: all, match: {{ path: \"/api/v1/demo/**\" }}, to: rogue, public: true, rewrite: {{ strip_prefix: /api/v1/demo }}, limits: {{ {limits} }} }}]",
        rogue()
    );
    Conf::new().namespace("demo", &yaml)
}

/// Reads an answer to its end, and says how much of it came and whether it was whole.
async fn read(gateway: &Gateway, path: &str, protocol: Protocol) -> (u16, usize, bool) {
    let mut answer = gateway.get(path).over(protocol).open().await;
    let mut length = 0;
    loop {
        match answer.try_piece().await {
            Some(Ok(piece)) => length += piece.len(),
            Some(Err(_)) => return (answer.status, length, false),
            None => return (answer.status, length, true),
        }
    }
}

#[tokio::test]
async fn an_answer_above_the_limit_is_a_502_if_that_is_known_and_is_cut_if_not() {
    let upstream = generous().await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "limits: { response_body: 1000 }")).await;
    let mut too_large = 0.0;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for path in ["/api/v1/demo/sized/1000", "/api/v1/demo/chunks/1000"] {
            assert_eq!(read(&gateway, path, protocol).await, (200, 1000, true), "{path} {protocol:?}");
        }
        let declared = gateway.get("/api/v1/demo/sized/1001").over(protocol).await;
        assert_eq!((declared.status, declared.code().as_str()), (502, "response_too_large"), "{protocol:?}");
        let head = gateway.call("HEAD", "/api/v1/demo/sized/1001").over(protocol).await;
        assert_eq!(head.status, 200, "a head has no body");
        let (_, length, is_whole) = read(&gateway, "/api/v1/demo/chunks/100000", protocol).await;
        assert!(!is_whole && length <= 1000, "{length} {protocol:?}");
        too_large += 2.0;
        gateway.metric_becomes("rejections_total", &[("code", "response_too_large")], too_large).await;
    }
}

#[tokio::test]
async fn the_answer_of_a_plugin_is_bounded_too_also_for_another_plugin() {
    let gateway = Gateway::start(one_plugin("response_body: 20")).await;
    assert_eq!(gateway.get("/api/v1/demo/hello").await.status, 200);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (_, length, is_whole) = read(&gateway, "/api/v1/demo/stream?n=50", protocol).await;
        assert!(!is_whole && length <= 20, "{length} {protocol:?}");
    }
    let yaml = |name: &str, more: &str, limits: &str| {
        format!(
            "plugins: {{ {name}: {{ component: \"{}\", {more} }} }}
access: {{ invoke: {{ plugins: [one/one] }} }}
routes: [{{ match: {{ path: \"/api/v1/{name}/**\" }}, to: {name}, {limits} rewrite: {{ strip_prefix: /api/v1/{name} }} }}]",
            rogue()
        )
    };
    let calling = Conf::new()
        .namespace(
            "one",
            &yaml("one", "requires: [{ path: /api/v1/two/** }]", "")
                .replace("access: { invoke: { plugins: [one/one] } }\n", ""),
        )
        .namespace(
            "two",
            &yaml("two", "", "limits: { response_body: 10, uri: 40, rates: [{ by: plugin, rate: 4/h }] },"),
        );
    let gateway = Gateway::start(calling).await;
    let token = gateway.token("alice", "one");
    let call = async |path: &str| {
        let target = format!("/api/v1/one/call?authority=two.framex.internal&path={path}");
        gateway.get(&target).bearer(&token).await.text()
    };
    let refused = call("/api/v1/two/hello").await;
    assert!(!refused.contains("hello from rogue"), "{refused}");
    gateway.metric_becomes("rejections_total", &[("namespace", "two"), ("code", "response_too_large")], 1.0).await;
    let long = call(&format!("/api/v1/two/{}", "x".repeat(40))).await;
    assert!(long.starts_with("status 414\n"), "{long}");
    for _ in 0..3 {
        call("/api/v1/two/hello").await;
    }
    let limited = call("/api/v1/two/hello").await;
    assert!(limited.starts_with("status 429\n"), "what is counted by plugin counts the caller: {limited}");
}

#[tokio::test]
async fn a_target_and_fields_above_the_limits_are_refused() {
    let upstream = Upstream::replying("v1").await;
    let limits = "limits: { uri: 40, head: { fields: 6, size: 300 } }";
    let gateway = Gateway::start(one_backend(&upstream.url(), "", limits)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let get = |query: &str| gateway.get(&format!("/api/v1/demo/x?{query}")).over(protocol);
        assert_eq!(get(&"q".repeat(25)).await.status, 200, "{protocol:?}");
        let long = get(&"q".repeat(26)).await;
        assert_eq!((long.status, long.code().as_str()), (414, "uri_too_long"), "{protocol:?}");
        let mut many = get("q");
        for number in 0..7 {
            many = many.header(&format!("x-{number}"), "1");
        }
        let many = many.await;
        assert_eq!((many.status, many.code().as_str()), (431, "head_too_large"), "{protocol:?}");
        let large = get("q").header("x-large", &"x".repeat(300)).await;
        assert_eq!((large.status, large.code().as_str()), (431, "head_too_large"), "{protocol:?}");
    }
    assert_eq!(upstream.requests().len(), 2);
}

/// Sends a body one byte at a time until its time is over; how long it took until the answer was there, and its status.
async fn drip(mut client: Raw, limit: Duration) -> (Duration, u16) {
    let begun = Instant::now();
    client.send("POST /api/v1/demo/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n").await;
    eventually("the time is over", async || {
        client.send("x").await;
        (begun.elapsed() > limit * 6 / 5).then_some(())
    })
    .await;
    let status = client.answer().await.map_or(0, |answer| answer.status());
    (begun.elapsed(), status)
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_a_408_whether_it_drips_or_stops() {
    let upstream = Upstream::replying("v1").await;
    let limits = "upload_time: 500ms";
    let backend = one_backend(&upstream.url(), "", &format!("limits: {{ {limits} }}"));
    // The plugin's echo begins its answer at once, so it can only be cut.
    for (conf, silent_path, dripping) in [(backend, "x", 408), (one_plugin(limits), "sleep?ms=60000", 0)] {
        let gateway = Gateway::start(conf).await;
        let (time, status) = drip(gateway.raw().await, Duration::from_millis(500)).await;
        assert_eq!(status, dripping, "{silent_path}");
        assert!(time < Duration::from_secs(10), "{time:?}");
        let mut silent = gateway.raw().await;
        let head = format!("POST /api/v1/demo/{silent_path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
        silent.send(head).await;
        let begun = Instant::now();
        assert_eq!(silent.answer().await.expect("an answer").status(), 408, "{silent_path}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        gateway.metric_becomes("rejections_total", &[("code", "request_timeout")], 2.0).await;
        assert_eq!(gateway.post("/api/v1/demo/echo").body("in time").await.status, 200);
    }
}
