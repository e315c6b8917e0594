//! Every reason for which the gateway itself answers.

use crate::configurations::{one_backend, plugins};
use framex_tests::{Answer, Conf, Connection, Gateway, Protocol, Token, Upstream, refused_address, sign};
use serde_json::json;

/// Checks an answer of the gateway itself, and that it was counted once.
async fn expect(gateway: &Gateway, namespace: &str, status: u16, code: &str, answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], format!("urn:framex-gateway:problem:{code}"));
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
    assert_eq!(answer.header("cache-control"), "no-store");
    gateway.metric_becomes("rejections_total", &[("namespace", namespace), ("code", code)], 1.0).await;
}

#[tokio::test]
async fn a_path_without_a_route_is_a_404_and_the_connection_lives_on() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(framex_tests::one_route(&upstream)).await;
    let connection = Connection::open(gateway.address(), Protocol::Http1).await;
    let answer = connection.call(gateway.get("/nowhere")).await;
    expect(&gateway, "", 404, "route_not_found", &answer).await;
    assert_eq!(connection.call(gateway.get("/api/v1/demo/x")).await.text(), "v1");
}

#[tokio::test]
async fn a_method_without_a_route_is_a_405_that_says_which_are_allowed() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(Conf::new().namespace(
        "demo",
        &format!(
            "backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes: [{{ match: {{ path: /api/v1/demo/x, methods: [GET, PUT] }}, to: service, public: true }}]",
            upstream.url()
        ),
    ))
    .await;
    let answer = gateway.post("/api/v1/demo/x").await;
    expect(&gateway, "", 405, "method_not_allowed", &answer).await;
    let mut allowed: Vec<&str> = answer.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "PUT"]);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn trace_is_refused_for_everyone() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(framex_tests::one_route(&upstream)).await;
    let answer = gateway.call("TRACE", "/api/v1/demo/x").await;
    expect(&gateway, "", 501, "method_not_implemented", &answer).await;
}

#[tokio::test]
async fn a_closed_route_without_a_good_token_is_a_401_with_a_challenge() {
    let upstream = Upstream::replying("secret").await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "public: false")).await;
    let good = Token::of("alice", &["demo"]);
    let wrong_key = sign(
        &json!({ "iss": "https://issuer.test", "aud": "framex-gateway", "sub": "x", "namespaces": ["demo"], "exp": 9_999_999_999_u64 }),
        "another secret that is longer than 32 bytes",
    );
    let call = || gateway.get("/api/v1/demo/x");

    let missing = call().await;
    expect(&gateway, "demo", 401, "token_missing", &missing).await;
    assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"demo\"");

    let expired = call().bearer(&good.clone().expired(3600).sign()).await;
    expect(&gateway, "demo", 401, "token_expired", &expired).await;
    assert!(expired.header("www-authenticate").contains("error=\"invalid_token\""));

    let bad = [
        wrong_key,
        "nonsense".to_owned(),
        good.clone().claim("aud", json!("others")).sign(),
        good.clone().claim("iss", json!("https://evil.test")).sign(),
        // A token without a signature.
        good.sign().rsplit_once('.').map(|(unsigned, _)| format!("{unsigned}.")).unwrap_or_default(),
    ];
    for (number, token) in (1..).zip(&bad) {
        let answer = call().bearer(token).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"), "{token}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
        gateway.metric_becomes("rejections_total", &[("code", "token_invalid")], f64::from(number)).await;
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(call().bearer(&good.sign()).await.text(), "secret");
}

#[tokio::test]
async fn a_good_token_for_another_namespace_or_without_a_claim_is_a_403() {
    let upstream = Upstream::replying("secret").await;
    let route = "public: false, access: { claims: { role: [editor, admin] } }";
    let gateway = Gateway::start(one_backend(&upstream.url(), "", route)).await;
    let call = |token: Token| gateway.get("/api/v1/demo/x").bearer(&token.sign());

    let other = call(Token::of("alice", &["other"]).claim("role", json!("admin"))).await;
    expect(&gateway, "demo", 403, "namespace_forbidden", &other).await;
    let reader = call(Token::of("alice", &["demo"]).claim("role", json!("reader"))).await;
    expect(&gateway, "demo", 403, "claim_forbidden", &reader).await;
    assert!(reader.header("www-authenticate").contains("error=\"insufficient_scope\""));
    assert!(upstream.requests().is_empty());

    let editor = call(Token::of("alice", &["demo"]).claim("role", json!(["editor"]))).await;
    assert_eq!(editor.text(), "secret");
}

