//! What passes between a client and an HTTP service.

use crate::configurations::{one_backend, one_backend_yaml};
use bytes::Bytes;
use framex_tests::{Authority, Conf, Connection, Gateway, Protocol, Upstream, eventually, one_route, refused_address};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Sends back what it gets: the method, the target and the body.
async fn mirror() -> Upstream {
    Upstream::serving(|mut exchange| async move {
        let body = exchange.body().await?;
        let (method, target) = (exchange.head.method().to_owned(), exchange.head.target().to_owned());
        exchange.reply(200, &[("X-Method", &method), ("X-Target", &target)], body).await?;
        Ok(exchange)
    })
    .await
}

#[tokio::test]
async fn every_method_passes_with_its_body() {
    let upstream = mirror().await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            let answer = gateway.call(method, "/api/v1/demo/x?a=1&b=%2F").over(protocol).body("hello").await;
            assert_eq!((answer.status, answer.header("x-method")), (200, method));
            assert_eq!((answer.header("x-target"), answer.text().as_str()), ("/x?a=1&b=%2F", "hello"));
        }
        let head = gateway.call("HEAD", "/api/v1/demo/x").over(protocol).await;
        assert_eq!((head.status, head.header("x-method"), head.text().as_str()), (200, "HEAD", ""));
    }
}

#[tokio::test]
async fn every_status_passes_with_its_header_fields() {
    let upstream = Upstream::serving(|mut exchange| async move {
        let status = exchange.head.target().trim_start_matches('/').parse().unwrap_or(500);
        exchange
            .reply(status, &[("Location", "https://elsewhere.example.com/"), ("X-Mixed-Case", "Kept As It Is")], "body")
            .await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let connection = Connection::open(gateway.address(), protocol).await;
        for status in [200, 201, 204, 206, 301, 304, 307, 400, 401, 404, 418, 422, 429, 500, 503] {
            let answer = connection.call(gateway.get(&format!("/api/v1/demo/{status}"))).await;
            assert_eq!(answer.status, status);
            let fields = (answer.header("location"), answer.header("x-mixed-case"));
            assert_eq!(fields, ("https://elsewhere.example.com/", "Kept As It Is"));
            assert_eq!(answer.text(), if matches!(status, 204 | 304) { "" } else { "body" });
        }
    }
}

#[tokio::test]
async fn two_cookies_stay_two_cookies() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.reply(200, &[("Set-Cookie", "a=1; Max-Age=5"), ("Set-Cookie", "b=2")], "").await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = gateway.get("/api/v1/demo/x").over(protocol).header("cookie", "session=1; basket=2").await;
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1; Max-Age=5", "b=2"]);
    }
    for request in upstream.requests() {
        assert_eq!(request.field("cookie"), Some("session=1; basket=2"));
    }
}

#[tokio::test]
async fn bodies_of_any_size_pass_with_and_without_a_length() {
    let upstream = mirror().await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for size in [0, 1, 65_536, 3_000_000] {
            let sent = Bytes::from((0_u8..=255).cycle().take(size).collect::<Vec<u8>>());
            let answer = gateway.post("/api/v1/demo/x").over(protocol).body(sent.clone()).await;
            assert!(answer.body == sent, "{protocol:?} {size}");
            let (call, body) = gateway.post("/api/v1/demo/x").over(protocol).streaming();
            let answer = tokio::spawn(call.into_future());
            for piece in sent.chunks(50_000) {
                body.send(Bytes::copy_from_slice(piece)).await.expect("the upload goes on");
            }
            drop(body);
            assert!(answer.await.expect("an answer").body == sent, "{protocol:?} {size} in chunks");
        }
    }
}

