//! Clients that are slow or silent are cut; nobody else notices.

use framex_tests::{Gateway, Upstream, eventually, one_route};

/// A gateway that loses its patience quickly.
async fn impatient(upstream: &Upstream) -> Gateway {
    let connections = "connections: { connections: 20, head_timeout: 300ms, idle_timeout: 300ms, write_timeout: 300ms, body_timeout: 300ms }";
    Gateway::start(one_route(upstream).platform(connections)).await
}

#[tokio::test]
async fn a_head_that_drips_is_cut() {
    let upstream = Upstream::replying("v1").await;
    let gateway = impatient(&upstream).await;
    let mut client = gateway.raw().await;
    client.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n").await;
    // One field after the other, each sooner than any timeout between two reads.
    eventually("the client is cut", async || {
        client.send("X-A: b\r\n").await;
        client.is_closed().then_some(())
    })
    .await;
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn silent_clients_are_cut() {
    let upstream = Upstream::replying("v1").await;
    let gateway = impatient(&upstream).await;
    let mut from_the_start = gateway.raw().await;
    let mut after_a_request = gateway.raw().await;
    after_a_request.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(after_a_request.answer().await.expect("an answer").status(), 200);
    let mut after_a_preface = gateway.raw().await;
    after_a_preface.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let mut in_a_preface = gateway.raw().await;
    in_a_preface.send("PRI * HT").await;
    for client in [&mut from_the_start, &mut after_a_request, &mut after_a_preface, &mut in_a_preface] {
        client.rest().await;
    }
    gateway.metric_becomes("client_connections", &[], 0.0).await;
}

#[tokio::test]
async fn a_request_as_short_as_they_come_is_answered_at_once() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    let mut client = gateway.raw().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.answer().await.expect("an answer").status(), 404);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_408() {
    let upstream = Upstream::replying("v1").await;
    let gateway = impatient(&upstream).await;
    let mut client = gateway.raw().await;
    client.send("POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert_eq!(client.answer().await.expect("an answer").status(), 408);
    gateway.metric_becomes("rejections_total", &[("code", "request_timeout")], 1.0).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut() {
    let (cut, mut cuts) = tokio::sync::mpsc::channel(1);
    let upstream = Upstream::serving(move |mut exchange| {
        let cut = cut.clone();
        async move {
            exchange.begin_chunks("application/octet-stream").await?;
            while exchange.chunk(vec![b'x'; 64 << 10]).await.is_ok() {}
            let _ = cut.send(()).await;
            Err(exchange.close())
        }
    })
    .await;
    let gateway = impatient(&upstream).await;
    let mut client = gateway.raw().await;
    client.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    framex_tests::within("the backend is let go", cuts.recv()).await;
    drop(client);
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_and_counted_until_there_is_room() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_route(&upstream).platform("connections: { connections: 2 }")).await;
    let first = gateway.raw().await;
    let second = gateway.raw().await;
    gateway.metric_becomes("client_connections", &[], 2.0).await;
    let mut third = gateway.raw().await;
    third.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(third.rest().await.is_empty());
    assert_eq!(gateway.metric("client_connections_refused_total", &[]).await, 1.0);
    drop((first, second));
    gateway.metric_becomes("client_connections", &[], 0.0).await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "v1");
}