#[tokio::test]
async fn a_body_above_the_limit_is_a_413_with_and_without_a_length_for_backends_and_plugins() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        exchange.reply(200, &[], "taken").await?;
        Ok(exchange)
    })
    .await;
    let conf = Conf::new().namespace(
        "demo",
        &format!(
            "limits: {{ request_body: 1KiB }}
plugins: {{ rogue: {{ component: \"{}\" }} }}
backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes:
  - {{ match: {{ path: /api/v1/demo/proxied }}, to: service, public: true }}
  - {{ match: {{ path: /api/v1/demo/echo }}, to: rogue, public: true, rewrite: {{ strip_prefix: /api/v1/demo }} }}",
            crate::configurations::rogue(),
            upstream.url()
        ),
    );
    let gateway = Gateway::start(conf).await;
    let mut refused = 0.0;
    for path in ["/api/v1/demo/proxied", "/api/v1/demo/echo"] {
        assert_eq!(gateway.post(path).body(vec![b'x'; 1024]).await.status, 200, "{path}");
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let answer = gateway.post(path).over(protocol).body(vec![b'x'; 1025]).await;
            assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"), "{path} {protocol:?}");
            refused += 1.0;
            gateway.metric_becomes("rejections_total", &[("code", "body_too_large")], refused).await;
        }
    }
    let (call, body) = gateway.post("/api/v1/demo/proxied").streaming();
    let answer = tokio::spawn(call.into_future());
    let _ = body.send(vec![b'x'; 1000].into()).await;
    let _ = body.send(vec![b'x'; 1000].into()).await;
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    gateway.metric_becomes("rejections_total", &[("code", "body_too_large")], refused + 1.0).await;
}

#[tokio::test]
async fn too_many_requests_are_a_429_that_says_when_to_come_back() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "limits: { rate: 2/h }")).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    let answer = gateway.get("/api/v1/demo/x").await;
    expect(&gateway, "demo", 429, "rate_limited", &answer).await;
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
    assert!((1..=1800).contains(&seconds), "{seconds}");
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_route_at_its_concurrency_limit_is_a_503_until_there_is_room() {
    let upstream = Upstream::serving(|mut exchange| async move {
        if exchange.head.target().ends_with("slow") {
            exchange.until_closed().await;
            return Err(exchange.close());
        }
        exchange.reply(200, &[], "fast").await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "limits: { concurrency: 1 }")).await;
    let mut first = gateway.raw().await;
    first.send("GET /api/v1/demo/slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    gateway.metric_becomes("requests_in_flight", &[("route", "all")], 1.0).await;
    let answer = gateway.get("/api/v1/demo/fast").await;
    expect(&gateway, "demo", 503, "busy", &answer).await;
    assert_eq!(answer.header("retry-after"), "1");
    drop(first);
    gateway.metric_becomes("requests_in_flight", &[("route", "all")], 0.0).await;
    assert_eq!(gateway.get("/api/v1/demo/fast").await.text(), "fast");
}

#[tokio::test]
async fn a_head_above_the_limit_is_a_431() {
    let upstream = Upstream::replying("v1").await;
    let conf = framex_tests::one_route(&upstream).platform("connections: { head_size: 4KiB }");
    let gateway = Gateway::start(conf).await;
    assert_eq!(gateway.get("/api/v1/demo/x").header("x-long", &"a".repeat(3000)).await.text(), "v1");
    let answer = gateway.get("/api/v1/demo/x").header("x-long", &"a".repeat(5000)).await;
    expect(&gateway, "", 431, "head_too_large", &answer).await;
}

#[tokio::test]
async fn a_backend_that_is_down_is_a_502() {
    let url = format!("http://{}", refused_address().await);
    let gateway = Gateway::start(one_backend(&url, "", "")).await;
    let answer = gateway.post("/api/v1/demo/x").body("hello").await;
    expect(&gateway, "demo", 502, "backend_unreachable", &answer).await;
    gateway.metric_becomes("upstream_connect_failures_total", &[("backend", "service")], 1.0).await;
    assert!(!answer.text().contains(url.trim_start_matches("http://")), "the caller learns no address");
}

#[tokio::test]
async fn a_backend_that_is_silent_for_too_long_is_a_504() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.until_closed().await;
        Err(exchange.close())
    })
    .await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "timeout: 200ms")).await;
    let answer = gateway.get("/api/v1/demo/x").await;
    expect(&gateway, "demo", 504, "backend_timeout", &answer).await;
}

#[tokio::test]
async fn a_backend_that_breaks_off_before_its_answer_is_a_502() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        exchange.write("HTTP/1.1 200 OK\r\nContent-Le").await?;
        Err(exchange.close())
    })
    .await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "")).await;
    let answer = gateway.post("/api/v1/demo/x").body("hello").await;
    expect(&gateway, "demo", 502, "backend_broken", &answer).await;
    assert_eq!(upstream.requests().len(), 1, "a POST that a backend may have acted upon is not sent again");
}