#[tokio::test]
async fn large_bodies_are_not_kept_in_memory() {
    const SIZE: usize = 20 << 20;
    let upstream = Upstream::serving(|mut exchange| async move {
        let mut size = 0;
        while let Some(piece) = exchange.piece().await? {
            size += piece.len();
        }
        if exchange.head.method() == "POST" {
            exchange.reply(200, &[], size.to_string()).await?;
        } else {
            exchange.reply(200, &[], vec![b'x'; SIZE]).await?;
        }
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    gateway.get("/api/v1/demo/warm-up").await;
    let before = gateway.peak_memory();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let uploaded = gateway.post("/api/v1/demo/up").over(protocol).body(vec![b'x'; SIZE]).await;
        assert_eq!(uploaded.text(), SIZE.to_string());
        assert_eq!(gateway.get("/api/v1/demo/down").over(protocol).await.body.len(), SIZE);
    }
    let grown = gateway.peak_memory() - before;
    assert!(grown < 16 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn a_connection_to_a_backend_is_used_again() {
    let upstream = mirror().await;
    let gateway = Gateway::start(one_route(&upstream).platform("threads: 1")).await;
    let connection = Connection::open(gateway.address(), Protocol::Http1).await;
    for _ in 0..10 {
        assert_eq!(connection.call(gateway.post("/api/v1/demo/x").body("hello")).await.text(), "hello");
    }
    assert_eq!(upstream.connections(), 1);
    let of = |state: &'static str| [("backend", "service"), ("state", state)];
    gateway.metric_becomes("upstream_connections_total", &of("new"), 1.0).await;
    gateway.metric_becomes("upstream_connections_total", &of("reused"), 9.0).await;
}

#[tokio::test]
async fn a_pooled_connection_that_the_backend_closed_costs_no_request() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        exchange.reply(200, &[], "then closed without a word").await?;
        Err(exchange.close())
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for method in ["GET", "POST"].into_iter().cycle().take(40) {
        assert_eq!(gateway.call(method, "/api/v1/demo/x").body("hello").await.status, 200, "{method}");
    }
    assert_eq!(upstream.requests().len(), 40);
}

#[tokio::test]
async fn an_http10_client_gets_an_answer_it_understands() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.begin_chunks("text/plain").await?;
        exchange.chunk("in ").await?;
        exchange.chunk("chunks").await?;
        exchange.chunk("").await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for head in [
        "GET /api/v1/demo/x HTTP/1.0\r\n\r\n",
        "GET /api/v1/demo/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let mut client = gateway.raw().await;
        client.send(head).await;
        let answer = client.answer().await.expect("an answer");
        assert_eq!(answer.head.field("transfer-encoding"), None);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "in chunks"));
        assert!(client.rest().await.is_empty());
    }
    assert!(upstream.requests().iter().all(|request| request.first_line.ends_with("HTTP/1.1")));
}

#[tokio::test]
async fn a_backend_over_tls_is_trusted_by_its_authority_and_its_name() {
    let ours = Authority::new("ours");
    let answer = |mut exchange: framex_tests::Exchange| async move {
        exchange.reply(200, &[], "over TLS").await?;
        Ok(exchange)
    };
    let upstream = Upstream::serving_tls(ours.server("localhost"), answer).await;
    let misnamed = Upstream::serving_tls(ours.server("other.test"), answer).await;
    let namespace = |url: &str, tls: &str| one_backend_yaml(&[url], &format!("tls: {{ {tls} }}"), "");
    let conf = |yaml: String| {
        Conf::new()
            .namespace("demo", &yaml)
            .file("ours.pem", ours.pem())
            .file("others.pem", Authority::new("others").pem())
    };
    let trusting = Gateway::start(conf(namespace(&upstream.url(), "ca_file: ../ours.pem"))).await;
    assert_eq!(trusting.get("/api/v1/demo/x").await.text(), "over TLS");

    for (what, yaml) in [
        ("another authority", namespace(&upstream.url(), "ca_file: ../others.pem")),
        ("the system's authorities", namespace(&upstream.url(), "")),
        ("another name", namespace(&misnamed.url(), "ca_file: ../ours.pem")),
    ] {
        let gateway = Gateway::start(conf(yaml)).await;
        let refused = gateway.get("/api/v1/demo/x").await;
        assert_eq!((refused.status, refused.code().as_str()), (502, "backend_unreachable"), "{what}");
    }
    let named = Gateway::start(conf(namespace(&misnamed.url(), "ca_file: ../ours.pem, server_name: other.test"))).await;
    assert_eq!(named.get("/api/v1/demo/x").await.text(), "over TLS");
    let unchecked = Gateway::start(conf(namespace(&misnamed.url(), "verify: false"))).await;
    assert_eq!(unchecked.get("/api/v1/demo/x").await.text(), "over TLS");
}

