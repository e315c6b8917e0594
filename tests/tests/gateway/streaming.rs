//! Answers and requests that take their time.

use crate::configurations::one_backend;
use bytes::Bytes;
use framex_tests::{Gateway, Protocol, Upstream, eventually, one_route, within};
use std::sync::Arc;
use tokio::sync::{Barrier, Semaphore, mpsc};

#[tokio::test]
async fn server_sent_events_arrive_one_by_one() {
    let may_send = Arc::new(Semaphore::new(0));
    let of_backend = may_send.clone();
    let upstream = Upstream::serving(move |mut exchange| {
        let may_send = of_backend.clone();
        async move {
            exchange.begin_chunks("text/event-stream").await?;
            for number in 0..5 {
                may_send.acquire().await.map_err(std::io::Error::other)?.forget();
                exchange.chunk(format!("data: {number}\n\n")).await?;
            }
            exchange.chunk("").await?;
            Ok(exchange)
        }
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut answer = gateway.get("/api/v1/demo/events").over(protocol).open().await;
        assert_eq!(answer.headers["content-type"], "text/event-stream");
        for number in 0..5 {
            // The next event does not exist before the one before has arrived.
            may_send.add_permits(1);
            assert_eq!(answer.until("\n\n").await, format!("data: {number}\n\n"));
        }
        assert_eq!(answer.piece().await, None);
    }
}

#[tokio::test]
async fn an_upload_arrives_piece_by_piece() {
    let (arrived, mut arrivals) = mpsc::channel(10);
    let upstream = Upstream::serving(move |mut exchange| {
        let arrived = arrived.clone();
        async move {
            while let Some(piece) = exchange.piece().await? {
                let _ = arrived.send(String::from_utf8_lossy(&piece).into_owned()).await;
            }
            exchange.reply(200, &[], "all of it").await?;
            Ok(exchange)
        }
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (call, body) = gateway.post("/api/v1/demo/x").over(protocol).streaming();
        let answer = tokio::spawn(call.into_future());
        for piece in ["one", "two", "three"] {
            body.send(Bytes::from(piece)).await.expect("the upload goes on");
            assert_eq!(within("the piece arrives", arrivals.recv()).await.as_deref(), Some(piece));
        }
        drop(body);
        assert_eq!(answer.await.expect("an answer").text(), "all of it");
    }
}

#[tokio::test]
async fn a_backend_decides_whether_a_client_that_asks_may_send_its_body() {
    let upstream = Upstream::serving(|mut exchange| async move {
        if exchange.head.target() == "/refused" {
            exchange.reply(413, &[("Connection", "close")], "too much").await?;
            return Err(exchange.close());
        }
        exchange.write("HTTP/1.1 100 Continue\r\n\r\n").await?;
        let body = exchange.body().await?;
        exchange.reply(200, &[], body).await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    let head = |path: &str| {
        format!("POST /api/v1/demo/{path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    };
    let mut allowed = gateway.raw().await;
    allowed.send(head("allowed")).await;
    assert_eq!(allowed.head().await.expect("an interim answer").status(), 100);
    allowed.send("hello").await;
    assert_eq!(allowed.answer().await.expect("an answer").text(), "hello");

    let mut refused = gateway.raw().await;
    refused.send(head("refused")).await;
    assert_eq!(refused.answer().await.expect("an answer").status(), 413);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_request_to_the_backend() {
    let (noticed, mut notices) = mpsc::channel(10);
    let upstream = Upstream::serving(move |mut exchange| {
        let noticed = noticed.clone();
        async move {
            if exchange.head.target() == "/streaming" {
                exchange.begin_chunks("text/event-stream").await?;
                exchange.chunk("data: 1\n\n").await?;
            }
            exchange.until_closed().await;
            let _ = noticed.send(exchange.head.target().to_owned()).await;
            Err(exchange.close())
        }
    })
    .await;
    let gateway =
        Gateway::start(one_backend(&upstream.url(), "", "rewrite: { strip_prefix: /api/v1/demo }, timeout: 1h")).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut answer = gateway.get("/api/v1/demo/streaming").over(protocol).open().await;
        answer.until("data: 1").await;
        drop(answer);
        assert_eq!(within("the backend notices", notices.recv()).await.as_deref(), Some("/streaming"));
    }
    let mut waiting = gateway.raw().await;
    waiting.send("GET /api/v1/demo/waiting HTTP/1.1\r\nHost: a\r\n\r\n").await;
    gateway.metric_becomes("requests_in_flight", &[("route", "all")], 1.0).await;
    drop(waiting);
    assert_eq!(within("the backend notices", notices.recv()).await.as_deref(), Some("/waiting"));
    gateway.metric_becomes("requests_in_flight", &[("route", "all")], 0.0).await;
}

#[tokio::test]
async fn a_slow_reader_slows_the_backend_down_and_costs_no_memory() {
    const PIECE: usize = 64 << 10;
    const PIECES: usize = 1000;
    let sent = Arc::new(Semaphore::new(0));
    let of_backend = sent.clone();
    let upstream = Upstream::serving(move |mut exchange| {
        let sent = of_backend.clone();
        async move {
            exchange.begin_chunks("application/octet-stream").await?;
            for _ in 0..PIECES {
                exchange.chunk(vec![b'x'; PIECE]).await?;
                sent.add_permits(1);
            }
            exchange.chunk("").await?;
            Ok(exchange)
        }
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    gateway.get("/nowhere").await;
    let before = gateway.peak_memory();
    let mut client = gateway.raw().await;
    client.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    client.head().await.expect("the head of the answer");
    // Socket buffers take some megabytes; then the backend has to wait for the reader.
    let mut seen = [usize::MAX; 50];
    let sent_unread = eventually("the backend has to wait", async || {
        seen.rotate_left(1);
        seen[49] = sent.available_permits();
        (seen[0] == seen[49]).then_some(seen[0])
    })
    .await;
    assert!(sent_unread < PIECES, "64 MB went somewhere while nobody read");
    assert!(client.rest().await.len() > PIECES * PIECE);
    let grown = gateway.peak_memory() - before;
    assert!(grown < 32 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn an_upgrade_that_the_backend_grants_becomes_a_tunnel() {
    let upstream = Upstream::serving(|mut exchange| async move {
        if exchange.head.field("upgrade") != Some("websocket") {
            exchange.reply(426, &[], "upgrade, please").await?;
            return Ok(exchange);
        }
        exchange.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").await?;
        loop {
            let bytes = exchange.read().await?;
            if bytes.is_empty() {
                return Err(exchange.close());
            }
            exchange.write(bytes.to_ascii_uppercase()).await?;
        }
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    let mut client = gateway.raw().await;
    client.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(client.head().await.expect("an answer").status(), 101);
    for word in ["hello", "again"] {
        client.send(word).await;
        assert_eq!(client.some().await, word.to_uppercase().as_bytes());
    }
    let mut refused = gateway.raw().await;
    refused.send("GET /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(refused.answer().await.expect("an answer").status(), 426);
    assert_eq!(refused.answer().await.expect("an answer to the request behind it").status(), 404);
    assert!(upstream.requests().iter().all(|request| request.target() != "/smuggled"));
}

#[tokio::test]
async fn many_streams_of_one_http2_connection_run_side_by_side() {
    // Nobody is answered before the twentieth has come.
    let all_here = Arc::new(Barrier::new(20));
    let upstream = Upstream::serving(move |mut exchange| {
        let all_here = all_here.clone();
        async move {
            all_here.wait().await;
            exchange.reply(200, &[], "together").await?;
            Ok(exchange)
        }
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    let connection = framex_tests::Connection::open(gateway.address(), Protocol::Http2).await;
    let calls = (0..20).map(|_| connection.call(gateway.get("/api/v1/demo/x")));
    let answers = within("twenty answers", futures_util::future::join_all(calls)).await;
    assert!(answers.iter().all(|answer| answer.text() == "together"));
}
