//! Plugins that run in the gateway's process.

use crate::configurations::{plugins, rogue};
use bytes::Bytes;
use framex_tests::{Connection, Gateway, Protocol, Upstream, eventually};
use serde_json::json;

#[tokio::test]
async fn a_component_answers_get_and_post_over_http1_and_http2() {
    let gateway = Gateway::start(plugins("")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let usage = gateway.get("/api/v1/demo/stats").over(protocol).await;
        assert_eq!((usage.status, usage.header("content-type")), (200, "application/json"));
        assert!(usage.json()["usage"].is_string());

        let counted = gateway.post("/api/v1/demo/stats").over(protocol).body("to be or\nnot to be").await;
        assert_eq!(counted.json(), json!({ "bytes": 18, "lines": 2, "words": 6, "longest_word": 3 }));
        assert_eq!(counted.header("x-request-id").len(), 32);
    }
}

#[tokio::test]
async fn a_connection_serves_one_component_call_after_the_other() {
    let gateway = Gateway::start(plugins("")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let connection = Connection::open(gateway.address(), protocol).await;
        for size in [0, 1, 100_000] {
            let answer = connection.call(gateway.post("/api/v1/demo/stats").body(vec![b'x'; size])).await;
            assert_eq!(answer.json()["bytes"], size);
        }
    }
}

#[tokio::test]
async fn head_gets_the_head_of_a_component_and_no_body() {
    let gateway = Gateway::start(plugins("")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let connection = Connection::open(gateway.address(), protocol).await;
        let head = connection.call(gateway.call("HEAD", "/api/v1/demo/rogue/hello").over(protocol)).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        // The connection is still in step.
        assert_eq!(connection.call(gateway.get("/api/v1/demo/rogue/hello")).await.text(), "hello from rogue\n");
    }
}