#[tokio::test]
async fn a_backend_that_speaks_http2_only_is_spoken_to_in_http2() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let echo = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                assert_eq!(request.version(), http::Version::HTTP_2);
                let target = request.uri().to_string();
                let body = request.into_body().collect().await?.to_bytes();
                Ok::<_, hyper::Error>(
                    http::Response::builder().header("x-target", target).body(Full::new(body)).expect("valid"),
                )
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), echo));
        }
    });
    let gateway = Gateway::start(one_backend(&format!("http://{address}"), "protocol: h2", "")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = gateway.post("/api/v1/demo/x").over(protocol).host("shop.test").body("hello").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        assert_eq!(answer.header("x-target"), "http://shop.test/api/v1/demo/x");
    }
    accepting.abort();
}

/// A backend that speaks HTTP/2 only and sends back what it gets, piece by piece, with a trailer.
async fn http2_echo() -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let echo = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let trailers = http::HeaderMap::from_iter([(
                    http::HeaderName::from_static("x-checksum"),
                    http::HeaderValue::from_static("42"),
                )]);
                let body = request.into_body().with_trailers(async move { Some(Ok(trailers)) });
                Ok::<_, hyper::Error>(http::Response::new(body))
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), echo));
        }
    });
    (address, serving)
}

#[tokio::test]
async fn trailers_of_an_http2_backend_reach_http2_clients_and_leave_http1_answers_whole() {
    let (address, serving) = http2_echo().await;
    let gateway = Gateway::start(one_backend(&format!("http://{address}"), "protocol: h2", "")).await;
    for (protocol, trailer) in [(Protocol::Http2, "42"), (Protocol::Http1, "")] {
        let answer = gateway.post("/api/v1/demo/x").over(protocol).body("hello").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        let seen = answer.trailers.as_ref().and_then(|trailers| trailers.get("x-checksum"));
        assert_eq!(seen.map_or(&b""[..], |value| value.as_bytes()), trailer.as_bytes(), "{protocol:?}");
    }
    serving.abort();
}

#[tokio::test]
async fn trailers_of_an_http1_backend_leave_the_answer_whole() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.begin_chunks("text/plain").await?;
        exchange.chunk("hello").await?;
        exchange.write("0\r\nx-checksum: 42\r\n\r\n").await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_backend(&upstream.url(), "", "")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = gateway.get("/api/v1/demo/x").over(protocol).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    }
}

#[tokio::test]
async fn a_large_body_is_echoed_through_each_pair_of_protocols() {
    const SIZE: usize = 8 << 20;
    let (address, serving) = http2_echo().await;
    let mirror = mirror().await;
    let body: Bytes = (0..SIZE).map(|index| (index % 251) as u8).collect::<Vec<u8>>().into();
    for (backend, settings) in [(format!("http://{address}"), "protocol: h2"), (mirror.url(), "")] {
        let gateway = Gateway::start(one_backend(&backend, settings, "")).await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let answer = gateway.post("/api/v1/demo/x").over(protocol).body(body.clone()).await;
            assert_eq!(answer.status, 200, "{protocol:?} {settings}");
            assert!(answer.body == body, "{protocol:?} {settings}: {} bytes", answer.body.len());
        }
    }
    serving.abort();
}

