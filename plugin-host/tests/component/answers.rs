//! What a component that behaves can rely on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use framex_plugin_host::component::ComponentLimits;
use framex_plugin_host::{Body, BodyError, CallContext, CallErrorKind, full_body};
use http::{HeaderValue, Method, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::harness::{TEXT_STATS, generous, get, manual_body, request, rogue, small_host, text, within};

#[tokio::test]
async fn a_request_gets_the_response_of_the_component() {
    let (_host, rogue) = rogue(&generous());
    let context = CallContext::default();
    let usage = Arc::clone(&context.usage);

    let call = rogue.call(request("/hello", full_body("ignored")), context);
    let response = within(call).await.expect("a response");

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "hello from rogue\n");
    within(usage.settled()).await;
    assert!(!usage.cpu().is_zero(), "CPU time is metered");
    assert!(!usage.instantiate().is_zero(), "so is instantiation");
    assert!(usage.peak_memory() >= 64 * 1024, "so is memory");
    let stats = rogue.stats();
    assert_eq!((stats.calls, stats.instantiations), (1, 1));
    assert_eq!(stats.cpu, usage.cpu());
    assert_eq!(stats.peak_memory, usage.peak_memory());
    for kind in CallErrorKind::ALL {
        assert_eq!(stats.errors(kind), 0, "{}", kind.as_str());
    }
}