#[tokio::test]
async fn a_failing_plugin_is_a_502_a_504_or_a_503_depending_on_how_it_fails() {
    let gateway = Gateway::start(plugins("cpu: 50ms, memory: 8MiB, timeout: 2s, concurrency: 1, queue: 0")).await;
    for (path, status, code) in [
        ("trap", 502, "plugin_trapped"),
        ("hog", 502, "plugin_memory"),
        ("silent", 502, "plugin_no_answer"),
        ("spin", 504, "plugin_cpu"),
        ("sleep", 504, "plugin_timeout"),
    ] {
        let answer = gateway.get(&format!("/api/v1/demo/rogue/{path}")).await;
        expect(&gateway, "demo", status, code, &answer).await;
        assert!(!answer.text().contains("wasm"), "the caller learns nothing of the inside: {}", answer.text());
        // A call holds its place until its instance has gone.
        gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "rogue")], 0.0).await;
    }
    let mut running = gateway.raw().await;
    running.send("GET /api/v1/demo/rogue/sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
    gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "rogue")], 1.0).await;
    let answer = gateway.get("/api/v1/demo/rogue/hello").await;
    expect(&gateway, "demo", 503, "busy", &answer).await;
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_route_may_allow_a_plugin_less_time_than_the_plugins_own_limit() {
    let conf = Conf::new().namespace(
        "demo",
        &format!(
            "plugins: {{ rogue: {{ component: \"{}\", limits: {{ timeout: 1h }} }} }}
routes: [{{ match: {{ path: /api/v1/demo/sleep }}, to: rogue, public: true, timeout: 100ms, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
            crate::configurations::rogue()
        ),
    );
    let gateway = Gateway::start(conf).await;
    let answer = gateway.get("/api/v1/demo/sleep").await;
    expect(&gateway, "demo", 504, "plugin_timeout", &answer).await;
}

#[tokio::test]
async fn head_gets_the_status_of_a_rejection_without_its_body() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(framex_tests::one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let connection = Connection::open(gateway.address(), protocol).await;
        let answer = connection.call(gateway.call("HEAD", "/nowhere")).await;
        assert_eq!((answer.status, answer.body.len()), (404, 0));
        assert_eq!(connection.call(gateway.get("/api/v1/demo/x")).await.text(), "v1");
    }
}

#[tokio::test]
async fn a_client_that_is_still_sending_a_large_body_sees_why_it_is_refused() {
    let upstream = Upstream::replying("v1").await;
    let conf = plugins("").namespace(
        "other",
        &format!(
            "backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}
plugins: {{ rogue: {{ component: \"{}\" }} }}
routes:
  - {{ match: {{ path: /api/v1/other/small }}, to: service, public: true, limits: {{ request_body: 1KiB }} }}
  - {{ match: {{ path: /api/v1/other/echo }}, to: rogue, public: true, limits: {{ request_body: 1KiB }}, rewrite: {{ strip_prefix: /api/v1/other }} }}
  - {{ match: {{ path: /api/v1/other/closed }}, to: service }}",
            upstream.url(),
            crate::configurations::rogue(),
        ),
    );
    let gateway = Gateway::start(conf).await;
    const SIZE: usize = 20 << 20;
    let body = vec![b'x'; SIZE];
    for (path, status) in [("small", 413), ("echo", 413), ("closed", 401), ("nowhere", 404)] {
        for is_chunked in [false, true] {
            if path == "echo" && is_chunked {
                // The plugin has begun its answer by the time the body is found to be too long; it is cut.
                continue;
            }
            let mut client = gateway.raw().await;
            let framing =
                if is_chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {SIZE}") };
            client.send(format!("POST /api/v1/other/{path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")).await;
            if is_chunked {
                client.send(format!("{SIZE:x}\r\n")).await;
                client.send(&body).await;
                client.send("\r\n0\r\n\r\n").await;
            } else {
                client.send(&body).await;
            }
            let answer = client.answer().await.unwrap_or_else(|| panic!("an answer for {path}, chunked: {is_chunked}"));
            assert_eq!(answer.status(), status, "{path}, chunked: {is_chunked}");
        }
    }
}

#[tokio::test]
async fn a_client_that_asked_before_sending_its_body_and_is_refused_gets_no_other_request_answered() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(framex_tests::one_route(&upstream)).await;
    let mut client = gateway.raw().await;
    let head = "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.send(head).await;
    assert_eq!(client.answer().await.map(|answer| answer.status()), Some(404));
    // Whether the body comes or not is the client's choice, so what follows could be either.
    client.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.rest().await.is_empty());
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn functions_of_a_framex_instance_cannot_be_called_by_name() {
    let upstream = Upstream::replying("called").await;
    let conf = Conf::new().namespace(
        "demo",
        &format!(
            "backends: {{ service: {{ framex: {{ endpoints: [\"{}\"] }} }} }}
routes:
  - {{ match: {{ path: /api/v1/demo/** }}, to: service, public: true, rewrite: {{ strip_prefix: /api/v1/demo, add_prefix: /api/v1 }} }}",
            upstream.url()
        ),
    );
    let gateway = Gateway::start(conf).await;
    for path in ["/api/v1/demo/proxy/remote", "/api/v1/demo/proxy/%72emote", "/api/v1/demo/proxy/remote/?x=1"] {
        let answer = gateway.post(path).json(&json!({ "func_name": "os.system", "data": "true" })).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "function_forbidden"), "{path}");
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(gateway.post("/api/v1/demo/proxy/other").await.text(), "called");
}