#[tokio::test]
async fn a_request_goes_to_the_second_endpoint_when_the_first_refuses() {
    let upstream = mirror().await;
    let refused = format!("http://{}", refused_address().await);
    let yaml = one_backend_yaml(&[&refused, &upstream.url()], "", "");
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml)).await;
    for _ in 0..10 {
        assert_eq!(gateway.post("/api/v1/demo/x").body("hello").await.text(), "hello");
    }
    let line = gateway.access_line("a second attempt", |line| line["attempts"] == 2).await;
    assert_eq!(line["endpoint"], upstream.address().to_string());
}

#[tokio::test]
async fn requests_are_spread_over_the_endpoints() {
    let (one, two) = (Upstream::replying("one").await, Upstream::replying("two").await);
    let yaml = one_backend_yaml(&[&one.url(), &two.url()], "", "");
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml)).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/api/v1/demo/x").await.status, 200);
    }
    assert_eq!((one.requests().len(), two.requests().len()), (5, 5));
}

#[tokio::test]
async fn a_health_check_takes_an_endpoint_out_and_back() {
    let sick = Arc::new(AtomicBool::new(false));
    let serving = |name: &'static str, sick: Arc<AtomicBool>| {
        move |mut exchange: framex_tests::Exchange| {
            let sick = sick.clone();
            async move {
                let status = if exchange.head.target() == "/health" && sick.load(Ordering::SeqCst) { 500 } else { 200 };
                exchange.reply(status, &[], name).await?;
                Ok(exchange)
            }
        }
    };
    let one = Upstream::serving(serving("one", sick.clone())).await;
    let two = Upstream::serving(serving("two", Arc::default())).await;
    let health = "health: { path: /health, interval: 100ms, unhealthy_after: 1 }";
    let yaml = one_backend_yaml(&[&one.url(), &two.url()], health, "");
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml)).await;
    let label = one.address().to_string();
    let of_one = [("backend", "service"), ("endpoint", label.as_str())];
    let answers = async || {
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(gateway.get("/api/v1/demo/x").await.text());
        }
        answers
    };
    gateway.metric_becomes("upstream_endpoint_healthy", &of_one, 1.0).await;
    assert!(answers().await.contains(&"one".to_owned()));

    sick.store(true, Ordering::SeqCst);
    gateway.metric_becomes("upstream_endpoint_healthy", &of_one, 0.0).await;
    assert_eq!(answers().await, ["two"; 6]);
    let status = gateway.admin("GET", "/admin/v1/status").await.json();
    assert_eq!(status["namespaces"]["demo"]["backends"]["service"][&label], "unhealthy");

    sick.store(false, Ordering::SeqCst);
    gateway.metric_becomes("upstream_endpoint_healthy", &of_one, 1.0).await;
    eventually("the endpoint is used again", async || answers().await.contains(&"one".to_owned()).then_some(())).await;
}

#[tokio::test]
async fn a_listener_with_a_certificate_serves_http1_and_http2_over_tls() {
    let authority = Authority::new("ours");
    let (certificate, key) = authority.issue("gateway.test");
    let upstream = mirror().await;
    let conf = one_route(&upstream)
        .platform("listeners: [{ address: \"127.0.0.1:0\", tls: { certificate: leaf.pem, key: leaf.key } }]")
        .file("leaf.pem", certificate)
        .file("leaf.key", key);
    let gateway = Gateway::start(conf).await;
    for (protocol, alpn) in [(Protocol::Http1, "http/1.1"), (Protocol::Http2, "h2")] {
        let connector = tokio_rustls::TlsConnector::from(authority.client(&[alpn]));
        let stream = tokio::net::TcpStream::connect(gateway.address()).await.expect("the gateway listens");
        let name = "gateway.test".try_into().expect("a host name");
        let stream = connector.connect(name, stream).await.expect("a trusted certificate");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        let connection = Connection::over(stream, protocol).await;
        let answer = connection.call(gateway.post("/api/v1/demo/x").host("gateway.test").body("hello")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    }
    assert!(upstream.requests().iter().all(|request| request.field("x-forwarded-proto") == Some("https")));
}