#[tokio::test]
async fn the_example_plugin_counts_a_text_that_arrives_in_pieces() {
    let host = small_host();
    let plugin = host.load("text-stats", TEXT_STATS, &ComponentLimits::default()).expect("the example loads");
    let (sender, body) = manual_body();
    let mut post = request("/", body);
    *post.method_mut() = Method::POST;

    let send = async move {
        for piece in ["one tw", "o\nthr", "\u{e9}\u{e9}e\n\nfour"] {
            let sent = sender.send(Ok(Bytes::from(piece))).await;
            sent.expect("the plugin reads on");
        }
    };
    let (response, ()) = within(async { tokio::join!(plugin.call(post, CallContext::default()), send) }).await;

    let response = response.expect("a response");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(text(response).await, r#"{"bytes":22,"lines":4,"words":4,"longest_word":6}"#);
}

#[tokio::test]
async fn the_example_plugin_explains_itself() {
    let host = small_host();
    let plugin = host.load("text-stats", TEXT_STATS, &ComponentLimits::default()).expect("the example loads");
    let usage = get(&plugin, "/").await.expect("a response");
    assert_eq!(usage.status(), StatusCode::OK);
    assert!(text(usage).await.contains("POST a text"));

    let mut delete = request("/", full_body(""));
    *delete.method_mut() = Method::DELETE;
    let refusal = within(plugin.call(delete, CallContext::default())).await;
    let refusal = refusal.expect("a response");
    assert_eq!(refusal.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_chunk_comes_back_before_the_next_one_is_sent() {
    let (_host, rogue) = rogue(&generous());
    let (sender, body) = manual_body();
    let call = rogue.call(request("/echo", body), CallContext::default());
    let mut echo = within(call).await.expect("a response").into_body();

    for chunk in ["first", "second", "third"] {
        let sent = sender.send(Ok(Bytes::from(chunk))).await;
        sent.expect("the guest reads on");
        let frame = within(echo.frame()).await.expect("a frame");
        let frame = frame.expect("no error").into_data().expect("data");
        assert_eq!(frame, chunk);
    }
    drop(sender);
    assert!(within(echo.frame()).await.is_none(), "the end comes back too");
}

#[tokio::test]
async fn a_body_much_larger_than_the_memory_limit_passes_through() {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 320;
    let (_host, rogue) = rogue(&ComponentLimits { memory: 2 << 20, ..generous() });
    let chunks = (0..CHUNKS).map(|number| {
        let fill = u8::try_from(number % 251).expect("less than 251");
        Ok::<_, BodyError>(Frame::data(Bytes::from(vec![fill; CHUNK])))
    });
    let body = StreamBody::new(futures_util::stream::iter(chunks)).boxed_unsync();
    let call = rogue.call(request("/echo", body), CallContext::default());
    let mut echo = within(call).await.expect("a response").into_body();

    let mut received = 0;
    while let Some(frame) = within(echo.frame()).await {
        let data = frame.expect("no error").into_data().expect("data");
        for (offset, byte) in data.iter().enumerate() {
            assert_eq!(usize::from(*byte), (received + offset) / CHUNK % 251);
        }
        received += data.len();
    }
    assert_eq!(received, CHUNK * CHUNKS, "20 MB");
    assert!(rogue.stats().peak_memory <= 2 << 20);
}

#[tokio::test]
async fn a_slow_reader_slows_the_sender_down() {
    const CHUNK: usize = 16 * 1024;
    let (_host, rogue) = rogue(&generous());
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&produced);
    let endless = futures_util::stream::repeat_with(move || {
        counter.fetch_add(CHUNK, Ordering::SeqCst);
        Ok::<_, BodyError>(Frame::data(Bytes::from(vec![0; CHUNK])))
    });
    let body = StreamBody::new(endless).boxed_unsync();
    let call = rogue.call(request("/echo", body), CallContext::default());
    let mut echo = within(call).await.expect("a response").into_body();

    let mut received = 0;
    for _ in 0..500 {
        let frame = within(echo.frame()).await.expect("a frame");
        received += frame.expect("no error").into_data().expect("data").len();
        let underway = produced.load(Ordering::SeqCst) - received;
        assert!(underway <= 8 * CHUNK, "{underway} bytes are held somewhere");
    }
}

#[tokio::test]
async fn the_component_sees_the_authority_of_the_uri_and_no_host_header() {
    let (_host, rogue) = rogue(&generous());
    let mut request = request("/headers", full_body(""));
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("evil.example"));
    headers.insert("x-token", HeaderValue::from_static("abc"));
    let call = rogue.call(request, CallContext::default());
    let seen = text(within(call).await.expect("a response")).await;

    assert!(seen.contains(r#"authority: "plugin.internal""#), "{seen}");
    assert!(seen.contains("x-token: abc"), "{seen}");
    assert!(!seen.contains("evil.example"), "{seen}");
}

#[tokio::test]
async fn a_request_without_authority_is_the_callers_mistake() {
    let (_host, rogue) = rogue(&generous());
    let mut request = request("/hello", full_body(""));
    *request.uri_mut() = http::Uri::from_static("/hello");
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("evil.example"));
    let call = rogue.call(request, CallContext::default());
    let error = within(call).await.expect_err("no authority");
    assert_eq!(error.kind(), CallErrorKind::Internal);
}

#[tokio::test]
async fn header_fields_of_the_connection_do_not_leave_the_host() {
    let (_host, rogue) = rogue(&generous());
    let response = get(&rogue, "/forbidden").await.expect("a response");
    let names = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
    for name in names {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    let set = text(response).await;
    assert!(set.contains("trailer"), "the guest did set some: {set:?}");
}

#[tokio::test]
async fn trailers_are_the_last_frame_of_the_body() {
    let (_host, rogue) = rogue(&generous());
    let response = get(&rogue, "/trailers").await.expect("a response");
    let body: Body = response.into_body();
    let collected = within(body.collect()).await.expect("a whole body");
    let trailers = collected.trailers().expect("trailers").clone();
    assert_eq!(trailers["x-checksum"], "42");
    assert_eq!(collected.to_bytes(), "with trailers\n");
}

#[tokio::test]
async fn a_response_without_a_body_keeps_its_status() {
    let (_host, rogue) = rogue(&generous());
    let response = get(&rogue, "/status?code=204").await.expect("a response");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_preliminary_status_is_not_an_answer() {
    let (_host, rogue) = rogue(&generous());
    let error = get(&rogue, "/status?code=101").await.expect_err("not a response");
    assert_eq!(error.kind(), CallErrorKind::GuestError);
}

#[tokio::test]
async fn every_call_gets_a_fresh_instance() {
    let (_host, rogue) = rogue(&generous());
    for path in ["/allocate?mib=20", "/allocate?mib=20", "/hello"] {
        let context = CallContext::default();
        let usage = Arc::clone(&context.usage);
        let call = rogue.call(request(path, full_body("")), context);
        text(within(call).await.expect("a response")).await;
        let expected = path.starts_with("/allocate");
        assert_eq!(usage.peak_memory() > 20 << 20, expected, "{path}");
    }
    assert_eq!(rogue.stats().instantiations, 3);
}
