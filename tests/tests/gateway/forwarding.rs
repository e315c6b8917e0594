//! What a backend is told about the client, and what a client cannot make it believe.

use crate::configurations::one_backend;
use framex_tests::{Gateway, Head, Protocol, Token, Upstream, one_route};
use serde_json::json;

/// The request that the backend got last.
fn last(upstream: &Upstream) -> Head {
    upstream.requests().pop().expect("the backend got a request")
}

#[tokio::test]
async fn forwarding_and_identity_fields_are_the_gateways_alone() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "public: false")).await;
    let token = gateway.token("alice", "demo");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut call = gateway.get("/api/v1/demo/x").over(protocol).host("shop.test:8080").bearer(&token);
        for (name, value) in [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.test"),
            ("x-forwarded-port", "666"),
            ("x-forwarded-prefix", "/evil"),
            ("x-real-ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-framex-subject", "root"),
            ("x-framex-namespace", "root"),
            ("x-framex-issuer", "root"),
            ("x-framex-depth", "0"),
        ] {
            call = call.header(name, value);
        }
        assert_eq!(call.await.status, 200);
        let told = last(&upstream);
        for (name, value) in [
            ("host", "shop.test:8080"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "shop.test:8080"),
            ("x-framex-subject", "alice"),
            ("x-framex-namespace", "demo"),
        ] {
            assert_eq!(told.all(name).collect::<Vec<_>>(), [value], "{name} {protocol:?}");
        }
        for absent in
            ["x-forwarded-port", "x-forwarded-prefix", "x-real-ip", "forwarded", "x-framex-issuer", "x-framex-depth"]
        {
            assert_eq!(told.field(absent), None, "{absent}");
        }
        let everything = format!("{told:?}");
        assert!(!everything.contains("6.6.6.6") && !everything.contains("root") && !everything.contains("evil"));
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_up_to_the_first_address_that_it_does_not_know() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_route(&upstream).platform("trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]")).await;
    let call = gateway.get("/api/v1/demo/x").header("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.0.0.1");
    call.header("x-forwarded-proto", "https").await;
    let told = last(&upstream);
    assert_eq!(told.field("x-forwarded-for"), Some("203.0.113.7"));
    assert_eq!(told.field("x-forwarded-proto"), Some("https"));
    gateway.access_line("the true client", |line| line["client"] == "203.0.113.7").await;
}

#[tokio::test]
async fn a_token_for_the_gateway_stays_at_the_gateway() {
    let upstream = Upstream::replying("v1").await;
    for (backend, route, passes) in [
        ("", "public: false", false),
        ("forward_token: true", "public: false", true),
        // Without a token of the gateway, the field is between the caller and the service.
        ("", "public: true", true),
    ] {
        let gateway = Gateway::start(one_backend(&upstream.url(), backend, route)).await;
        let token = gateway.token("alice", "demo");
        assert_eq!(gateway.get("/api/v1/demo/x").bearer(&token).await.status, 200);
        let sent = last(&upstream);
        assert_eq!(sent.field("authorization").is_some(), passes, "{backend} {route}");
        assert_eq!(format!("{sent:?}").contains(&token), passes);
    }
}

#[tokio::test]
async fn a_subject_cannot_break_out_of_its_field() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "public: false")).await;
    let token = Token::of("", &["demo"]).claim("sub", json!("zoë\r\nX-Evil: 1")).sign();
    let answer = gateway.get("/api/v1/demo/x").bearer(&token).await;
    if answer.status == 200 {
        let told = last(&upstream);
        assert_eq!(told.field("x-evil"), None);
        assert_eq!(told.field("x-framex-subject"), Some("zo%C3%AB%0D%0AX-Evil: 1"));
    } else {
        assert_eq!(answer.code(), "token_invalid");
    }
}

#[tokio::test]
async fn the_host_is_the_clients_the_endpoints_or_a_fixed_one() {
    let upstream = Upstream::replying("v1").await;
    let endpoint = upstream.address().to_string();
    for (backend, host) in
        [("", "shop.test"), ("host: endpoint", endpoint.as_str()), ("host: legacy.internal", "legacy.internal")]
    {
        let gateway = Gateway::start(one_backend(&upstream.url(), backend, "")).await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            gateway.get("/api/v1/demo/x").over(protocol).host("shop.test").await;
            assert_eq!(last(&upstream).all("host").collect::<Vec<_>>(), [host]);
        }
    }
}

#[tokio::test]
async fn paths_and_header_fields_are_rewritten_as_configured() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.reply(200, &[("X-Inner", "secret"), ("Server", "uvicorn")], "v1").await?;
        Ok(exchange)
    })
    .await;
    let route = "rewrite: { strip_prefix: /api/v1/demo, add_prefix: /v2,
        request_headers: { remove: [x-debug], set: { x-tenant: demo } },
        response_headers: { remove: [x-inner], set: { server: gateway } } }";
    let gateway = Gateway::start(one_backend(&upstream.url(), "", route)).await;
    for (path, target) in [
        ("/api/v1/demo/items/7?a=1&a=2", "/v2/items/7?a=1&a=2"),
        ("/api/v1/demo/a%20b%C3%A9?q=%2F%20", "/v2/a%20b%C3%A9?q=%2F%20"),
        // Unreserved characters are decoded, so that every server reads the same path.
        ("/api/v1/demo/%61bc", "/v2/abc"),
        ("/api/v1/demo/items/", "/v2/items/"),
    ] {
        let answer = gateway.get(path).header("x-debug", "1").header("x-tenant", "other").await;
        assert_eq!((answer.header("x-inner"), answer.header("server")), ("", "gateway"));
        let sent = last(&upstream);
        assert_eq!(sent.target(), target);
        assert_eq!((sent.field("x-debug"), sent.field("x-forwarded-prefix")), (None, Some("/api/v1/demo")));
        assert_eq!(sent.all("x-tenant").collect::<Vec<_>>(), ["demo"]);
    }
}

#[tokio::test]
async fn one_request_id_and_one_trace_go_all_the_way() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let call = gateway.get("/api/v1/demo/x").header("traceparent", &format!("00-{trace_id}-00f067aa0ba902b7-01"));
    let answer = call.await;
    let sent = last(&upstream);
    let id = answer.header("x-request-id");
    assert_eq!(sent.field("x-request-id"), Some(id));
    let traceparent = sent.field("traceparent").expect("a trace");
    assert!(traceparent.starts_with(&format!("00-{trace_id}-")) && !traceparent.contains("00f067aa0ba902b7"));
    let line = gateway.access_line("the request", |line| line["request_id"] == id).await;
    assert_eq!(line["trace_id"], trace_id);
}

#[tokio::test]
async fn fields_of_one_connection_do_not_go_to_the_next() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    let mut client = gateway.raw().await;
    client
        .send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Hop\r\nHop: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.expect("an answer").status(), 200);
    let sent = last(&upstream);
    for field in ["hop", "keep-alive", "proxy-authorization"] {
        assert_eq!(sent.field(field), None, "{field}");
    }
}