#[tokio::test]
async fn a_client_is_asked_to_go_on_only_by_a_component_that_wants_the_body() {
    let gateway = Gateway::start(plugins("")).await;
    let head = |path: &str| {
        format!("POST /api/v1/demo/{path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    };
    let mut reader = gateway.raw().await;
    reader.send(head("stats")).await;
    assert_eq!(reader.head().await.expect("an interim answer").status(), 100);
    reader.send("a b c").await;
    assert!(reader.answer().await.expect("an answer").text().contains("\"words\":3"));

    let mut ignorer = gateway.raw().await;
    ignorer.send(head("rogue/hello")).await;
    assert_eq!(ignorer.answer().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn bodies_stream_through_a_component_in_both_directions_at_once() {
    let gateway = Gateway::start(plugins("")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (call, body) = gateway.post("/api/v1/demo/rogue/echo").over(protocol).streaming();
        let mut answer = call.open().await;
        for piece in ["first", "second", "third"] {
            // The next piece is only sent when the one before has come back.
            body.send(Bytes::from(piece)).await.expect("the upload goes on");
            answer.until(piece).await;
        }
        drop(body);
        assert_eq!(answer.piece().await, None);
    }
}

#[tokio::test]
async fn a_text_larger_than_a_components_memory_flows_through_it() {
    let gateway = Gateway::start(plugins("memory: 2MiB, cpu: 1m, timeout: 5m")).await;
    let text = Bytes::from(vec![b'x'; 8 << 20]);
    let counted = gateway.post("/api/v1/demo/stats").body(text.clone()).await;
    assert_eq!(counted.json()["bytes"], text.len());
    let echoed = gateway.post("/api/v1/demo/rogue/echo").body(text.clone()).await;
    assert_eq!(echoed.body, text);
}

#[tokio::test]
async fn trailers_of_a_component_reach_http2_clients() {
    let gateway = Gateway::start(plugins("")).await;
    let answer = gateway.get("/api/v1/demo/rogue/trailers").over(Protocol::Http2).await;
    assert_eq!(answer.text(), "with trailers\n");
    assert_eq!(answer.trailers.expect("trailers")["x-checksum"], "42");
    // HTTP/1 clients get the whole body without them.
    assert_eq!(gateway.get("/api/v1/demo/rogue/trailers").await.text(), "with trailers\n");
}

#[tokio::test]
async fn an_answer_that_a_component_breaks_off_is_seen_to_be_broken() {
    let gateway = Gateway::start(plugins("")).await;
    for (protocol, how) in [(Protocol::Http1, "trap"), (Protocol::Http2, "trap"), (Protocol::Http1, "abort")] {
        let mut answer = gateway.get(&format!("/api/v1/demo/rogue/half?{how}")).over(protocol).open().await;
        assert_eq!(answer.status, 200);
        let mut broken = false;
        while let Some(piece) = answer.try_piece().await {
            broken |= piece.is_err();
            if broken {
                break;
            }
        }
        assert!(broken, "{protocol:?} {how}");
    }
    gateway.metric_becomes("rejections_total", &[("code", "plugin_trapped")], 2.0).await;
    gateway.metric_becomes("rejections_total", &[("code", "plugin_no_answer")], 1.0).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_work_of_the_component() {
    let gateway = Gateway::start(plugins("timeout: 1h, cpu: 1h")).await;
    let running = [("plugin", "rogue")];
    for path in ["endless", "half?sleep", "stream?n=100000&delay=50"] {
        let answer = gateway.get(&format!("/api/v1/demo/rogue/{path}")).open().await;
        gateway.metric_becomes("plugin_calls_in_flight", &running, 1.0).await;
        drop(answer);
        gateway.metric_becomes("plugin_calls_in_flight", &running, 0.0).await;
    }
    // Also when it has not answered yet.
    let mut waiting = gateway.raw().await;
    waiting.send("GET /api/v1/demo/rogue/sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
    gateway.metric_becomes("plugin_calls_in_flight", &running, 1.0).await;
    drop(waiting);
    gateway.metric_becomes("plugin_calls_in_flight", &running, 0.0).await;
    let line = gateway.access_line("a client that left", |line| line["path"] == "/api/v1/demo/rogue/sleep").await;
    assert_eq!((&line["status"], &line["code"]), (&json!(499), &json!("client_closed")));
}

#[tokio::test]
async fn a_component_is_told_who_calls_but_never_sees_the_token() {
    let gateway = Gateway::start(plugins("")).await;
    let token = gateway.token("alice", "demo");
    let told = gateway
        .get("/api/v1/demo/closed/headers")
        .bearer(&token)
        .header("x-framex-subject", "root")
        .header("x-framex-namespace", "other")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-plain", "kept")
        .await
        .text();
    assert!(told.contains("authority: \"rogue.demo.framex.internal\"\n"), "{told}");
    for line in [
        "x-framex-subject: alice\n",
        "x-framex-namespace: demo\n",
        "x-plain: kept\n",
        "x-request-id: ",
        "traceparent: 00-",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    for secret in ["authorization", &token, "root", "6.6.6.6"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

#[tokio::test]
async fn a_component_cannot_set_connection_fields_or_call_the_network() {
    let gateway = Gateway::start(plugins("")).await;
    // Over HTTP/2 no such field may be there at all; whichever the plugin could set, none comes out.
    let answer = gateway.get("/api/v1/demo/rogue/forbidden").over(Protocol::Http2).await;
    assert_eq!(answer.status, 200);
    for field in ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"] {
        assert_eq!(answer.header(field), "", "{field}");
    }
    let fetched = gateway.get("/api/v1/demo/rogue/fetch").await.text();
    assert!(!fetched.starts_with("status"), "{fetched}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spinning_components_do_not_stop_other_routes_from_answering() {
    let upstream = Upstream::replying("still here").await;
    let conf = plugins("cpu: 1h, timeout: 1h, concurrency: 8").namespace(
        "other",
        &format!(
            "backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}
plugins: {{ rogue: {{ component: \"{}\" }} }}
routes:
  - {{ match: {{ path: /api/v1/other/proxied }}, to: service, public: true }}
  - {{ match: {{ path: /api/v1/other/hello }}, to: rogue, public: true, rewrite: {{ strip_prefix: /api/v1/other }} }}",
            upstream.url(),
            rogue(),
        ),
    );
    let gateway = Gateway::start(conf).await;
    let mut spinning = Vec::new();
    for _ in 0..8 {
        let mut client = gateway.raw().await;
        client.send("GET /api/v1/demo/rogue/spin HTTP/1.1\r\nHost: a\r\n\r\n").await;
        spinning.push(client);
    }
    gateway.metric_becomes("plugin_calls_in_flight", &[("namespace", "demo")], 8.0).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/api/v1/other/proxied").await.text(), "still here");
        assert_eq!(gateway.get("/api/v1/other/hello").await.text(), "hello from rogue\n");
    }
    drop(spinning);
    gateway.metric_becomes("plugin_calls_in_flight", &[("namespace", "demo")], 0.0).await;
}

#[tokio::test]
async fn what_components_do_is_counted() {
    let gateway = Gateway::start(plugins("cpu: 50ms, memory: 8MiB")).await;
    for path in ["hello", "hello", "trap", "spin", "hog"] {
        gateway.get(&format!("/api/v1/demo/rogue/{path}")).await;
    }
    let of = |outcome: &'static str| [("namespace", "demo"), ("plugin", "rogue"), ("outcome", outcome)];
    gateway.metric_becomes("plugin_calls_total", &of("ok"), 2.0).await;
    for outcome in ["trap", "cpu", "memory"] {
        gateway.metric_becomes("plugin_calls_total", &of(outcome), 1.0).await;
    }
    let cpu = gateway.metric("plugin_cpu_seconds_total", &[("plugin", "rogue")]).await;
    assert!(cpu > 0.04, "{cpu}");
    let memory = eventually("a peak of memory", async || {
        let peak = gateway.metric("plugin_memory_peak_bytes", &[("plugin", "rogue")]).await;
        (peak > 0.0).then_some(peak)
    })
    .await;
    assert!(memory <= f64::from(8 << 20), "{memory}");
}

#[tokio::test]
async fn every_line_of_the_access_log_knows_the_cpu_time_of_its_call() {
    let gateway = Gateway::start(plugins("")).await;
    for _ in 0..50 {
        assert_eq!(gateway.get("/api/v1/demo/rogue/hello").await.status, 200);
    }
    eventually("all lines are written", async || (gateway.access_lines().len() >= 50).then_some(())).await;
    for line in gateway.access_lines() {
        assert!(line["cpu_ms"].as_f64().is_some_and(|cpu| cpu > 0.0), "{line}");
    }
}
