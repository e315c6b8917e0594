//! Backends that fail in the middle of something.

use framex_tests::{Gateway, Protocol, Upstream, one_route};

async fn is_broken(gateway: &Gateway, protocol: Protocol) -> bool {
    let mut answer = gateway.get("/api/v1/demo/x").over(protocol).open().await;
    assert_eq!(answer.status, 200);
    loop {
        match answer.try_piece().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => return true,
            None => return false,
        }
    }
}

#[tokio::test]
async fn an_answer_that_a_backend_breaks_off_is_seen_to_be_broken() {
    let in_chunks = Upstream::serving(|mut exchange| async move {
        exchange.begin_chunks("text/plain").await?;
        exchange.chunk("the first half").await?;
        Err(exchange.close())
    })
    .await;
    let with_length = Upstream::serving(|mut exchange| async move {
        exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe first half").await?;
        Err(exchange.close())
    })
    .await;
    for upstream in [in_chunks, with_length] {
        let gateway = Gateway::start(one_route(&upstream)).await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            assert!(is_broken(&gateway, protocol).await, "{protocol:?}");
        }
        gateway.metric_becomes("rejections_total", &[("code", "backend_broken")], 2.0).await;
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_is_a_502() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 banana\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "",
    ] {
        let upstream = Upstream::serving(move |mut exchange| async move {
            exchange.write(answer).await?;
            Err(exchange.close())
        })
        .await;
        let gateway = Gateway::start(one_route(&upstream)).await;
        let refused = gateway.post("/api/v1/demo/x").await;
        assert_eq!((refused.status, refused.code().as_str()), (502, "backend_broken"), "{answer}");
    }
}

#[tokio::test]
async fn a_backend_that_answers_before_it_has_read_the_body_is_heard() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.reply(401, &[("Connection", "close")], "not you").await?;
        // Some of the body is read, or the reset would overtake the answer.
        let _ = exchange.piece().await?;
        exchange.until_closed().await;
        Err(exchange.close())
    })
    .await;
    let gateway = Gateway::start(one_route(&upstream)).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (call, body) = gateway.post("/api/v1/demo/x").over(protocol).streaming();
        let answer = tokio::spawn(call.into_future());
        let _ = body.send("the first piece of many".into()).await;
        assert_eq!(answer.await.expect("an answer").text(), "not you");
    }
}
